"""SchNetPack, DeePMD-kit, hippynn: read back with ASE and numpy, as the trainers' sources read them."""

import json
from dataclasses import replace
from pathlib import Path

import ase.db
import numpy as np
import pytest
import yaml

from mdaug.data.trainers import TrainingData
from mdaug.data.trainers.repetition import occurrences
from tests.data.trainers.conftest import PARTS, all_training, with_parts, write_for


def test_schnetpack_gets_a_database_with_its_metadata(molecule: TrainingData, tmp_path: Path) -> None:
    database = ase.db.connect(write_for("schnetpack", molecule, tmp_path) / "frames.db")
    assert database.metadata["_distance_unit"] == "Ang"
    assert database.metadata["_property_unit_dict"] == {"energy": "eV", "forces": "eV/Ang"}
    rows = list(database.select())
    assert len(rows) == 20 + 10 + 5 + 4
    energies = np.array([row.data["energy"] for row in rows])
    assert energies.shape == (39, 1)  # SchNetPack makes a tensor of it
    assert energies[:30, 0] == pytest.approx(all_training(molecule, "energies"), abs=1e-12)
    assert np.array([row.data["forces"] for row in rows[30:35]]) == pytest.approx(
        molecule.systems[0].validation.forces
    )


def test_schnetpack_repeats_frames_by_their_weights(molecule: TrainingData, tmp_path: Path) -> None:
    folder = write_for("schnetpack", molecule, tmp_path)
    split = np.load(folder / "split.npz")
    counts = np.bincount(split["train_idx"], minlength=39)
    assert counts[:20].tolist() == [50] * 20
    assert counts[20:30].sum() == round(50 * molecule.systems[0].augmented.weights.sum())
    assert counts[20] == 1 and counts[27] == 0  # weights 0.02 and 4e-5
    assert (split["val_idx"].tolist(), split["test_idx"].tolist()) == ([*range(30, 35)], [*range(35, 39)])
    data = yaml.safe_load((folder / "experiment" / "augmented.yaml").read_text())["data"]
    assert data["num_train"] == len(split["train_idx"])


def test_number_of_repetitions_can_be_set(molecule: TrainingData, tmp_path: Path) -> None:
    split = np.load(write_for("schnetpack", molecule, tmp_path, repeats=1000) / "split.npz")
    counts = np.bincount(split["train_idx"], minlength=39)
    assert counts[0] == 1000
    assert counts[20:30] == pytest.approx(1000 * molecule.systems[0].augmented.weights, abs=1)


def test_labels_of_hardly_any_weight_do_not_blow_up_the_epochs(
    molecule: TrainingData, tmp_path: Path
) -> None:
    light = replace(molecule.systems[0].augmented, weights=molecule.systems[0].augmented.weights * 0.002)
    split = np.load(write_for("schnetpack", with_parts(molecule, augmented=light), tmp_path) / "split.npz")
    assert np.bincount(split["train_idx"])[0] == 200


def test_repetitions_keep_the_sum_of_the_weights() -> None:
    weights = np.random.default_rng(0).uniform(0, 0.02, 1000)
    counts = occurrences(weights, 50)
    assert counts.min() == 0 and counts.max() == 1
    partial = np.cumsum(counts) - np.cumsum(weights * 50)
    assert np.abs(partial).max() <= 0.5 + 1e-6
    assert occurrences(np.full(3, 0.02), 50).tolist() == [1, 1, 1]


def read_system(folder: Path) -> dict[str, np.ndarray]:
    """Read a system of DeePMD-kit."""
    names = (folder / "type_map.raw").read_text().split()
    types = np.loadtxt(folder / "type.raw", dtype=int)
    arrays = {path.stem: np.load(path) for path in (folder / "set.000").glob("*.npy")}
    return arrays | {"symbols": np.array(names)[types]}


def test_deepmd_draws_every_frame_by_its_weight(molecule: TrainingData, tmp_path: Path) -> None:
    training = json.loads((write_for("deepmd", molecule, tmp_path) / "input.json").read_text())["training"]
    systems, probabilities = (training["training_data"][key] for key in ("systems", "sys_probs"))
    assert sum(probabilities) == pytest.approx(1)
    energies, per_frame = [], []
    for name, probability in zip(systems, probabilities, strict=True):
        system = read_system(tmp_path / name)
        assert (tmp_path / name / "nopbc").exists()
        assert system["symbols"].tolist() == ["C", "C", "O", "H", "H", "H", "H", "H", "H"]
        assert system["coord"].shape == system["force"].shape == (len(system["energy"]), 27)
        energies.extend(system["energy"])
        per_frame.extend([probability / len(system["energy"])] * len(system["energy"]))
    order = np.argsort(energies)
    expected_order = np.argsort(all_training(molecule, "energies"))
    expected = all_training(molecule, "energies")[expected_order]
    assert np.array(energies)[order] == pytest.approx(expected, abs=1e-12)
    weights = np.array(per_frame)[order] / probabilities[0] * 20  # in units of a raw frame's
    ratio = weights / molecule.weights[expected_order]
    assert ratio.min() > 0.5 and ratio.max() < 2  # frames of a system count alike
    assert weights.sum() == pytest.approx(molecule.weights.sum())


def test_deepmd_gets_boxes_and_virials(crystal: TrainingData, tmp_path: Path) -> None:
    raw = read_system(write_for("deepmd", crystal, tmp_path) / "train" / "raw-00")
    assert crystal.systems[0].raw.cells is not None and crystal.systems[0].raw.stresses is not None
    assert raw["box"] == pytest.approx(crystal.systems[0].raw.cells.reshape(20, 9))
    volumes = np.abs(np.linalg.det(crystal.systems[0].raw.cells))[:, None]
    assert raw["virial"] == pytest.approx(-crystal.systems[0].raw.stresses.reshape(20, 9) * volumes)
    augmented = read_system(tmp_path / "train" / "augmented-00")
    assert "virial" not in augmented and "box" in augmented
    assert not (tmp_path / "train" / "raw-00" / "nopbc").exists()
    assert not (tmp_path / "test").exists()


def test_slabs_get_vacuum_in_their_open_direction(crystal: TrainingData, tmp_path: Path) -> None:
    slab = with_parts(
        crystal, **{key: replace(getattr(crystal.systems[0], key), pbc=(True, True, False)) for key in PARTS}
    )
    box = read_system(write_for("deepmd", slab, tmp_path) / "train" / "raw-00")["box"]
    assert crystal.systems[0].raw.cells is not None
    assert box.reshape(20, 3, 3)[:, :2] == pytest.approx(crystal.systems[0].raw.cells[:, :2])
    height = np.abs(box.reshape(20, 3, 3)[:, 2, 2])
    assert np.all(height > 2 * np.ptp(crystal.systems[0].raw.positions[..., 2], axis=1) + 10)


@pytest.mark.parametrize("name", ["molecule", "crystal"])
def test_hippynn_gets_arrays_with_weights_and_masks(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: TrainingData = request.getfixturevalue(name)
    arrays = np.load(write_for("hippynn", data, tmp_path) / "frames.npz")
    train = arrays["split_mask_train"]
    assert arrays["w_E"][train][:, 0] == pytest.approx(data.weights)
    assert arrays["w_F"][train].shape == (30, data.raw[0].n_atoms, 1)
    assert arrays["w_F"][train][:, 3, 0] == pytest.approx(data.weights)
    assert np.all(arrays["w_E"][~train] == 1)
    energies = arrays["E"][train][:, 0] + data.raw[0].energies.mean()
    assert energies == pytest.approx(all_training(data, "energies"), abs=1e-9)
    assert arrays["F"][train] == pytest.approx(all_training(data, "forces"))
    assert arrays["R"][arrays["split_mask_valid"]] == pytest.approx(data.validation[0].positions)
    assert ("cell" in arrays) == (name == "crystal")
    assert ("split_mask_test" in arrays) == (name == "molecule")
    compile((tmp_path / "train.py").read_text(), "train.py", "exec")
