"""Default numbers of augmented frames, by the size of the molecule."""

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.augmentation.generate import with_numbers
from mdaug.augmentation.numbers import MOST_TOGETHER, augmented_numbers, numbers_together
from mdaug.augmentation.options import AugmentOptions
from mdaug.data import load_frames
from tests.force_fields import frames_near


def test_ethanol_has_the_numbers_with_which_it_was_tested() -> None:
    made = augmented_numbers(load_frames("ethanol").select(slice(0, 100)), 850)
    assert made[:4] == (200, 500, 400, True)
    assert made.reason == "9 atoms, 8 bonds outside rings: 22 and 44 an atom, 62 a bond"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("HCl", (40, 60, 90)), ("C6H6", (260, 370, 530)), ("trans-butane", (310, 810, 620))],
)
def test_numbers_follow_atoms_and_bonds(name: str, expected: tuple[int, int, int]) -> None:
    """Bonds of rings are not stretched."""
    assert augmented_numbers(frames_near(molecule(name)), 850)[:3] == expected


def test_crystals_have_fixed_numbers_and_no_stretches() -> None:
    silicon = load_frames(Path(__file__).parents[1] / "data" / "silicon.npz").select(slice(0, 20))
    made = augmented_numbers(silicon, 20)
    assert made[:4] == (200, 0, 400, False)


def test_liquids_have_fixed_numbers_and_are_compared_with_and_without() -> None:
    waters = Atoms()
    for n in range(8):
        water = molecule("H2O")
        water.translate([6.0 * n, 0.0, 0.0])
        waters += water
    made = augmented_numbers(frames_near(waters), 20)
    assert made[:4] == (200, 500, 400, True)
    assert made.reason == "trainings with and without augmented frames are compared"


def test_many_atoms_without_bonds_have_no_stretches() -> None:
    argon = Atoms("Ar8", positions=[[4.0 * n, 0.0, 0.0] for n in range(8)])
    assert augmented_numbers(frames_near(argon), 20)[:4] == (200, 0, 400, True)


def test_numbers_that_are_set_stay() -> None:
    frames = load_frames("ethanol").select(slice(0, 50))
    numbers = augmented_numbers(frames, len(frames))
    options = with_numbers(AugmentOptions(n_frames=7, n_impulses=0), numbers)
    assert (options.n_frames, options.n_stretched, options.n_impulses) == (7, 500, 0)
    every = AugmentOptions(n_frames=1, n_stretched=2, n_impulses=3)
    assert with_numbers(every, numbers) == every


def test_large_molecules_have_at_most_five_for_each_raw_frame() -> None:
    frames = frames_near(molecule("C6H6"))
    few, many = (augmented_numbers(frames, n_raw) for n_raw in (100, 228))
    assert sum(few[:3]) == pytest.approx(1100, abs=15)
    assert few.reason.endswith(", of these 0.95: 1100 in all")
    assert sum(many[:3]) == pytest.approx(5 * 228, abs=15)
    assert augmented_numbers(frames, 850).reason.endswith("62 a bond")


def test_many_systems_share_a_most_number() -> None:
    few = load_frames("ethanol").select(slice(0, 10))
    assert numbers_together([few] * 3) == [augmented_numbers(few, 10)] * 3
    made = sum(sum(numbers[:3]) for numbers in numbers_together([few] * 40))
    assert 40 * 10 + made == pytest.approx(MOST_TOGETHER, rel=0.01)
