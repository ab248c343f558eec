"""Pairs of moving atoms against fresh searches."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from mdaug.geometry.pairs import neighbor_pairs
from mdaug.geometry.verlet_list import ALL_PAIRS_ATOMS, PairList

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
