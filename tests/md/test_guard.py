from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.training_bonds import TrainingBonds
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


def record(ethanol, *, longest_A: float, shortest_A: float = 0.9) -> TrainingBonds:
    """Bonds as a manifest has them; the frames show O2-H3 from `shortest_A` to `longest_A`."""
    bonds = [
        {
            "atoms": [int(i), int(j)],
            "mean_A": 1.0,
            "range_A": [shortest_A, longest_A] if j == 3 else [1.0, 1.2],
        }
        for i, j in find_bonds(ethanol)
    ]
    structure = {"atomic_numbers": ethanol.numbers.tolist()}
    return TrainingBonds.from_manifest({"training": {"bonds": bonds, "reference_structure": structure}})


def hydroxyl_at(ethanol, length_A: float) -> np.ndarray:
    positions = ethanol.positions.copy()
    axis = positions[3] - positions[2]
    positions[3] = positions[2] + length_A * axis / np.linalg.norm(axis)
    return positions


def test_a_bond_that_the_frames_show_longer_is_not_broken(ethanol, guard) -> None:
    trained = Guard(ethanol, DynamicsOptions(), record(ethanol, longest_A=1.6))
    assert guard.violation(hydroxyl_at(ethanol, 1.7), 0.0, 0.3) is not None
    assert trained.violation(hydroxyl_at(ethanol, 1.7), 0.0, 0.3) is None
    assert "(limits 0.67 and 2.06)" in trained.violation(hydroxyl_at(ethanol, 2.1), 0.0, 0.3)
    other_bond = ethanol.positions.copy()
    other_bond[4] += 0.8 * (other_bond[4] - other_bond[1])
    assert trained.violation(other_bond, 0.0, 0.3).startswith("bond C1-H4")


def test_frames_with_short_ranges_do_not_tighten_the_limits(ethanol) -> None:
    trained = Guard(ethanol, DynamicsOptions(), record(ethanol, longest_A=1.0))
    assert trained.violation(hydroxyl_at(ethanol, 1.4), 0.0, 0.3) is None
    assert trained.violation(hydroxyl_at(ethanol, 0.7), 0.0, 0.3) is None
    assert trained.violation(hydroxyl_at(ethanol, 1.5), 0.0, 0.3) is not None
    squeezed = Guard(ethanol, DynamicsOptions(), record(ethanol, longest_A=1.0, shortest_A=0.6))
    assert squeezed.violation(hydroxyl_at(ethanol, 0.55), 0.0, 0.3) is None


def test_the_record_of_another_molecule_is_not_used(ethanol) -> None:
    foreign = replace(record(ethanol, longest_A=9.0), atomic_numbers=ethanol.numbers[::-1])
    assert Guard(ethanol, DynamicsOptions(), foreign).violation(hydroxyl_at(ethanol, 1.7), 0.0, 0.3)


def test_a_hydrogen_is_lost_only_where_no_partner_of_the_frames_has_it() -> None:
    start = Atoms("OHO", [[0.0, 0, 0], [1.0, 0, 0], [2.6, 0, 0]])
    entry = {"atom": 1, "partners": [0, 2], "mean_A": 1.1, "range_A": [0.95, 1.3]}
    training = {"shared_hydrogens": [entry], "reference_structure": {"atomic_numbers": [8, 1, 8]}}
    trained = TrainingBonds.from_manifest({"training": training})
    guard, today = Guard(start, DynamicsOptions(), trained), Guard(start, DynamicsOptions())
    for x_A in (1.0, 1.3, 1.6, 1.65):
        assert guard.violation(np.array([[0.0, 0, 0], [x_A, 0, 0], [2.6, 0, 0]]), 0.0, 0.1) is None
    assert today.violation(np.array([[0.0, 0, 0], [1.6, 0, 0], [2.6, 0, 0]]), 0.0, 0.1) is not None
    lost = guard.violation(np.array([[0.0, 0, 0], [1.3, 1.2, 0], [2.6, 0, 0]]), 0.0, 0.1)
    assert lost == "H1 is 1.77 Å from the nearest of its partners O0, O2 (limits 0.67 and 1.62 Å)"
