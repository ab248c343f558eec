"""MACE, NequIP, GPUMD, extended xyz: read back by ASE, or by rules that the trainer's source states."""

import re
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml

from mdaug.data.load import read_frames
from mdaug.data.trainers import TrainingData, trainer_of
from mdaug.errors import DataError
from tests.data.trainers.conftest import PARTS, all_training, with_parts, write_for

XYZ_PRECISION = 1e-8
"""Columns of extended xyz have eight decimals."""


@pytest.mark.parametrize("name", ["molecule", "crystal"])
def test_mace_gets_energies_forces_and_the_root_of_the_weights(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: TrainingData = request.getfixturevalue(name)
    images = ase.io.read(write_for("mace", data, tmp_path) / "train.xyz", ":")
    energies = [a.info["REF_energy"] for a in images]
    assert energies == pytest.approx(all_training(data, "energies"), abs=1e-10)
    forces = np.array([a.arrays["REF_forces"] for a in images])
    assert forces == pytest.approx(all_training(data, "forces"), abs=XYZ_PRECISION)
    assert all(a.calc is None for a in images)  # ASE would take `energy` and `forces` as results
    weights = all_training(data, "weights")
    for part in ("energy", "forces"):
        effective = [a.info.get("config_weight", 1) * a.info.get(f"config_{part}_weight", 1) for a in images]
        assert effective == pytest.approx(weights)  # losses that multiply squared errors by both
        inside = [a.info.get(f"config_{part}_weight", 1) ** 2 for a in images]
        assert inside == pytest.approx(weights)  # loss universal squares what it multiplies by the weight
    assert [a.info.get("config_type") for a in images[18:]][:4] == [
        None,
        None,
        "displacement",
        "displacement",
    ]


def test_mace_gets_stresses_of_raw_frames_only(crystal: TrainingData, tmp_path: Path) -> None:
    images = ase.io.read(write_for("mace", crystal, tmp_path) / "train.xyz", ":")
    assert crystal.systems[0].raw.stresses is not None
    assert images[3].info["REF_stress"] == pytest.approx(crystal.systems[0].raw.stresses[3], abs=1e-12)
    assert all("REF_stress" not in a.info for a in images[20:])  # its weight is then 0
    assert yaml.safe_load((tmp_path / "mace.yaml").read_text())["loss"] == "stress"
    assert "test_file" not in (tmp_path / "mace.yaml").read_text()  # there are no test frames


def test_mace_gets_reference_energies_of_the_raw_frames(molecule: TrainingData, tmp_path: Path) -> None:
    config = yaml.safe_load((write_for("mace", molecule, tmp_path) / "mace.yaml").read_text())
    references = {int(z): float(e) for z, e in re.findall(r"(\d+): ([-\d.]+)", config["E0s"])}
    total = sum(references[int(z)] for z in molecule.systems[0].raw.atomic_numbers)
    assert total == pytest.approx(molecule.systems[0].raw.energies.mean())
    for key, frames in (("train_file", 30), ("valid_file", 5), ("test_file", 4)):
        assert len(ase.io.read(tmp_path / config[key], ":")) == frames


def test_nequip_draws_frames_by_weight(molecule: TrainingData, tmp_path: Path) -> None:
    images = ase.io.read(write_for("nequip", molecule, tmp_path) / "train.xyz", ":")
    energies = [a.get_potential_energy() for a in images]
    assert energies == pytest.approx(all_training(molecule, "energies"), abs=1e-10)
    forces = np.array([a.get_forces() for a in images])
    assert forces == pytest.approx(all_training(molecule, "forces"), abs=XYZ_PRECISION)
    config = yaml.safe_load((tmp_path / "nequip.yaml").read_text())
    sampler = config["data"]["train_dataloader"]["sampler"]
    assert sampler["_target_"] == "torch.utils.data.WeightedRandomSampler"
    assert sampler["num_samples"] == len(images)
    assert "shuffle" not in config["data"]["train_dataloader"]  # PyTorch refuses it beside a sampler
    weights = np.loadtxt(tmp_path / sampler["weights"]["fname"])
    assert weights == pytest.approx(molecule.weights)
    assert config["model_type_names"] == ["H", "C", "O"]


@pytest.mark.parametrize("symbol", ["No", "Y", "N"])
def test_elements_whose_symbols_are_words_of_yaml_stay_symbols(
    symbol: str, molecule: TrainingData, tmp_path: Path
) -> None:
    numbers = np.where(molecule.systems[0].raw.atomic_numbers == 8, ase.data.atomic_numbers[symbol], 6)
    parts = {key: replace(getattr(molecule.systems[0], key), atomic_numbers=numbers) for key in PARTS}
    write_for("nequip", with_parts(molecule, **parts), tmp_path)
    assert symbol in yaml.safe_load((tmp_path / "nequip.yaml").read_text())["model_type_names"]


def nep_structures(path: Path) -> list[dict]:
    """Read train.xyz by the rules of GPUMD's src/main_nep/structure.cu."""
    lines = path.read_text().splitlines()
    structures, n = [], 0
    while n < len(lines):
        n_atoms, comment = int(lines[n]), lines[n + 1].lower()
        words = dict(re.findall(r'(?:^|\s)([\w-]+)=("[^"]*"|\S+)', comment))
        numbers = {
            k: np.array(words[k].strip('"').split(), float) for k in ("lattice", "virial") if k in words
        }
        columns, offset = {}, 0
        for name, _, width in re.findall(r"(\w+):(\w):(\d+)", words["properties"]):
            columns[name] = slice(offset, offset + int(width))
            offset += int(width)
        rows = [line.split() for line in lines[n + 2 : n + 2 + n_atoms]]
        force = columns.get("force") or columns["forces"]
        structures.append(
            {
                "energy": float(words["energy"]),
                "weight": float(words.get("weight", 1)),
                "forces": np.array([row[force] for row in rows], float),
                "positions": np.array([row[columns["pos"]] for row in rows], float),
                **numbers,
            }
        )
        n += 2 + n_atoms
    return structures


def test_nep_gets_the_root_of_the_weights_and_a_lattice(molecule: TrainingData, tmp_path: Path) -> None:
    structures = nep_structures(write_for("gpumd", molecule, tmp_path) / "train.xyz")
    # src/main_nep/dataset.cu: weight · weight · squared error
    assert [s["weight"] ** 2 for s in structures] == pytest.approx(all_training(molecule, "weights"))
    energies = np.array([s["energy"] for s in structures]) + molecule.systems[0].raw.energies.mean()
    assert energies == pytest.approx(all_training(molecule, "energies"), abs=1e-9)
    forces = np.array([s["forces"] for s in structures])
    assert forces == pytest.approx(all_training(molecule, "forces"), abs=XYZ_PRECISION)
    cutoff = 8.0
    for structure in structures:
        cell, positions = structure["lattice"].reshape(3, 3), structure["positions"]
        vectors = positions[:, None] - positions
        fractional = vectors @ np.linalg.inv(cell)
        assert np.abs(fractional).max() < 0.5  # no image of an atom is nearer than the atom
        images = (fractional[..., None, :] + np.eye(3)) @ cell
        assert np.linalg.norm(images, axis=-1).min() > cutoff
    assert (tmp_path / "nep.in").read_text().splitlines() == ["version 4", "type 3 H C O"]


def test_nep_gets_virials_of_raw_frames_only(crystal: TrainingData, tmp_path: Path) -> None:
    structures = nep_structures(write_for("gpumd", crystal, tmp_path) / "train.xyz")
    assert crystal.systems[0].raw.cells is not None and crystal.systems[0].raw.stresses is not None
    volume = abs(np.linalg.det(crystal.systems[0].raw.cells[2]))
    assert structures[2]["virial"].reshape(3, 3) == pytest.approx(
        -volume * crystal.systems[0].raw.stresses[2], abs=1e-10
    )
    assert structures[2]["lattice"].reshape(3, 3) == pytest.approx(crystal.systems[0].raw.cells[2])
    assert all("virial" not in structure for structure in structures[20:])


def test_nep_refuses_weights_that_it_cannot_read(molecule: TrainingData, tmp_path: Path) -> None:
    heavy = replace(molecule.systems[0].augmented, weights=np.full(10, 2e4))
    with pytest.raises(DataError, match=r"weight 20000 .* --weight"):
        write_for("gpumd", with_parts(molecule, augmented=heavy), tmp_path)


def test_extended_xyz_comes_back_with_its_weights(molecule: TrainingData, tmp_path: Path) -> None:
    back = read_frames(write_for("extxyz", molecule, tmp_path) / "train.xyz").frames
    assert back.weights == pytest.approx(molecule.weights)
    assert back.energies == pytest.approx(all_training(molecule, "energies"), abs=1e-9)


@pytest.mark.parametrize("name", ["mace", "nequip", "gpumd", "extxyz"])
def test_only_files_that_the_trainer_lists_are_written(
    name: str, molecule: TrainingData, tmp_path: Path
) -> None:
    written = {path.name for path in write_for(name, molecule, tmp_path).iterdir()}
    assert written == set(trainer_of(name).files)
