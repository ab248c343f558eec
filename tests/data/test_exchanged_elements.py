"""Frames with exchanged elements are no system of their own; isomers with the same order of atoms are."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from mdaug.data import load_systems
from mdaug.data.exchanged_elements import refuse_exchanged_elements
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from tests.force_fields import frames_near


def exchanged(frames: FrameSet, i: int, j: int, parts: slice) -> FrameSet:
    numbers = frames.atomic_numbers.copy()
    numbers[[i, j]] = numbers[[j, i]]
    return replace(frames.select(parts), atomic_numbers=numbers)


def with_other_elements(atoms: Atoms, i: int, j: int, lengths: dict[tuple[int, int], float]) -> Atoms:
    """Return an isomer with the elements of two atoms exchanged, and with lengths of its own."""
    isomer = atoms.copy()
    isomer.numbers[[i, j]] = isomer.numbers[[j, i]]
    for (fixed, moved), length in lengths.items():
        isomer.set_distance(fixed, moved, length, fix=0)
    return isomer


@pytest.mark.parametrize(
    ("name", "i", "j"),
    [
        ("CH3CH2OH", 1, 2),
        ("CH3CH2OH", 0, 5),
        ("CH3SH", 0, 1),
        ("H3CNH2", 0, 1),
        ("CH3CN", 0, 2),
        ("CH3CONH2", 2, 3),
    ],
)
@pytest.mark.parametrize("n_few", [10, 50])
def test_frames_with_exchanged_elements_are_refused(name, i, j, n_few):
    frames = frames_near(molecule(name), 120)
    few = exchanged(frames, i, j, slice(0, n_few))
    symbols = [molecule(name).symbols[a] for a in (j, i)]
    with pytest.raises(DataError, match=f"atoms {symbols[0]}{i}, {symbols[1]}{j} are where the") as error:
        refuse_exchanged_elements([few, frames.select(slice(n_few, None))])
    assert "frames 0, 1" in str(error.value) and "correct these frames" in str(error.value)


def test_a_file_that_lists_elements_in_two_orders_names_the_frames(tmp_path):
    frames = frames_near(molecule("CH3CH2OH"), 40)
    images = [Atoms(frames.atomic_numbers, positions) for positions in frames.positions]
    for image in images:
        image.info["energy"], image.arrays["forces"] = 0.0, np.zeros((9, 3))
    for number in range(3, 30, 3):
        images[number].numbers[[0, 3]] = images[number].numbers[[3, 0]]
    write(tmp_path / "mixed.xyz", images, format="extxyz")
    with pytest.raises(
        DataError, match=r"in frames 3, 6, .* \(9 in all\) atoms H0, C3 are where the other 31 frames have"
    ):
        load_systems(tmp_path / "mixed.xyz", units="eV")


@pytest.mark.parametrize(
    ("one", "other"),
    [("HCN", "HNC"), ("CH3CN", "CH3NC"), ("H3CNH2", "H2CNH3"), ("CH3CH2OH", "CH3OCH3"), ("HOCl", "HClO")],
)
def test_isomers_are_systems(one, other):
    structures = {
        "HCN": Atoms("HCN", [[0, 0, -1.07], [0, 0, 0], [0, 0, 1.16]]),
        "HNC": Atoms("HNC", [[0, 0, -1.0], [0, 0, 0], [0, 0, 1.17]]),
        "HOCl": Atoms("HOCl", [[0, 0.94, -0.2], [0, 0, 0], [0, 0, 1.69]]),
        "HClO": Atoms("HClO", [[0, 1.28, -0.2], [0, 0, 0], [0, 0, 1.57]]),
    }
    structures["CH3NC"] = with_other_elements(molecule("CH3CN"), 1, 2, {(0, 1): 1.42, (1, 2): 1.17})
    to_hydrogen = {(0, k): 1.02 for k in (2, 5, 6)} | {(1, k): 1.08 for k in (3, 4)}
    structures["H2CNH3"] = with_other_elements(molecule("H3CNH2"), 0, 1, to_hydrogen)
    frames = [frames_near(structures.get(name) or molecule(name), 50) for name in (one, other)]
    refuse_exchanged_elements(frames)


def test_the_same_atoms_in_another_order_are_not_concerned():
    """Positions follow the order of the atoms there; the loader refuses such frames by their bonds."""
    atoms = molecule("CH3CH2OH")
    refuse_exchanged_elements([frames_near(atoms, 50), frames_near(atoms[[2, 1, 0, 3, 4, 5, 6, 7, 8]], 20)])
