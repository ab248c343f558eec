"""Several molecules in a frame are counted, and told where they part or have springs between them."""

import warnings

import numpy as np
import pytest
from ase.build import molecule

from mdaug.frames import FrameSet
from mdaug.frames.checks import check_frames
from mdaug.frames.molecules import frame_molecules, parted
from mdaug.frames.structures import formal_charge, starting_structures
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
    assert not parted(_two_waters(6.0).positions[0])
    assert parted(_two_waters(8.0).positions[0])
    with pytest.warns(UserWarning, match="in 10 of 10 frames some atoms are more than 6 Å away"):
        check_frames(_two_waters(9.0, n_frames=10))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_frames(_two_waters(3.0, n_frames=10))


@pytest.mark.parametrize("cell_A", [None, 9.0])
def test_springs_between_molecules_are_said_to_be_none(cell_A: float | None) -> None:
    with pytest.warns(
        UserWarning, match="hold 2 molecules and drift about: .* only springs within a molecule are springs"
    ):
        fit_springs(_two_waters(3.0, cell_A=cell_A), SpringOptions())


def test_molecules_of_a_smiles_stand_side_by_side() -> None:
    first, second = starting_structures("O.CO", 2)
    for atoms in (first, second):
        water = [0, *range(3, 5)]
        others = [k for k in range(len(atoms)) if k not in water]
        assert atoms.get_all_distances()[np.ix_(water, others)].min() > 1.7
        assert not parted(atoms.positions)
    assert not np.allclose(first.get_all_distances(), second.get_all_distances(), atol=0.1)


def test_a_smiles_states_its_charge(tmp_path) -> None:
    assert [formal_charge(smiles) for smiles in ("CCO", "[NH4+]", "[O-]C=O.[Mg+2]")] == [0, 1, 1]
    molecule("H2O").write(tmp_path / "water.xyz")
    assert formal_charge(tmp_path / "water.xyz") is None
