"""A stretched bond that runs into something else is told, one that does not is not."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.analysis.scan import bond_scan, scan_distances

RANGE = scan_distances(0.6, 2.4, 0.1)


def _water_towards(other: Atoms, gap_A: float) -> Atoms:
    """Water whose atom 1 points along x at the first atom of `other`, so far from it."""
    water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    other = other.copy()
    other.translate([0.96 + gap_A, 0, 0] - other.positions[0])
    return water + other


def test_a_neighbour_in_the_way_is_named(morse, pair_potential) -> None:
    calculator = pair_potential(morse.energy, morse.slope)
    start = _water_towards(Atoms("Ar"), 2.5)
    with pytest.warns(UserWarning, match=r"at 1\.\d0 Å the moved atoms .* another molecule .*\(H1-Ar3\)"):
        bond_scan(calculator, start, (0, 1), RANGE)


def test_an_image_in_the_way_is_named(morse, pair_potential) -> None:
    start = _water_towards(Atoms("Ar"), 20.0)[:3]
    start.set_cell([3.4, 20, 20])
    start.pbc = True
    with pytest.warns(UserWarning, match=r"at 2\.\d0 Å the moved atoms .* or image"):
        bond_scan(pair_potential(morse.energy, morse.slope), start, (0, 1), RANGE)


@pytest.mark.parametrize("cell_A", [None, 12.0])
def test_nothing_is_told_where_nothing_is_met(morse, pair_potential, cell_A) -> None:
    """Also of a molecule that the cell's wall cuts."""
    start = molecule("CH3OH")
    if cell_A is not None:
        start.set_cell(np.eye(3) * cell_A)
        start.pbc = True
        start.positions[3] += [cell_A, -cell_A, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        bond_scan(pair_potential(morse.energy, morse.slope), start, (1, 3), RANGE)
