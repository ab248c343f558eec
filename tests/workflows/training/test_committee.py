"""`mdaug train --committee N`: networks that differ by their seed, and the deviation of their forces."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from mdaug import MDAugCalculator, MDAugCommittee
from mdaug.analysis.trajectory import atomic_numbers, open_trajectory
from mdaug.cli import app
from mdaug.deployment import export_model, read_manifest
from mdaug.deployment.committee import network_file
from mdaug.errors import DataError, SettingsError
from mdaug.md.trajectory import DcdTrajectory, write_topology
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.sets import TrainingCallbacks
from mdaug.workflows.trajectory_files import write_model_deviation

pytestmark = pytest.mark.slow

N = 3


@pytest.fixture(scope="module")
def committee(tiny, tmp_path_factory) -> Path:
    """The folder of a training with three networks."""
    folder = tmp_path_factory.mktemp("committee") / "run"
    train_force_field(tiny.replace({"committee": {"networks": N}}), folder)
    return folder


def networks(model: Path, **arguments) -> list[MDAugCalculator]:
    """A calculator for each network of a file."""
    return [MDAugCalculator(model, network=k, **arguments) for k in range(N)]


def hashes(model: Path) -> list[str]:
    """The hash of the weights of each network of a file."""
    return [
        read_manifest(model, k)["weights_sha256"]
        for k in range(read_manifest(model)["committee"]["networks"])
    ]


def separated(model: Path, folder: Path) -> Path:
    """Write the networks of a file as earlier versions did, each in a file of its own; return the folder."""
    folder.mkdir()
    with zipfile.ZipFile(model) as source, zipfile.ZipFile(folder / "model.pt", "w") as first:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/extra/manifest.json"):
                content = json.dumps(
                    {k: v for k, v in json.loads(content).items() if k != "committee"}
                ).encode()
            if "/extra/committee/" not in name:
                first.writestr(name, content)
    for k in range(1, N):
        place = folder / "committee" / f"network-{k}"
        place.mkdir(parents=True)
        (place / "model.pt").write_bytes(network_file(model, k).getvalue())
    return folder


def molecule(shift=0.0) -> Atoms:
    return Atoms("OH2", [[0, 0, 0], [0.96 + shift, 0, 0], [-0.24, 0.93, 0]])


def test_members_are_the_trainings_with_other_seeds(committee, tiny, tmp_path):
    model = committee / "model.pt"
    assert len(set(hashes(model))) == N
    assert all("extrapolation" in read_manifest(model, k) for k in range(N))
    assert not list(committee.glob("committee/**/model.pt"))
    seed = tiny.training.seed + 1
    train_force_field(tiny.replace({"training": {"seed": seed}}), tmp_path / "alone")
    alone = read_manifest(tmp_path / "alone" / "model.pt")
    assert alone["weights_sha256"] == hashes(model)[1]


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_the_deviation_is_that_of_the_forces(evaluator, committee, tmp_path, monkeypatch):
    atoms = molecule(0.1)
    copied = shutil.copy(committee / "model.pt", tmp_path / "water.pt")
    monkeypatch.chdir(tmp_path)
    atoms.calc = MDAugCommittee("water.pt", evaluator=evaluator)  # the file alone
    own = atoms.get_forces()
    forces = [one.get_forces(molecule(0.1)) for one in networks(committee / "model.pt", evaluator=evaluator)]
    np.testing.assert_allclose(own, forces[0], rtol=1e-10)
    expected = np.linalg.norm(np.std(forces, axis=0), axis=1)  # of each component, in quadrature
    np.testing.assert_allclose(atoms.calc.force_deviation, expected, rtol=1e-10)
    assert expected.max() > 1e-3
    atoms.positions[1, 0] += 0.1
    atoms.get_forces()
    assert not np.allclose(atoms.calc.force_deviation, expected)
    pickled = pickle.dumps(atoms.calc)
    monkeypatch.chdir(Path(copied).root)
    moved = atoms.copy()
    moved.calc = pickle.loads(pickled)
    moved.get_forces()
    np.testing.assert_allclose(moved.calc.force_deviation, atoms.calc.force_deviation)


def test_folders_of_earlier_versions_and_lists_of_files(committee, tmp_path):
    folder = separated(committee / "model.pt", tmp_path / "run")
    files = [folder / "model.pt", *sorted(folder.glob("committee/network-*/model.pt"))]
    assert len(files) == N
    deviations = []
    for models in (committee, committee / "model.pt", folder, folder / "model.pt", files):
        atoms = molecule(0.1)
        atoms.calc = MDAugCommittee(models)
        atoms.get_forces()
        deviations.append(atoms.calc.force_deviation)
    np.testing.assert_array_equal(deviations, [deviations[0]] * len(deviations))
    assert deviations[0].max() > 1e-3


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
    with pytest.raises(SettingsError, match="a committee of 1 models; expected at least 2"):
        MDAugCommittee(other)
    with pytest.raises(DataError, match=r"other\.pt: other elements than those of"):
        MDAugCommittee([committee / "model.pt", other])
    with pytest.raises(DataError, match="nowhere: no such file"):
        MDAugCommittee(tmp_path / "nowhere")


def test_networks_change_with_the_argument(committee):
    calculator, atoms = MDAugCalculator(committee / "model.pt", network=1), molecule(0.1)
    of_1 = calculator.get_forces(atoms)
    assert calculator.set(network=2) == {"network": 2}
    of_2 = calculator.get_forces(atoms)
    assert np.abs(of_1 - of_2).max() > 1e-3
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(calculator)).get_forces(atoms), of_2)
    whole = MDAugCommittee(committee)
    whole.set(network=1)  # of the first one only
    np.testing.assert_array_equal(whole.get_forces(atoms), of_1)
    expected = np.linalg.norm(np.std([of_1, of_1, of_2], axis=0), axis=1)
    np.testing.assert_allclose(whole.force_deviation, expected, rtol=1e-10)
    with pytest.raises(DataError, match=r"model\.pt, network 3 of its committee: .*does not contain it"):
        calculator.set(network=N)


@pytest.mark.parametrize("network", range(N))
def test_an_interrupted_training_gives_the_whole_file_in_the_end(network, committee, tiny, tmp_path):
    """Interrupted in the second epoch of each network."""
    config, folder, n_epochs = tiny.replace({"committee": {"networks": N}}), tmp_path / "run", []

    def interrupt(state):
        n_epochs.append(state.epoch)
        if len(n_epochs) == network * tiny.training.epochs + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_force_field(config, folder, callbacks=TrainingCallbacks(epoch=interrupt))
    assert (folder / "model.pt").exists() == (network > 0)
    train_force_field(config, folder, resume=True)
    assert hashes(folder / "model.pt") == hashes(committee / "model.pt")


def test_the_command_its_resume_export_and_info(water, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = ["--model.n-atom-basis", "8", "--model.n-filters", "8", "--model.n-interactions", "1"]
    frames = ["--split.train", "24", "--split.validation", "8", "--split.test", "8", "--temperature", "300"]
    given = [*sizes, *frames, "--no-augment", "--epochs", "2", "--committee", "2", "--out", "run"]
    assert app.main(["train", str(water), *given]) == 0
    model = tmp_path / "run" / "model.pt"
    before = hashes(model)
    assert len(before) == 2
    whole = [read_manifest(model, k) for k in range(2)]
    (tmp_path / "run" / "results.json").unlink()
    assert app.main(["train", "--resume", "--out", "run"]) == 0
    assert hashes(model) == before
    assert app.main(["export", "run", "--out", "exported.pt"]) == 0
    assert [read_manifest("exported.pt", k) for k in range(2)] == whole
    (tmp_path / "run" / "committee" / "network-1" / "checkpoint.pt").unlink()  # as before its training
    assert app.main(["export", "run", "--out", "first.pt"]) == 0
    assert "committee" not in read_manifest("first.pt")
    capsys.readouterr()
    for path, words in (("run", "2 networks"), ("first.pt", "none")):
        assert app.main(["info", path]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "committee" in line]
        assert line.split(maxsplit=1)[1].strip() == words


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


def test_model_devi_of_a_cell_in_any_orientation(make_model, tmp_path):
    """The cell of a trajectory has its first vector along x, with which its positions go."""
    paths = [export_model(make_model(seed=seed), tmp_path / f"{seed}.pt", training={}) for seed in (0, 1)]
    atoms = Atoms(molecule(0.1), cell=[[0.0, 4.1, 4.0], [4.0, 0.0, 4.2], [4.3, 4.0, 0.0]], pbc=True)
    atoms.positions += 0.3
    with DcdTrajectory(tmp_path / "trajectory.dcd", atoms, 1, 1.0) as trajectory:
        trajectory.write(atoms.positions)
    write_topology(tmp_path / "topology.pdb", atoms, np.empty((0, 2), dtype=int))
    calculator = MDAugCommittee(paths, strict=None)
    path = write_model_deviation(tmp_path, atoms, calculator, 1.0)
    calculator.get_forces(atoms)
    found, expected = np.loadtxt(path)[4:], calculator.force_deviation
    np.testing.assert_allclose(found, [expected.max(), expected.min(), expected.mean()], rtol=1e-4)


def test_a_failed_network_leaves_no_results_of_the_first(make_model, tmp_path, monkeypatch):
    paths = [export_model(make_model(seed=seed), tmp_path / f"{seed}.pt", training={}) for seed in (0, 1)]
    calculator, atoms = MDAugCommittee(paths, strict=None), molecule(0.1)

    def fail(*given):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr(calculator._others[0], "get_forces", fail)
        with pytest.raises(RuntimeError, match="no memory"):
            calculator.get_forces(atoms)
    calculator.get_forces(atoms)
    assert calculator.force_deviation is not None


def test_model_devi_is_that_of_deepmd(committee, tmp_path, capsys):
    """Columns and definitions are those of `dp model-devi`, from the forces of each network."""
    options = ["--steps=20", "--frames-every=10", "--equilibration=0.01", "--no-guard", "--timestep=0.1"]
    model = Path(shutil.copy(committee / "model.pt", tmp_path / "water.pt"))  # the file alone
    assert (
        app.main(["nvt", str(model), *options, "--model-devi", "--extxyz", "--out", str(tmp_path / "run")])
        == 0
    )
    header, *_ = (tmp_path / "run" / "model_devi.out").read_text().splitlines()
    names = [f"{kind}_devi_{what}" for what in "vf" for kind in ("max", "min", "avg")]
    assert header == "#" + "step".rjust(11) + "".join(name.rjust(19) for name in names)
    table = np.loadtxt(tmp_path / "run" / "model_devi.out")
    assert table[:, 0].tolist() == [0, 10, 20]
    universe = open_trajectory(tmp_path / "run")
    for row, frame in zip(table, universe.trajectory, strict=True):
        atoms = Atoms("OH2", frame.positions)
        atoms.numbers = atomic_numbers(universe)
        forces = [one.get_property("forces", atoms) for one in networks(model, strict=None)]
        virials = [np.einsum("ax,ay->xy", atoms.positions, force).ravel() / 3 for force in forces]
        of_v, of_f = np.std(virials, axis=0), np.linalg.norm(np.std(forces, axis=0), axis=-1)
        expected = [of_v.max(), of_v.min(), np.linalg.norm(of_v) / 3, of_f.max(), of_f.min(), of_f.mean()]
        np.testing.assert_allclose(row[1:], expected, rtol=2e-3, atol=1e-6)
        assert row[4] > 1e-3
    resumed = ["nvt", "--resume", "--steps=30", "--out", str(tmp_path / "run")]
    assert app.main(resumed) == 0  # continues the files that are there
    assert np.loadtxt(tmp_path / "run" / "model_devi.out")[:, 0].tolist() == [0, 10, 20, 30]
    assert len(read(tmp_path / "run" / "trajectory.xyz", ":")) == 4
    capsys.readouterr()
    alone = tmp_path / "alone.pt"
    alone.write_bytes(network_file(model, 1).getvalue())
    assert app.main(["nvt", str(alone), *options, "--model-devi", "--out", str(tmp_path / "no")]) == 2
    assert "--model-devi needs a committee, and there is none in" in capsys.readouterr().err
