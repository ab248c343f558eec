"""What is written is read back, by us and by ASE."""

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.data.write import write_npz
from mdaug.frames import FrameSet


@pytest.fixture
def labeled(ethanol: FrameSet) -> FrameSet:
    """Frames with all that a FrameSet can say."""
    some = ethanol.select(slice(0, 25))
    info = {
        "parent": np.arange(25) // 5,
        "rule": np.array(["gradient"] * 25),
        "displacement": np.random.default_rng(0).normal(size=(25, 9, 3)).round(6),
    }
    records = {"charge": 0.0, "multiplicity": 1, "temperature_K": 450.0}
    of_atoms = frozenset({"displacement"})
    return replace(some, group=np.arange(25) // 5, info=info, of_atoms=of_atoms, **records)


def test_extxyz_comes_back_whole(labeled: FrameSet, tmp_path: Path) -> None:
    write_extxyz(labeled, tmp_path / "f.xyz")
    back = load_frames(tmp_path / "f.xyz")
    for key in ("positions", "energies", "forces"):
        assert getattr(back, key) == pytest.approx(getattr(labeled, key), abs=1e-8)
    for key in ("temperature_K", "level_of_theory", "charge", "multiplicity"):
        assert getattr(back, key) == getattr(labeled, key)
    assert back.group.tolist() == labeled.group.tolist()
    assert back.info["parent"].tolist() == labeled.info["parent"].tolist()
    assert back.info["rule"].tolist() == labeled.info["rule"].tolist()
    assert back.info["displacement"] == pytest.approx(labeled.info["displacement"], abs=1e-8)


def test_a_vector_of_a_frame_with_as_many_numbers_as_atoms_is_none_of_the_atoms(labeled, tmp_path) -> None:
    """Such as the dipole of water; a column would give each atom one of its components."""
    vectors = np.random.default_rng(1).normal(size=(25, 9)).round(6)
    frames = replace(labeled, info={"polarizability": vectors, "shifts": 2 * vectors}, of_atoms={"shifts"})
    for _ in range(2):  # also of what was read
        write_extxyz(frames, tmp_path / "f.xyz")
        frames = load_frames(tmp_path / "f.xyz")
        atoms = ase.io.read(tmp_path / "f.xyz", index=3)
        assert atoms.info["polarizability"] == pytest.approx(vectors[3])
        assert atoms.arrays["shifts"] == pytest.approx(2 * vectors[3])
        assert frames.info["polarizability"] == pytest.approx(vectors)


def test_ase_reads_energies_and_forces(labeled: FrameSet, tmp_path: Path) -> None:
    write_extxyz(labeled, tmp_path / "f.xyz")
    atoms = ase.io.read(tmp_path / "f.xyz", index=3)
    assert atoms.get_potential_energy() == pytest.approx(labeled.energies[3], abs=1e-9)
    assert atoms.get_forces() == pytest.approx(labeled.forces[3], abs=1e-8)
    assert atoms.info["group"] == 0


def test_stresses_in_some_files_only_are_left_out(chain: FrameSet, tmp_path: Path) -> None:
    half = len(chain) // 2
    write_extxyz(chain.select(slice(0, half)), tmp_path / "1.xyz")
    write_extxyz(replace(chain.select(slice(half, None)), stresses=None), tmp_path / "2.xyz")
    with pytest.warns(UserWarning, match="only 1 of 2 files have stresses, which are not used"):
        frames = load_frames(tmp_path)
    assert (len(frames), frames.stresses) == (len(chain), None)


def test_cells_and_stresses_come_back(chain: FrameSet, tmp_path: Path) -> None:
    write_extxyz(chain, tmp_path / "c.xyz")
    back = load_frames(tmp_path / "c.xyz")
    assert back.pbc == (True, True, True)
    assert back.cells == pytest.approx(chain.cells)
    assert back.stresses == pytest.approx(chain.stresses)


@pytest.mark.parametrize("name", ["labeled", "chain"])
def test_npz_comes_back_exactly(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    frames = request.getfixturevalue(name)
    write_npz(frames, tmp_path / "f.npz", {"seed": 3})
    back = load_frames(tmp_path / "f.npz")
    for key in ("positions", "energies", "forces", "group", "cells"):
        assert np.array_equal(getattr(back, key), getattr(frames, key)), key
    assert (back.pbc, back.temperature_K, back.charge) == (frames.pbc, frames.temperature_K, frames.charge)
