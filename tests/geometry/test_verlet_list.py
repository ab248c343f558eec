"""Pairs of moving atoms against fresh searches."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from mdaug.calculators import MDAugCalculator
from mdaug.geometry.pairs import neighbor_pairs
from mdaug.geometry.verlet_list import ALL_PAIRS_ATOMS, PairList, spatial_order

NO, ALL = (False, False, False), (True, True, True)


def make(skin=1.0, cutoff=4.0):
    return PairList(cutoff, skin, torch.device("cpu"))


def as_set(pairs, positions):
    """Pairs as rounded distances with their ends, in whichever order they are listed."""
    idx_i, idx_j, shifts = (np.asarray(p) for p in pairs)
    distances = np.linalg.norm(positions[idx_j] - positions[idx_i] + shifts, axis=1)
    ends = np.sort(np.stack([idx_i, idx_j], axis=1), axis=1)
    return sorted((*map(int, pair), round(float(d), 8)) for pair, d in zip(ends, distances, strict=True))


def test_small_molecules_have_all_pairs_once():
    pair_list = make()
    positions = np.random.default_rng(0).uniform(0, 50, (6, 3))
    idx_i, idx_j, shifts = pair_list.pairs(positions, None, NO)
    assert len(idx_i) == 15 and (idx_i < idx_j).all() and not shifts.any()
    pair_list.pairs(positions + 1, None, NO)
    assert pair_list.n_searches == 1
    assert len(pair_list.pairs(positions[:4], None, NO)[0]) == 6


def test_large_molecules_are_searched():
    positions = np.random.default_rng(0).uniform(0, 15, (ALL_PAIRS_ATOMS + 20, 3))
    found = make().pairs(positions, None, NO)
    assert as_set(found, positions) == as_set(neighbor_pairs(positions, None, NO, 4.0), positions)


@pytest.mark.parametrize("skin", [0.0, 0.6])
def test_pairs_are_those_of_a_fresh_search_while_atoms_move(skin):
    atoms = bulk("Si", cubic=True)
    pair_list, positions, cell = make(skin), atoms.positions.copy(), atoms.cell.array.copy()
    rng = np.random.default_rng(1)
    for step in range(20):
        positions = positions + 0.06 * rng.standard_normal(positions.shape)
        if step == 12:
            cell = cell * 1.02
        found = pair_list.pairs(positions, cell, ALL)
        assert as_set(found, positions) == as_set(neighbor_pairs(positions, cell, ALL, 4.0), positions)
    assert pair_list.n_searches == 20 if skin == 0 else 2 <= pair_list.n_searches < 15


def test_searched_again_only_when_needed():
    atoms = bulk("Si", cubic=True)
    pair_list, positions, cell = make(1.0), atoms.positions, atoms.cell.array
    pair_list.pairs(positions, cell, ALL)
    moved = positions.copy()
    moved[3, 1] += 0.499
    pair_list.pairs(moved, cell, ALL)
    assert pair_list.n_searches == 1
    moved[3, 1] += 0.002
    pair_list.pairs(moved, cell, ALL)
    assert pair_list.n_searches == 2
    pair_list.pairs(moved, cell * 1.0000001, ALL)
    pair_list.pairs(moved, cell * 1.0000001, (True, True, False))
    assert pair_list.n_searches == 4


def test_from_molecule_to_cell_and_back():
    atoms = bulk("Si", cubic=True)
    pair_list = make()
    for _ in range(2):
        periodic = pair_list.pairs(atoms.positions, atoms.cell.array, ALL)
        molecular = pair_list.pairs(atoms.positions, None, NO)
        assert len(molecular[0]) == 28 and len(periodic[0]) > 28


CELL = np.array([[16.0, 0.0, 0.0], [3.0, 15.0, 0.0], [-2.0, 1.0, 17.0]])


@pytest.fixture
def positions() -> np.ndarray:
    """Atoms at random, some of them outside the cell."""
    return np.random.default_rng(0).uniform(-0.3, 1.2, (300, 3)) @ CELL


@pytest.mark.parametrize("cell", [None, CELL], ids=["molecule", "box"])
def test_every_atom_once_and_bin_by_bin(positions, cell):
    order = spatial_order(positions, cell, 4.0)
    assert sorted(order) == list(range(300))
    places = positions if cell is None else positions @ np.linalg.inv(cell) % 1.0 @ cell
    steps = np.linalg.norm(np.diff(places[order], axis=0), axis=1)
    assert np.median(steps) < 0.7 * np.median(np.linalg.norm(np.diff(places, axis=0), axis=1))


def test_atoms_of_one_bin_keep_their_order():
    positions = np.random.default_rng(0).uniform(0, 3.9, (20, 3))
    assert spatial_order(positions, 4.0 * np.eye(3), 4.0).tolist() == list(range(20))


def test_corners_of_a_block_are_on_the_curve():
    """Z order: x changes first, then y, then z."""
    positions = np.array([[z, y, x] for x in (1.0, 5.0) for y in (1.0, 5.0) for z in (1.0, 5.0)])
    shuffled = np.random.default_rng(1).permutation(8)
    order = spatial_order(positions[shuffled], 8.0 * np.eye(3), 4.0)
    assert shuffled[order].tolist() == list(range(8))


def test_sorted_pairs_are_those_of_the_sorted_atoms(positions):
    pair_list = PairList(4.0, 0.5, torch.device("cpu"), sort=True)
    idx_i, idx_j, shifts = (np.asarray(p) for p in pair_list.pairs(positions, CELL, (True,) * 3))
    order = pair_list.order
    there = set(zip(*_ends(order[idx_i], order[idx_j]), strict=True))
    found = neighbor_pairs(positions, CELL, (True,) * 3, 4.0)
    assert there == set(zip(*_ends(*found[:2]), strict=True))
    assert len(idx_i) == len(found[0])
    r_ij = positions[order][idx_j] - positions[order][idx_i] + shifts
    assert np.linalg.norm(r_ij, axis=1).max() < 4.0


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_energies_and_forces_are_those_of_unsorted_atoms(model_path, positions, evaluator):
    rng = np.random.default_rng(3)
    atoms = Atoms(rng.choice([1, 6, 8], 300), positions, cell=CELL, pbc=True)
    plain, ordered = (MDAugCalculator(model_path, evaluator=evaluator) for _ in range(2))
    plain._pair_list.sort = False
    for _ in range(3):
        values = [_values(atoms, calculator) for calculator in (plain, ordered)]
        for unsorted, found in zip(*values, strict=True):
            np.testing.assert_allclose(found, unsorted, rtol=0, atol=1e-10 * np.abs(unsorted).max())
        atoms.positions += 0.4 * rng.standard_normal(positions.shape)
    assert ordered._pair_list.order is not None
    assert ordered._pair_list.n_searches == 3


def _values(atoms: Atoms, calculator: MDAugCalculator) -> list[np.ndarray]:
    names = ("energy", "forces", "energies", "stress")
    return [np.asarray(calculator.get_property(name, atoms)) for name in names]


def _ends(idx_i, idx_j):
    return np.minimum(idx_i, idx_j).tolist(), np.maximum(idx_i, idx_j).tolist()
