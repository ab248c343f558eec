import warnings

import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cell import Cell
from ase.geometry import get_distances

from mdaug.geometry.bonds import find_bonds
from mdaug.md.trajectory import DcdTrajectory, write_topology


def open_universe(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(str(folder / "topology.pdb"), str(folder / "trajectory.dcd"))
        frames = [(step.time, step.positions.copy(), step.dimensions) for step in universe.trajectory]
    return universe, frames


def write(folder, atoms: Atoms, n_frames: int, *, steps_per_frame=20, timestep_fs=0.5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    frames = [atoms.positions + 0.1 * rng.standard_normal(atoms.positions.shape) for _ in range(n_frames)]
    write_topology(folder / "topology.pdb", atoms, find_bonds(atoms))
    with DcdTrajectory(folder / "trajectory.dcd", atoms, steps_per_frame, timestep_fs) as trajectory:
        for positions in frames:
            trajectory.write(positions)
    return frames


@pytest.mark.parametrize("boxed", [False, True])
def test_molecule_has_true_times_no_cell_and_its_bonds(ethanol, tmp_path, boxed) -> None:
    if boxed:  # a box that is not periodic, as some readers give every molecule, is no cell
        ethanol.set_cell([20.0, 20.0, 20.0])
    written = write(tmp_path, ethanol, 5)
    universe, frames = open_universe(tmp_path)
    assert [time for time, _, _ in frames] == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04], abs=1e-8)
    assert universe.trajectory.dt == pytest.approx(0.01, rel=1e-7)
    for (_, positions, dimensions), expected in zip(frames, written, strict=True):
        assert dimensions is None
        assert np.abs(positions - expected).max() < 1e-6
    assert list(universe.atoms.elements) == list(ethanol.symbols)
    assert len(set(universe.atoms.names)) == 9
    assert len(universe.bonds) == 8


@pytest.mark.parametrize("turned", [False, True])
def test_periodic_cell_is_the_real_one(tmp_path, turned) -> None:
    atoms = bulk("Si") * (2, 2, 1)
    atoms.set_cell(Cell.fromcellpar([8.0, 9.0, 10.0, 70.0, 80.0, 100.0]), scale_atoms=True)
    if turned:
        atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    written = write(tmp_path, atoms, 3)
    universe, frames = open_universe(tmp_path)
    for (_, positions, dimensions), expected in zip(frames, written, strict=True):
        assert dimensions == pytest.approx(atoms.cell.cellpar(), abs=1e-4)
        cell = MDAnalysis.lib.mdamath.triclinic_vectors(dimensions)
        _, ours = get_distances(expected, cell=atoms.cell, pbc=True)
        _, theirs = get_distances(positions, cell=cell, pbc=True)
        assert np.abs(ours - theirs).max() < 1e-4
    # the PDB has the cell to three decimals
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = MDAnalysis.Universe(str(tmp_path / "topology.pdb"))
    assert alone.dimensions == pytest.approx(atoms.cell.cellpar(), abs=1e-2)
    assert len(universe.atoms) == len(atoms)


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [3.0, 0, 0], [0, 0, 12.0]])
def test_a_slab_has_its_cell_and_one_too_long_to_matter_where_it_has_none(tmp_path, vector_c) -> None:
    atoms = bulk("Si", cubic=True)
    atoms.set_cell([[5.43, 0, 0], [1.0, 5.43, 0], vector_c])
    atoms.pbc = [True, True, False]
    written = write(tmp_path, atoms, 1)
    _, [(_, positions, dimensions)] = open_universe(tmp_path)
    cell = MDAnalysis.lib.mdamath.triclinic_vectors(dimensions)
    assert cell[:2] == pytest.approx(atoms.cell.array[:2], abs=1e-4)
    assert cell[2] == pytest.approx([0, 0, vector_c[2] or 1000.0], abs=1e-3)
    assert np.abs(positions - written[0]).max() < 1e-5


def test_appending_cuts_what_came_later(ethanol, tmp_path) -> None:
    path = tmp_path / "trajectory.dcd"
    write(tmp_path, ethanol, 4)
    whole = path.read_bytes()
    frame = 3 * (4 * 9 + 8)
    with DcdTrajectory(path, ethanol, 20, 0.5, keep_bytes=len(whole) - 2 * frame) as trajectory:
        trajectory.write(ethanol.positions)
    _, frames = open_universe(tmp_path)
    assert len(frames) == 3
    assert np.abs(frames[2][1] - ethanol.positions).max() < 1e-6
    assert int.from_bytes(path.read_bytes()[8:12], "little") == 3  # the header's count, which VMD trusts
