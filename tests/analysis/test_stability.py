from dataclasses import replace

import MDAnalysis as mda
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.geometry import wrap_positions

from mdaug.analysis.stability import stability
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.workflows.training.summary import summarize_training


def frames_of(atoms, positions, cells=None):
    n = len(positions)
    pbc = (cells is not None,) * 3
    return FrameSet(
        atoms.numbers, np.asarray(positions), np.zeros(n), np.zeros((n, len(atoms), 3)), cells=cells, pbc=pbc
    )


def universe_of(atoms, positions, dt_ps=0.1, dimensions=None):
    universe = mda.Universe.empty(len(atoms), trajectory=True)
    universe.add_TopologyAttr("elements", atoms.get_chemical_symbols())
    return universe.load_new(np.asarray(positions, np.float32), dt=dt_ps, dimensions=dimensions)


def stretched(atoms, i, j, by):
    """Move atom j along i → j by each of `by`."""
    axis = atoms.positions[j] - atoms.positions[i]
    positions = np.repeat(atoms.positions[None], len(by), axis=0)
    positions[:, j] += np.asarray(by)[:, None] * axis / np.linalg.norm(axis)
    return positions


@pytest.fixture
def training(ethanol):
    return frames_of(ethanol, stretched(ethanol, 2, 3, [-0.05, 0.0, 0.05]))


def test_first_broken_bond_and_its_time(ethanol, training):
    by = [0.0, 0.2, -0.3, 0.45, 0.55, 0.1, 1.2]
    result = stability(
        universe_of(ethanol, stretched(ethanol, 2, 3, by)), TrainingBonds.from_frames(training)
    )
    content = result.to_json()
    assert content["time_to_failure_ps"] == pytest.approx(0.4)
    assert content["first_broken_bond"] == "O2-H3"
    assert content["first_broken_atoms"] == [2, 3]
    assert content["max_bond_deviation_A"] == pytest.approx(1.2, abs=1e-5)
    assert content["n_frames_before_failure"] == 4
    assert content["duration_ps"] == pytest.approx(0.6)
    assert result.deviation_A == pytest.approx(np.abs(by), abs=1e-5)


def test_a_bond_that_shrinks_too_far_is_broken_too(ethanol, training):
    universe = universe_of(ethanol, stretched(ethanol, 2, 3, [0.0, -0.55]))
    assert stability(universe, TrainingBonds.from_frames(training)).time_to_failure_ps == pytest.approx(0.1)


def test_of_several_broken_bonds_the_farthest_is_named(ethanol, training):
    positions = stretched(ethanol, 2, 3, [0.0, 0.6])
    positions[1, 6] += 3.0
    result = stability(universe_of(ethanol, positions), TrainingBonds.from_frames(training))
    assert result.first_broken_bond == "C0-H6"


def test_a_whole_run_has_no_failure(ethanol, training):
    positions = stretched(ethanol, 2, 3, np.linspace(-0.4, 0.4, 700))
    content = stability(universe_of(ethanol, positions), TrainingBonds.from_frames(training)).to_json()
    assert content["time_to_failure_ps"] is None
    assert content["first_broken_bond"] is None
    assert content["max_bond_deviation_A"] == pytest.approx(0.4, abs=1e-5)
    assert content["n_frames"] == content["n_frames_before_failure"] == 700


def test_failure_in_a_late_block_is_at_its_own_time(ethanol, training):
    by = np.zeros(700)
    by[600:] = 0.7
    result = stability(
        universe_of(ethanol, stretched(ethanol, 2, 3, by)), TrainingBonds.from_frames(training)
    )
    assert result.time_to_failure_ps == pytest.approx(60.0)
    assert result.n_frames_before_failure == 600


def test_tolerance_can_be_chosen(ethanol, training):
    universe = universe_of(ethanol, stretched(ethanol, 2, 3, [0.0, 0.2, 0.45]))
    result = stability(universe, TrainingBonds.from_frames(training), tolerance_A=0.15)
    assert result.time_to_failure_ps == pytest.approx(0.1)


def test_positions_that_are_not_numbers_are_a_failure(ethanol, training):
    positions = stretched(ethanol, 2, 3, [0.0, 0.1, 0.2])
    positions[1, 3] = np.nan
    content = stability(
        universe_of(ethanol, positions), TrainingBonds.from_frames(training), frames=training
    ).to_json()
    assert content["time_to_failure_ps"] == pytest.approx(0.1)
    assert content["first_broken_bond"] == "O2-H3"
    assert content["max_bond_deviation_A"] == pytest.approx(0.2, abs=1e-5)


def test_same_frames_have_no_histogram_error_and_the_failed_are_left_out(ethanol, training):
    good = list(training.positions)
    broken = stretched(ethanol, 2, 3, [2.0])[0]
    result = stability(
        universe_of(ethanol, [*good, broken, *good]), TrainingBonds.from_frames(training), frames=training
    )
    assert result.distance_histogram_error == pytest.approx(0.0, abs=1e-6)
    assert result.visited.n_frames == 3


def test_histogram_error_counts_the_part_that_moved(ethanol):
    pair = ethanol[[2, 3]]
    frames = frames_of(pair, [pair.positions])
    moved = universe_of(pair, stretched(pair, 0, 1, [0.0, 0.3]))
    result = stability(moved, TrainingBonds.from_frames(frames), frames=frames)
    assert result.distance_histogram_error == pytest.approx(1.0)  # half of the frames elsewhere


def test_torsion_populations_before_failure(ethanol, training):
    """C-C-O-H turned to +60 (3 frames), −60 (1) and 180 (1); training is trans."""
    frames = []
    for angle in (60, 60, 60, -60, 180):
        turned = ethanol.copy()
        turned.set_dihedral(0, 1, 2, 3, angle, indices=[3])
        frames.append(turned.positions)
    result = stability(universe_of(ethanol, frames), TrainingBonds.from_frames(training), frames=training)
    content = result.to_json()["torsion_populations"]["C0-C1-O2-H3"]
    assert content["trajectory"] == pytest.approx({"trans": 0.2, "gauche+": 0.6, "gauche-": 0.2})
    assert content["training"] == {"trans": 1.0, "gauche+": 0.0, "gauche-": 0.0}


def test_without_frames_there_are_no_distributions(ethanol, training):
    universe = universe_of(ethanol, stretched(ethanol, 2, 3, [0.0]))
    content = stability(universe, TrainingBonds.from_frames(training)).to_json()
    assert content["distance_histogram_error"] is None
    assert content["torsion_populations"]["C0-C1-O2-H3"] == {"trajectory": None, "training": None}


def test_a_cell_is_followed_through_its_walls():
    silicon = bulk("Si", cubic=True).repeat(2)
    cells = np.repeat(silicon.cell.array[None], 2, axis=0)
    rng = np.random.default_rng(0)
    shaken = [silicon.positions + rng.normal(scale=0.05, size=silicon.positions.shape) for _ in range(2)]
    training = frames_of(silicon, shaken, cells)
    drifting = [shaken[k % 2] + [0.5 * k, 0.0, 0.0] for k in range(12)]
    wrapped = [(r / silicon.cell.lengths() % 1.0) * silicon.cell.lengths() for r in drifting]
    universe = universe_of(silicon, wrapped, dimensions=silicon.cell.cellpar())
    result = stability(universe, TrainingBonds.from_frames(training), frames=training)
    assert result.time_to_failure_ps is None
    assert len(result.bonds.bonds) == 128
    assert result.distance_histogram_error < 1e-3  # float32 positions move a few pairs to the next bin
    with pytest.raises(DataError, match="no cell"):
        stability(universe_of(silicon, wrapped), TrainingBonds.from_frames(training), frames=training)
    small = np.array([4.0, 4.0, 4.0, 90, 90, 90])
    with pytest.raises(DataError, match="half the trajectory's cell"):
        stability(universe_of(silicon, wrapped, dimensions=small), TrainingBonds.from_frames(training))


def shaken(atoms, n_frames, pull=()):
    """Return frames with random displacements and a drift; the last atom is pulled along z by `pull` (Å)."""
    rng = np.random.default_rng(0)
    positions = atoms.positions + rng.normal(scale=0.04, size=(n_frames, len(atoms), 3))
    positions += np.linspace(0.0, 3.0, n_frames)[:, None, None]
    positions[n_frames - len(pull) :, -1, 2] += pull
    return positions


def wrapped(atoms, positions):
    return np.array([wrap_positions(r, atoms.cell, atoms.pbc) for r in positions])


def judged(atoms, positions, repeat=(1, 1, 1), **options):
    """Judge positions of `atoms`, repeated, by its first three frames."""
    many = atoms.repeat(repeat)
    shifts = [i * atoms.cell[0] + j * atoms.cell[1] + k * atoms.cell[2] for i, j, k in np.ndindex(*repeat)]
    repeated = np.concatenate([positions + shift for shift in shifts], axis=1)
    cells = np.repeat(many.cell.array[None], 3, axis=0)
    frames = replace(frames_of(many, repeated[:3], cells), pbc=tuple(many.pbc))
    universe = universe_of(many, wrapped(many, repeated), dimensions=many.cell.cellpar())
    return stability(universe, TrainingBonds.from_frames(frames), frames=frames, **options)


@pytest.mark.parametrize(
    ("atoms", "repeat", "n_bonds"),
    [(bulk("Si"), (4, 4, 4), 4), (fcc111("Cu", (1, 1, 3), vacuum=6.0), (5, 5, 1), 6)],
)
def test_a_narrow_cell_is_judged_as_its_supercell(atoms, repeat, n_bonds):
    """An atom is bonded to several images of another, and to images of itself, which cannot move away.

    Mean lengths are those of the nearest, second nearest, … image, so that deviations differ a little.
    """
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)  # as trajectories have it
    positions = shaken(atoms, 9, pull=[0.3, 0.9, 0.0])
    one, many = judged(atoms, positions), judged(atoms, positions, repeat)
    assert len(one.bonds.bonds) == n_bonds
    assert one.deviation_A == pytest.approx(many.deviation_A, abs=0.1)
    assert one.time_to_failure_ps == many.time_to_failure_ps == pytest.approx(0.7)
    assert one.distance_histogram_error < 0.5  # of few frames


def test_a_cell_in_which_a_bond_cannot_break_is_refused():
    silicon = bulk("Si")
    with pytest.raises(DataError, match="judge a trajectory of a supercell"):
        judged(silicon, shaken(silicon, 4), tolerance_A=3.0)


def test_bonds_of_a_minimum_are_not_called_training_frames(ethanol):
    bonds = TrainingBonds.from_frames(frames_of(ethanol, ethanol.positions[None]), "the minimum of EMT")
    (verdict,) = stability(universe_of(ethanol, stretched(ethanol, 2, 3, [0.0, 0.7])), bonds).verdicts
    assert "more than 0.5 Å from its length in the minimum of EMT" in verdict.text


@pytest.mark.parametrize("c_A", [0.0, 1.0])
def test_a_film_is_not_followed_through_the_side_that_is_open(ethanol, c_A):
    cells = np.repeat(np.diag([15.0, 15.0, c_A])[None], 3, axis=0)
    positions = stretched(ethanol, 2, 3, [-0.05, 0.0, 0.05])
    positions[..., :2] %= 15.0
    training = replace(frames_of(ethanol, positions, cells), pbc=(True, True, False))
    bonds = TrainingBonds.from_frames(training)
    assert bonds.mean_A[-1] == pytest.approx(ethanol.get_distance(2, 3))
    dimensions = np.array([15.0, 15.0, 1.0, 90, 90, 90])
    result = stability(universe_of(ethanol, positions, dimensions=dimensions), bonds, frames=training)
    assert result.deviation_A == pytest.approx([0.05, 0.0, 0.05], abs=1e-5)
    assert result.distance_histogram_error == pytest.approx(0.0, abs=1e-3)
    recorded = {"bonds": [], "reference_structure": {"atomic_numbers": [8], "pbc": [True, True, False]}}
    recorded["bonds"] = [{"atoms": [0, 1], "mean_A": 1.0}]
    assert TrainingBonds.from_manifest({"training": recorded}).pbc == (True, True, False)


def test_other_atoms_are_refused(ethanol, training):
    swapped = ethanol[[1, 0, 3, 2, 4, 5, 6, 7, 8]]
    with pytest.raises(DataError, match="same order"):
        stability(universe_of(swapped, [swapped.positions]), TrainingBonds.from_frames(training))


def test_molecules_that_part_are_told_with_their_time():
    waters = molecule("H2O") + molecule("H2O")
    waters.positions[3:] += [3.0, 0, 0]
    training = TrainingBonds.from_frames(frames_of(waters, waters.positions[None]))
    positions = np.repeat(waters.positions[None], 4, axis=0)
    positions[2:, 3:] += [6.0, 0, 0]
    content = stability(universe_of(waters, positions), training).to_json()
    assert (content["time_to_failure_ps"], content["parted_at_ps"]) == (None, pytest.approx(0.2))
    assert [verdict["verdict"] for verdict in content["verdicts"]] == ["cannot tell", "warning"]
    assert stability(universe_of(waters, positions[:2]), training).parted_at_ps is None


def verdicts_of(atoms, training, by, dt_ps, **options):
    universe = universe_of(atoms, stretched(atoms, 2, 3, by), dt_ps)
    return stability(universe, TrainingBonds.from_frames(training), **options).verdicts


def test_a_short_run_without_a_broken_bond_cannot_tell(ethanol, training):
    (short,) = verdicts_of(ethanol, training, [0.0, 0.1], dt_ps=9.9)
    assert (short.verdict, short.value, short.limit) == ("cannot tell", pytest.approx(9.9), 10.0)
    assert "9.9 ps are too short to tell" in short.text
    (long,) = verdicts_of(ethanol, training, [0.0, 0.1], dt_ps=12.0)
    assert long.verdict == "ok"
    assert "over 4 ps" in long.text
    (broken,) = verdicts_of(ethanol, training, [0.0, 0.7], dt_ps=0.1)
    assert broken.verdict == "error"
    assert broken.text.startswith("O2-H3 broke at 0.1 ps: more than 0.5 Å")


@pytest.mark.parametrize(
    ("by", "dt_ps", "verdict"),
    [([-0.05, 0.0, 0.05], 6.0, "ok"), ([0.4] * 3, 6.0, "warning"), ([0.4] * 3, 1.0, "cannot tell")],
)
def test_distances_are_compared_with_those_of_the_frames(ethanol, training, by, dt_ps, verdict):
    _, distances = verdicts_of(ethanol, training, by, dt_ps, frames=training)
    assert (distances.name, distances.verdict) == ("distances as in the frames", verdict)
    assert distances.limit == 0.2


WATERS = Atoms("OHO", [[0.0, 0, 0], [0.98, 0, 0], [2.6, 0, 0]])
"""A proton between two oxygens 2.6 Å apart."""


def proton_at(*x_A: float) -> np.ndarray:
    positions = np.repeat(WATERS.positions[None], len(x_A), axis=0)
    positions[:, 1, 0] = x_A
    return positions


SHARED = frames_of(WATERS, proton_at(0.98, 1.05, 1.3, 1.6, 1.5, 0.97))


@pytest.mark.parametrize("source", ["frames", "manifest"])
def test_a_proton_transfer_that_the_frames_show_is_no_broken_bond(source):
    bonds = TrainingBonds.from_frames(SHARED)
    if source == "manifest":
        bonds = TrainingBonds.from_manifest({"training": summarize_training(SHARED, 5.0)})
    there_and_back = universe_of(WATERS, proton_at(0.98, 1.6, 1.65, 0.97))
    assert stability(there_and_back, bonds).time_to_failure_ps is None
    lost = proton_at(0.98, 1.6, 1.65)
    lost[2, 1, 1] = 1.9
    result = stability(universe_of(WATERS, lost), bonds)
    assert (result.time_to_failure_ps, result.first_broken_bond) == (pytest.approx(0.2), "O0-H1")
    never_shared = TrainingBonds.from_frames(frames_of(WATERS, proton_at(0.98, 1.05)))
    assert stability(there_and_back, never_shared).time_to_failure_ps == pytest.approx(0.1)


def test_a_bond_that_the_frames_show_longer_is_no_broken_bond(ethanol):
    long = TrainingBonds.from_frames(frames_of(ethanol, stretched(ethanol, 2, 3, [0.0, 0.0, 0.0, 0.6])))
    universe = universe_of(ethanol, stretched(ethanol, 2, 3, [0.0, 0.8, 0.9]))
    assert stability(universe, long).time_to_failure_ps == pytest.approx(0.2)
    old = replace(long, range_A=np.full((8, 2), np.nan))
    assert stability(universe, old).time_to_failure_ps == pytest.approx(0.1)


def test_the_broken_bond_is_named_and_not_one_that_the_frames_show_as_long(ethanol):
    long = TrainingBonds.from_frames(frames_of(ethanol, stretched(ethanol, 2, 3, [0.0, 0.0, 0.0, 0.8])))
    positions = stretched(ethanol, 2, 3, [0.0, 0.8])
    axis = ethanol.positions[6] - ethanol.positions[0]
    positions[1, 6] += 0.52 * axis / np.linalg.norm(axis)
    result = stability(universe_of(ethanol, positions), long)
    assert result.deviation_A[1] > 0.55  # O2-H3, which is within its range
    assert result.first_broken_bond == "C0-H6"
