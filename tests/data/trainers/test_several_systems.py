"""Files for other trainers of several systems: ethanol and methanol, or ethanol and a crystal."""

import json
import re
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
import yaml

from mdaug.data import load_frames
from mdaug.data.trainers import SystemFrames, TrainingData, trainer_of
from mdaug.data.trainers.readme import write_readme
from mdaug.frames import FrameSet
from tests.data.trainers.conftest import WEIGHTS, make_augmented, write_for

METHANOL = Path(__file__).parents[1] / "methanol.npz"


@pytest.fixture(scope="module")
def methanol() -> SystemFrames:
    """Methanol: 12 raw, 6 augmented, 3 validation and no test frames."""
    frames = load_frames(METHANOL)
    raw = frames.select(slice(0, 12))
    augmented = make_augmented(raw, WEIGHTS[:6] / 3)
    parts = raw, augmented, frames.select(slice(12, 15)), frames.select(slice(0))
    return SystemFrames(*parts, label="methanol")


@pytest.fixture(scope="module")
def data(molecule: TrainingData, methanol: SystemFrames) -> TrainingData:
    return TrainingData((*molecule.systems, methanol))


def references(data: TrainingData, frames: FrameSet) -> float:
    return sum(data.reference_energies[int(number)] for number in frames.atomic_numbers)


@pytest.mark.parametrize("name", ["mace", "nequip", "gpumd", "extxyz"])
def test_raw_frames_of_all_systems_come_first(name: str, data: TrainingData, tmp_path: Path) -> None:
    images = ase.io.read(write_for(name, data, tmp_path) / "train.xyz", ":")
    assert [len(atoms) for atoms in images] == [9] * 20 + [6] * 12 + [9] * 10 + [6] * 6
    assert [len(atoms) for atoms in ase.io.read(tmp_path / "validation.xyz", ":")] == [9] * 5 + [6] * 3
    assert len(ase.io.read(tmp_path / "test.xyz", ":")) == 4
    for atoms in images[32:]:
        assert len(images[atoms.info["parent"]]) == len(atoms)  # an index in the file
    positions = np.array([atoms.positions for atoms in images[-6:]])
    assert positions == pytest.approx(data.systems[1].augmented.positions, abs=1e-7)


def test_references_fit_the_mean_energies_of_all_systems(data: TrainingData, tmp_path: Path) -> None:
    config = yaml.safe_load((write_for("mace", data, tmp_path) / "mace.yaml").read_text())
    of_element = {int(z): float(e) for z, e in re.findall(r"(\d+): ([-\d.]+)", config["E0s"])}
    for frames in data.raw:
        total = sum(of_element[int(z)] for z in frames.atomic_numbers)
        assert total == pytest.approx(frames.energies.mean(), abs=1e-6)
    nequip = yaml.safe_load((write_for("nequip", data, tmp_path) / "nequip.yaml").read_text())
    shifts = nequip["training_module"]["model"]["per_type_energy_shifts"]
    assert shifts == pytest.approx({"H": of_element[1], "C": of_element[6], "O": of_element[8]})


def test_isolated_atoms_are_the_references(data: TrainingData, tmp_path: Path) -> None:
    atoms = {"H": -13.0, "C": -1030.0, "O": -2040.0}
    with_atoms = TrainingData(data.systems[:1], atoms)
    assert with_atoms.reference_energies == {1: -13.0, 6: -1030.0, 8: -2040.0}
    text = trainer_of("mace").write(with_atoms, tmp_path, None).remarks[0]
    assert "isolated atoms" in text


@pytest.mark.parametrize("name", ["gpumd", "hippynn"])
def test_single_precision_gets_energies_less_the_references(
    name: str, data: TrainingData, tmp_path: Path
) -> None:
    folder = write_for(name, data, tmp_path)
    if name == "gpumd":
        found = [atoms.get_potential_energy() for atoms in ase.io.read(folder / "train.xyz", ":")]
    else:
        arrays = np.load(folder / "frames.npz")
        found = arrays["E"][arrays["split_mask_train"], 0]
    expected = np.concatenate([frames.energies - references(data, frames) for frames in data.training])
    assert found == pytest.approx(expected, abs=1e-6)


def test_deepmd_draws_every_frame_of_every_system_by_its_weight(data: TrainingData, tmp_path: Path) -> None:
    training = json.loads((write_for("deepmd", data, tmp_path) / "input.json").read_text())["training"]
    given = training["training_data"]
    chances = dict(zip(given["systems"], given["sys_probs"], strict=True))
    total = float(data.weights.sum())
    assert sum(chances.values()) == pytest.approx(1)
    for system in data.systems:
        raw = np.load(tmp_path / "train" / system.label / "raw-00" / "set.000" / "force.npy")
        assert raw == pytest.approx(system.raw.forces.reshape(len(system.raw), -1))
        own = {name: p for name, p in chances.items() if name.startswith(f"train/{system.label}/augmented")}
        assert sum(own.values()) == pytest.approx(system.augmented.weights.sum() / total)
        assert chances[f"train/{system.label}/raw-00"] == pytest.approx(len(system.raw) / total)
    assert training["validation_data"]["systems"] == ["validation/one", "validation/methanol"]
    assert [path.name for path in (tmp_path / "test").iterdir()] == ["one"]


def test_hippynn_gets_missing_atoms_of_number_zero(data: TrainingData, tmp_path: Path) -> None:
    arrays = np.load(write_for("hippynn", data, tmp_path) / "frames.npz")
    of_methanol = (arrays["Z"] > 0).sum(axis=1) == 6
    assert of_methanol.sum() == 12 + 6 + 3
    assert not arrays["Z"][of_methanol, 6:].any() and not arrays["F"][of_methanol, 6:].any()
    methanol = data.systems[1]
    valid = arrays["split_mask_valid"] & of_methanol
    assert arrays["R"][valid][:, :6] == pytest.approx(methanol.validation.positions)
    assert arrays["w_E"][arrays["split_mask_train"], 0] == pytest.approx(data.weights)


def test_schnetpack_gets_energies_of_the_elements(data: TrainingData, tmp_path: Path) -> None:
    folder = write_for("schnetpack", data, tmp_path)
    database = ase.db.connect(folder / "frames.db")
    of_atoms = database.metadata["atomrefs"]["energy"]
    assert {z: of_atoms[z] for z in (1, 6, 8)} == pytest.approx(data.reference_energies)
    experiment = yaml.safe_load((folder / "experiment" / "augmented.yaml").read_text())
    assert experiment["data"]["transforms"][1]["remove_atomrefs"] is True
    assert experiment["model"]["postprocessors"][1]["add_atomrefs"] is True
    split = np.load(folder / "split.npz")
    natoms = [row.natoms for row in database.select()]
    assert {natoms[n] for n in split["val_idx"]} == {9, 6}


@pytest.mark.parametrize("name", ["gpumd", "hippynn"])
def test_molecules_beside_a_crystal_get_cells(
    name: str, molecule: TrainingData, crystal: TrainingData, tmp_path: Path
) -> None:
    both = TrainingData((*molecule.systems, *crystal.systems))
    folder = write_for(name, both, tmp_path)
    if name == "gpumd":
        images = ase.io.read(folder / "train.xyz", ":")
        cells = np.array([images[0].cell.array, images[20].cell.array])
    else:
        cells = np.load(folder / "frames.npz")["cell"][[0, 20]]
    assert cells[1] == pytest.approx(crystal.systems[0].raw.cells[0])
    assert np.linalg.norm(cells[0], axis=1).min() > 20


def test_the_readme_counts_all_systems(data: TrainingData, tmp_path: Path) -> None:
    trainer = trainer_of("extxyz")
    write_readme(tmp_path, trainer, data, trainer.write(data, tmp_path, None))
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("# 2 systems (one, methanol): raw and augmented frames for extended xyz")
    assert "32 raw training frames" in text and "16 augmented frames" in text
    assert "8 validation and 4 test frames" in text
    assert "`systems/LABEL/augmented.xyz`" in text
