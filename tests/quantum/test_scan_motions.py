import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from mdaug.analysis.scan import bond_scan
from mdaug.errors import DataError
from mdaug.geometry.bonds import find_bonds
from mdaug.quantum.scan_motions import Motion, default_grid, grid


@pytest.fixture
def bent(ethanol):
    ethanol.positions += np.random.default_rng(0).normal(scale=0.05, size=(9, 3))
    return ethanol


MOTIONS = [
    (Motion("bond", (1, 2)), [2, 3], 2.1),
    (Motion("bond", (2, 1)), [2, 3], 1.0),
    (Motion("angle", (0, 1, 2)), [2, 3], 85.0),
    (Motion("angle", (2, 1, 0)), [0, 6, 7, 8], 150.0),
    (Motion("torsion", (0, 1, 2, 3)), [3], -60.0),
    (Motion("torsion", (3, 2, 1, 0)), [0, 4, 5, 6, 7, 8], 100.0),
    (Motion("approach", (3, 4)), [3, 4], 1.2),
]


@pytest.mark.parametrize(("motion", "moving", "value"), MOTIONS)
def test_motions_reach_their_value_and_move_rigid_fragments(bent, motion, moving, value):
    if motion.kind == "torsion":
        moving = [k for k in moving if k != motion.atoms[2]]  # it lies on the axis
    moved = motion.mover(bent)(bent, value)
    assert motion.value(moved) == pytest.approx(value, abs=1e-9)
    displaced = np.linalg.norm(moved.positions - bent.positions, axis=1) > 1e-9
    assert set(np.flatnonzero(displaced)) <= set(moving)
    if motion.kind != "approach":
        before, after = (atoms[moving].get_all_distances() for atoms in (bent, moved))
        assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize(("motion", "moving", "value"), MOTIONS)
def test_the_start_value_moves_nothing(bent, motion, moving, value):
    assert motion.mover(bent)(bent, motion.value(bent)).positions == pytest.approx(bent.positions, abs=1e-9)


def test_bonds_move_as_in_mdaug_scan(bent):
    seen = []

    class Recording(LennardJones):
        def calculate(self, atoms=None, *args, **kwargs):
            seen.append(atoms.positions.copy())
            super().calculate(atoms, *args, **kwargs)

    distances = np.array([0.8, 1.5, 2.4])
    bond_scan(Recording(), bent, (1, 2), distances)
    move = Motion("bond", (1, 2)).mover(bent)
    ours = [move(bent, distance).positions for distance in distances]
    assert np.array(seen[1:]) == pytest.approx(np.array(ours), abs=1e-12)


def test_two_motions_add_up(bent):
    first, second = Motion("bond", (2, 3)).mover(bent), Motion("bond", (1, 2)).mover(bent)
    one, other = second(first(bent, 1.5), 2.0), first(second(bent, 2.0), 1.5)
    assert one.positions == pytest.approx(other.positions, abs=1e-12)
    assert one.get_distance(2, 3) == pytest.approx(1.5)
    assert one.get_distance(1, 2) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("kind", "atoms", "message"),
    [
        ("bond", (0, 0), "expected 2 different atoms"),
        ("angle", (0, 1), "expected 3 different atoms"),
        ("spin", (0, 1), "expected one of bond, angle, torsion, approach"),
    ],
)
def test_wrong_motions_are_refused(kind, atoms, message):
    with pytest.raises(DataError, match=message):
        Motion(kind, atoms)


def test_atoms_out_of_range_and_unbonded_ones_are_refused(ethanol):
    with pytest.raises(DataError, match="atoms count from 0 to 8"):
        Motion("approach", (0, 9)).mover(ethanol)
    with pytest.raises(DataError, match="not a bond"):
        Motion("bond", (0, 3)).mover(ethanol)


def test_default_grids(ethanol):
    assert [0, 1] in find_bonds(ethanol).tolist()
    first, last, step = default_grid(Motion("bond", (2, 3)), ethanol)
    assert (first, last, step) == (0.6, pytest.approx(2.5 * 0.971, abs=0.026), 0.05)
    values = grid(first, last, step)
    assert values[[0, 1, -1]] == pytest.approx([0.6, 0.65, last])
    assert grid(-180, 180, 10)[[0, -1]].tolist() == [-180, 180]
    with pytest.raises(DataError, match="expected first < last"):
        grid(2, 1, 0.1)
