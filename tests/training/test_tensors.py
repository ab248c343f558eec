"""Batches are the frames they are made of."""

import numpy as np
import torch
from ase.build import bulk

from mdaug.frames import FrameSet
from mdaug.geometry.pairs import neighbor_pairs
from mdaug.training.tensors import FrameTensors


def test_a_batch_of_molecules(make_frames, make_model):
    frames, model = make_frames(), make_model()
    chosen = [7, 2, 7]
    graph, energies, forces = FrameTensors(frames, model).batch(torch.tensor(chosen))[:3]
    assert graph.n_systems == 3 and graph.system.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert graph.species.tolist() == [2, 0, 0] * 3
    assert graph.idx_i.tolist() == [0, 0, 1, 3, 3, 4, 6, 6, 7]
    assert graph.idx_j.tolist() == [1, 2, 2, 4, 5, 5, 7, 8, 8]
    vectors = (graph.d_ij.unsqueeze(-1) * graph.unit_ij).reshape(3, 3, 3)
    positions = frames.positions[chosen]
    expected = positions[:, [1, 2, 2]] - positions[:, [0, 0, 1]]
    np.testing.assert_allclose(vectors, expected, atol=1e-14)
    np.testing.assert_allclose(energies * 0.7, frames.energies[chosen] - (-2040.0 - 26.0), atol=1e-9)
    np.testing.assert_allclose(forces.reshape(3, 3, 3) * 0.7, frames.forces[chosen], atol=1e-12)


def test_pairs_beyond_the_cutoff_are_left_out(make_frames, make_model):
    frames = make_frames(3)
    frames.positions[1, 2] += 30.0
    graph = FrameTensors(frames, make_model()).batch(torch.arange(3)).graph
    assert graph.idx_i.tolist() == [0, 0, 1, 3, 6, 6, 7]


def test_frames_of_cells_have_different_numbers_of_pairs(make_model):
    """Each frame's own cell and its own neighbors, an atom's images among them."""
    atoms = bulk("C", cubic=False)
    cells = np.stack([atoms.cell.array * scale for scale in (1.0, 1.3)])
    positions = np.stack([atoms.positions * scale for scale in (1.0, 1.3)])
    pbc = (True, True, True)
    frames = FrameSet(atoms.numbers, positions, np.zeros(2), np.zeros_like(positions), cells, pbc)
    graph = FrameTensors(frames, make_model()).batch(torch.tensor([1, 0])).graph
    first, d_ij = graph.system[graph.idx_i], graph.d_ij.numpy()
    assert (graph.idx_i == graph.idx_j).any()
    for place, n in ((0, 1), (1, 0)):
        idx_i, idx_j, shifts = neighbor_pairs(positions[n], cells[n], pbc, 4.0)
        expected = np.linalg.norm(positions[n][idx_j] - positions[n][idx_i] + shifts, axis=1)
        np.testing.assert_allclose(np.sort(d_ij[first == place]), np.sort(expected))
