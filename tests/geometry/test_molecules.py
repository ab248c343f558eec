"""Several molecules in a frame are counted, and told where they part or have springs between them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule

from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import (
    connects_to_own_image,
    frame_bonds,
    frame_molecules,
    has_parted,
    mean_bonds,
    mean_lengths,
    molecular_cells,
    warn_of_parting,
)
from mdaug.geometry.pairs import narrowest_width
from mdaug.sampling.structures import formal_charge, starting_structures
from mdaug.springs import SpringOptions, fit_springs


def _two_waters(distance_A: float, *, cell_A: float | None = None, n_frames: int = 30) -> FrameSet:
    """Vibrating waters whose oxygens are so far apart, along x."""
    one, other = molecule("H2O"), molecule("H2O")
    other.translate([distance_A, 0, 0])
    rng = np.random.default_rng(0)
    shape = (n_frames, 6, 3)
    return FrameSet(
        atomic_numbers=(one + other).numbers.astype(np.int64),
        positions=(one + other).positions + rng.normal(0, 0.03, shape),
        energies=rng.normal(0, 0.1, n_frames),
        forces=rng.normal(0, 1.0, shape),
        cells=None if cell_A is None else np.repeat(np.eye(3)[None] * cell_A, n_frames, axis=0),
        pbc=(cell_A is not None,) * 3,
        temperature_K=300.0,
        name="waters",
    )


def test_molecules_of_frames_are_counted_through_the_cell() -> None:
    assert frame_molecules(_two_waters(3.0)).tolist() == [0, 0, 0, 1, 1, 1]
    wrapped = _two_waters(3.0, cell_A=8.0)
    wrapped.positions[:, 1] += [8.0, 0.0, -8.0]
    assert frame_molecules(wrapped).tolist() == [0, 0, 0, 1, 1, 1]


def test_parting_is_told_once_nothing_is_near() -> None:
    assert not has_parted(_two_waters(6.0).positions[0])
    assert has_parted(_two_waters(8.0).positions[0])
    with pytest.warns(UserWarning, match="in 10 of 10 frames some atoms are more than 6 Å away"):
        warn_of_parting(_two_waters(9.0, n_frames=10))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warn_of_parting(_two_waters(3.0, n_frames=10))


@pytest.mark.parametrize("cell_A", [None, 9.0])
def test_springs_between_molecules_are_said_to_be_none(cell_A: float | None) -> None:
    with pytest.warns(
        UserWarning, match="contain 2 molecules, which move .* only springs within a molecule have a meaning"
    ):
        fit_springs(_two_waters(3.0, cell_A=cell_A), SpringOptions())


@pytest.mark.tblite
def test_molecules_of_a_smiles_stand_side_by_side() -> None:
    first, second = starting_structures("O.CO", 2)
    for atoms in (first, second):
        water = [0, *range(3, 5)]
        others = [k for k in range(len(atoms)) if k not in water]
        assert atoms.get_all_distances()[np.ix_(water, others)].min() > 1.7
        assert not has_parted(atoms.positions)
    assert not np.allclose(first.get_all_distances(), second.get_all_distances(), atol=0.1)


@pytest.mark.tblite
def test_a_smiles_states_its_charge(tmp_path) -> None:
    assert [formal_charge(smiles) for smiles in ("CCO", "[NH4+]", "[O-]C=O.[Mg+2]")] == [0, 1, 1]
    molecule("H2O").write(tmp_path / "water.xyz")
    assert formal_charge(tmp_path / "water.xyz") is None


def boxed(positions, numbers, width):
    positions = np.asarray(positions, dtype=float)[None]
    cells = np.tile(width * np.eye(3), (1, 1, 1))
    return FrameSet(
        np.array(numbers), positions, np.zeros(1), np.zeros_like(positions), cells=cells, pbc=(True,) * 3
    )


def test_chains_that_go_through_a_cell_are_endless_and_molecules_cut_by_a_face_are_not():
    cell = 9.0 * np.eye(3)
    chain = np.array([[1.5 * n, 4.0, 4.0] for n in range(6)])
    bonds = np.array([[n, n + 1] for n in range(5)])
    assert not connects_to_own_image(chain, bonds, cell)
    assert not connects_to_own_image((chain + 7.0) % 9.0, bonds, cell)
    assert connects_to_own_image(chain, np.concatenate([bonds, [[5, 0]]]), cell)


def test_narrow_cells_are_refused_in_words():
    water = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
    assert molecular_cells(boxed(water, [8, 1, 1], 9.0)).shape == (1, 3, 3)
    with pytest.raises(DataError, match=r"cell is 7 Å wide; .* at least 8 Å"):
        molecular_cells(boxed(water, [8, 1, 1], 7.0))
    film = replace(boxed(water, [8, 1, 1], 9.0), pbc=(True, True, False))
    film.cells[:, 2] = 0.0
    assert narrowest_width(molecular_cells(film)) == pytest.approx(9.0)


def test_the_width_of_a_skewed_cell_is_between_its_faces():
    skewed = np.array([[[10.0, 0, 0], [6.0, 8.0, 0], [0, 0, 20.0]]])
    assert narrowest_width(skewed) == pytest.approx(8.0)


def test_mean_lengths_are_to_nearest_images_and_of_fewer_frames_where_memory_is_short(monkeypatch):
    one = boxed([[0.2, 0, 0], [8.7, 0, 0]], [1, 1], 9.0)
    assert mean_lengths(one) == pytest.approx([0.5])
    many = one.select(np.zeros(10, dtype=int))
    assert mean_lengths(boxed([[0.0, 0, 0]], [18], 9.0)).shape == (0,)
    monkeypatch.setattr("mdaug.geometry.molecules.AT_ONCE", 3)
    assert mean_lengths(many) == pytest.approx([0.5])


def test_bonds_on_average_have_their_mean_lengths_and_one_far_frame_does_not_make_one():
    waters = _two_waters(3.0, cell_A=8.0)
    waters.positions[0, 3:] -= [2.0, 0, 0]
    bonds, lengths = mean_bonds(waters)
    assert bonds.tolist() == [[0, 1], [0, 2], [3, 4], [3, 5]]
    assert lengths == pytest.approx([0.97] * 4, abs=0.03)


def shared_proton(distances_A: list[float], n_frames: int = 40, spacing_A: float = 2.5) -> FrameSet:
    """Two waters so far apart, and between them a proton at these distances from the first, in turns."""
    waters = _two_waters(spacing_A, n_frames=n_frames)
    proton = np.zeros((n_frames, 1, 3))
    proton[:, 0, 0] = np.resize(distances_A, n_frames)
    proton[:, 0] += waters.positions[:, 0] * [0, 1, 1]
    return replace(
        waters,
        atomic_numbers=np.append(waters.atomic_numbers, 1),
        positions=np.concatenate([waters.positions, proton], axis=1),
        forces=np.concatenate([waters.forces, proton * 0], axis=1),
    )


@pytest.mark.parametrize(
    "distances_A", [[1.0, 1.5], [1.1, 1.25, 1.4], [1.0] * 19 + [1.5], [1.25, 1.0, 1.5, 1.25]]
)
def test_a_shared_proton_belongs_to_the_molecule_of_its_partners(distances_A: list[float]) -> None:
    """Also where its mean distances are those of no bond, or it is at one partner in nearly all frames."""
    bonds = frame_bonds(shared_proton(distances_A))
    assert bonds.lasting.tolist() == [[0, 1], [0, 2], [3, 4], [3, 5]]
    assert bonds.changing.tolist() == [[0, 6], [3, 6]]
    assert frame_molecules(shared_proton(distances_A)).tolist() == [0] * 7


def test_a_proton_that_stays_has_a_lasting_bond() -> None:
    bonds = frame_bonds(shared_proton([1.0, 1.05]))
    assert [0, 6] in bonds.lasting.tolist()
    assert len(bonds.changing) == 0


def test_a_hydrogen_that_bridges_two_atoms_has_two_lasting_bonds() -> None:
    """As in diborane, where it is nearer to one boron in half of the frames; between atoms apart it moves."""
    bonds = frame_bonds(shared_proton([1.08, 1.12], spacing_A=2.2))
    assert {(0, 6), (3, 6)} <= {tuple(bond) for bond in bonds.lasting.tolist()}
    assert len(bonds.changing) == 0


def test_a_hydrogen_beside_its_bond_has_no_other_one() -> None:
    """At 1.2 Å from a second oxygen in half of the frames, nearer to the first in nearly all."""
    bonds = frame_bonds(shared_proton([1.0, 1.05], spacing_A=2.25, n_frames=200))
    assert [0, 6] in bonds.lasting.tolist()
    assert [3, 6] not in bonds.changing.tolist()


def test_bonds_that_half_of_the_frames_have_last_in_none() -> None:
    """Two carbons, bonded or 4 Å apart: one molecule, without a lasting bond."""
    n_frames = 20
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = np.resize([1.5, 4.0], n_frames)
    frames = FrameSet(np.array([6, 6]), positions, np.zeros(n_frames), np.zeros_like(positions))
    bonds = frame_bonds(frames)
    assert (bonds.lasting.tolist(), bonds.changing.tolist()) == ([], [[0, 1]])
    assert frame_molecules(frames).tolist() == [0, 0]


def test_a_hydrogen_without_neighbors_has_no_bonds() -> None:
    positions = np.array([[[0.0, 0, 0], [0.96, 0, 0], [9, 0, 0]]])
    frames = FrameSet(np.array([8, 1, 1]), positions, np.zeros(1), np.zeros((1, 3, 3)))
    assert frame_bonds(frames).all_bonds.tolist() == [[0, 1]]
