import numpy as np
import pytest
from ase.build import bulk

from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions


@pytest.fixture
def guard(ethanol) -> Guard:
    return Guard(ethanol, DynamicsOptions(temperature=300.0))


def test_start_and_thermal_states_pass(ethanol, guard) -> None:
    assert guard.violation(ethanol.positions, -10.0, 0.3) is None
    shaken = ethanol.positions + 0.05 * np.random.default_rng(0).standard_normal((9, 3))
    assert guard.violation(shaken, -10.0, 0.3) is None


def test_stretched_and_squeezed_bonds(ethanol, guard) -> None:
    hydroxyl = ethanol.positions[3] - ethanol.positions[2]
    for factor, word in ((1.6, "1.60 times"), (0.6, "0.60 times")):
        positions = ethanol.positions.copy()
        positions[3] = positions[2] + factor * hydroxyl
        violation = guard.violation(positions, 0.0, 0.3)
        assert violation.startswith("bond O2-H3 is")
        assert word in violation


def test_collision_of_atoms_that_are_not_bonded(ethanol, guard) -> None:
    positions = ethanol.positions.copy()
    a, b = 7, 8  # two hydrogens of the methyl group, both kept at their bond length
    carbon = positions[0]
    direction = positions[a] - carbon
    turned = direction + 0.15 * np.array([0.3, 0.5, -0.4])
    positions[b] = carbon + turned * np.linalg.norm(direction) / np.linalg.norm(turned)
    assert guard.violation(positions, 0.0, 0.3).startswith("atoms H7-H8 are 0.05 Å apart")


def test_temperature_and_nan(ethanol, guard) -> None:
    assert "temperature" in guard.violation(ethanol.positions, 0.0, 10.0)
    assert "not finite" in guard.violation(ethanol.positions, np.nan, 0.3)
    broken = ethanol.positions.copy()
    broken[0, 0] = np.inf
    assert "not finite" in guard.violation(broken, 0.0, 0.3)


def test_off_it_minds_only_nan(ethanol) -> None:
    off = Guard(ethanol, DynamicsOptions(guard=False))
    assert off.violation(10 * ethanol.positions, 0.0, 100.0) is None
    assert off.violation(ethanol.positions, np.inf, 0.3) is not None


def test_atoms_that_left_the_cell_are_still_bonded() -> None:
    crystal = bulk("Si", cubic=True)
    guard = Guard(crystal, DynamicsOptions())
    assert guard.violation(crystal.positions + 37.0, 0.0, 0.3) is None
    moved = crystal.positions.copy()
    moved[0] += 1.5
    assert guard.violation(moved, 0.0, 0.3) is not None
