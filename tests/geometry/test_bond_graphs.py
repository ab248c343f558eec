"""Bond graphs frame by frame, of molecules and of cells."""

import numpy as np

from mdaug.data import load_frames
from mdaug.frames import FrameSet
from mdaug.geometry.bond_graphs import frame_bond_graphs


def _frames(numbers: list[int], positions: np.ndarray, cell: float | None = None) -> FrameSet:
    n_frames = len(positions)
    cells = None if cell is None else np.repeat(cell * np.eye(3)[None], n_frames, axis=0)
    periodic = cell is not None
    return FrameSet(
        np.array(numbers),
        positions,
        np.zeros(n_frames),
        np.zeros_like(positions),
        cells=cells,
        pbc=(periodic,) * 3,
    )


def _proton_transfer() -> np.ndarray:
    """O-H…O along x: the proton is at the first oxygen in frame 0, in the middle in 1, at the second in 2."""
    positions = np.zeros((3, 3, 3))
    positions[:, 1, 0] = [1.0, 1.2, 1.4]
    positions[:, 2, 0] = 2.4
    return positions


def test_a_proton_that_moves_changes_the_graph() -> None:
    graphs = frame_bond_graphs(_frames([8, 1, 8], _proton_transfer()))
    assert graphs.pairs.tolist() == [[0, 1], [1, 2]]
    assert graphs.present.tolist() == [[True, False], [True, True], [False, True]]
    assert graphs.bonds(2).tolist() == [[1, 2]]
    assert graphs.occurrence.tolist() == [2 / 3, 2 / 3]


def test_bonds_reach_through_the_faces_of_a_cell() -> None:
    moved = (_proton_transfer() + np.array([8.7, 1.0, 1.0])) % 9.0
    across = frame_bond_graphs(_frames([8, 1, 8], moved, cell=9.0))
    assert across.present.tolist() == [[True, False], [True, True], [False, True]]
    assert not frame_bond_graphs(_frames([8, 1, 8], moved)).present[:, 0].all()


def test_ethanol_has_eight_bonds_in_every_frame() -> None:
    graphs = frame_bond_graphs(load_frames("ethanol"))
    assert graphs.present.shape == (1000, 8)
    assert graphs.present.all()


def test_one_atom_has_no_bond() -> None:
    assert frame_bond_graphs(_frames([18], np.zeros((2, 1, 3)))).present.shape == (2, 0)


def test_the_atoms_of_hydrogen_molecules_are_bonded() -> None:
    """Their bond is longer than the sum of their covalent radii; 0.85 Å is a vibration at 1000 K."""
    positions = np.array([[[0.0, 0, 0], [0, 0, length]] for length in (0.66, 0.74, 0.85)])
    for cell in (None, 10.0):
        assert frame_bond_graphs(_frames([1, 1], positions, cell)).present.tolist() == [[True]] * 3
