"""`mdaug train --committee N`: networks that differ by their seed, and the deviation of their forces."""

import pickle

import numpy as np
import pytest
from ase import Atoms

from mdaug import MDAugCalculator, MDAugCommittee
from mdaug.analysis.trajectory import atomic_numbers, open_trajectory
from mdaug.cli import app
from mdaug.deployment import export_model, read_manifest
from mdaug.errors import DataError, SettingsError
from mdaug.workflows.train import train_force_field

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def committee(tiny, tmp_path_factory):
    """The folder of a training with three networks."""
    folder = tmp_path_factory.mktemp("committee") / "run"
    train_force_field(tiny.replace({"committee": {"networks": 3}}), folder)
    return folder


def molecule(shift=0.0) -> Atoms:
    return Atoms("OH2", [[0, 0, 0], [0.96 + shift, 0, 0], [-0.24, 0.93, 0]])


def test_members_are_the_trainings_with_other_seeds(committee, tiny, tmp_path):
    paths = [committee / "model.pt", *sorted(committee.glob("committee/network-*/model.pt"))]
    assert len(paths) == 3
    manifests = [read_manifest(path) for path in paths]
    assert len({manifest["weights_sha256"] for manifest in manifests}) == 3
    assert all("extrapolation" in manifest for manifest in manifests)
    seed = tiny.training.seed + 1
    train_force_field(tiny.replace({"training": {"seed": seed}}), tmp_path / "alone")
    alone = read_manifest(tmp_path / "alone" / "model.pt")
    assert alone["weights_sha256"] == manifests[1]["weights_sha256"]


def test_the_deviation_is_that_of_the_forces(committee):
    atoms = molecule(0.1)
    atoms.calc = MDAugCommittee(committee)
    own = atoms.get_forces()
    forces = []
    for path in [committee / "model.pt", *committee.glob("committee/network-*/model.pt")]:
        one = atoms.copy()
        one.calc = MDAugCalculator(path)
        forces.append(one.get_forces())
    np.testing.assert_allclose(own, forces[0], rtol=1e-10)
    expected = np.linalg.norm(np.std(forces, axis=0), axis=1)  # of each component, in quadrature
    np.testing.assert_allclose(atoms.calc.force_deviation, expected, rtol=1e-10)
    assert expected.max() > 1e-3
    atoms.positions[1, 0] += 0.1
    atoms.get_forces()
    assert not np.allclose(atoms.calc.force_deviation, expected)
    again = pickle.loads(pickle.dumps(atoms.calc))
    moved = atoms.copy()
    moved.calc = again
    moved.get_forces()
    np.testing.assert_allclose(again.force_deviation, atoms.calc.force_deviation)


def test_settings_of_all_models_change_together(committee):
    calculator = MDAugCommittee(committee, dtype="float32")
    assert calculator.set(dtype="float64")
    atoms = molecule()
    atoms.calc = calculator
    atoms.get_forces()
    reference = molecule()
    reference.calc = MDAugCommittee(committee, dtype="float64")
    reference.get_forces()
    found, expected = (each.calc.force_deviation for each in (atoms, reference))
    np.testing.assert_array_equal(found, expected)


def test_what_is_no_committee_is_refused(committee, make_model, tmp_path):
    with pytest.raises(SettingsError, match="a committee of 1 models; expected at least 2"):
        MDAugCommittee([committee / "model.pt"])
    other = export_model(make_model(), tmp_path / "other.pt", training={})
    with pytest.raises(DataError, match=r"other\.pt: other elements than those of"):
        MDAugCommittee([committee / "model.pt", other])


def test_the_command_and_its_resume(water, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["--model.n-atom-basis", "8", "--model.n-filters", "8", "--model.n-interactions", "1"]
    frames = ["--split.train", "24", "--split.validation", "8", "--split.test", "8", "--temperature", "300"]
    given = [*sizes, *frames, "--no-augment", "--epochs", "2", "--committee", "2", "--out", "run"]
    assert app.main(["train", str(water), *given]) == 0
    path = tmp_path / "run" / "committee" / "network-1" / "model.pt"
    before = read_manifest(path)["weights_sha256"]
    path.unlink()
    (tmp_path / "run" / "results.json").unlink()
    assert app.main(["train", "--resume", "--out", "run"]) == 0
    assert read_manifest(path)["weights_sha256"] == before


def test_the_deviation_of_the_virial_in_a_cell(make_model, tmp_path):
    paths = [export_model(make_model(seed=seed), tmp_path / f"{seed}.pt", training={}) for seed in (0, 1, 2)]
    water = molecule(0.1)
    for pbc, known in ((True, True), ([True, True, False], False)):
        atoms = Atoms(water, cell=np.diag([9.0, 10.0, 11.0]), pbc=pbc)
        atoms.calc = MDAugCommittee(paths, strict=None)
        atoms.get_forces()
        if known:
            stresses = [MDAugCalculator(path, strict=None).get_property("stress", atoms) for path in paths]
            expected = np.std(stresses, axis=0) * atoms.get_volume() / 3
            found = atoms.calc.virial_deviation[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
        assert np.isfinite(atoms.calc.virial_deviation).all() == known


def test_model_devi_is_that_of_deepmd(committee, tmp_path, capsys):
    """Columns and definitions are those of `dp model-devi`, from the forces of each network."""
    options = ["--steps=20", "--frames-every=10", "--equilibration=0.01", "--no-guard", "--timestep=0.1"]
    assert app.main(["nvt", str(committee), *options, "--model-devi", "--out", str(tmp_path / "run")]) == 0
    header, *_ = (tmp_path / "run" / "model_devi.out").read_text().splitlines()
    names = [f"{kind}_devi_{what}" for what in "vf" for kind in ("max", "min", "avg")]
    assert header == "#" + "step".rjust(11) + "".join(name.rjust(19) for name in names)
    table = np.loadtxt(tmp_path / "run" / "model_devi.out")
    assert table[:, 0].tolist() == [0, 10, 20]
    universe = open_trajectory(tmp_path / "run")
    paths = [committee / "model.pt", *committee.glob("committee/network-*/model.pt")]
    for row, frame in zip(table, universe.trajectory, strict=True):
        atoms = Atoms("OH2", frame.positions)
        atoms.numbers = atomic_numbers(universe)
        forces = [MDAugCalculator(path, strict=None).get_property("forces", atoms) for path in paths]
        virials = [np.einsum("ax,ay->xy", atoms.positions, force).ravel() / 3 for force in forces]
        of_v, of_f = np.std(virials, axis=0), np.linalg.norm(np.std(forces, axis=0), axis=-1)
        expected = [of_v.max(), of_v.min(), np.linalg.norm(of_v) / 3, of_f.max(), of_f.min(), of_f.mean()]
        np.testing.assert_allclose(row[1:], expected, rtol=2e-3, atol=1e-6)
        assert row[4] > 1e-3
    resumed = ["nvt", "--resume", "--steps=30", "--model-devi", "--out", str(tmp_path / "run")]
    assert app.main(resumed) == 0
    assert np.loadtxt(tmp_path / "run" / "model_devi.out")[:, 0].tolist() == [0, 10, 20, 30]
    capsys.readouterr()
    alone = committee / "committee" / "network-1"
    assert app.main(["nvt", str(alone), *options, "--model-devi", "--out", str(tmp_path / "alone")]) == 2
    assert "--model-devi needs a committee, and there is none beside" in capsys.readouterr().err
