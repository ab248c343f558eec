"""Molecules that were wrapped into a cell which the file does not state."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.cut_molecules import cut_verdict
from mdaug.data.verification.verify import AT_LOAD, verify_frames
from mdaug.frames import FrameSet
from tests.fuzz.samples import EQUILIBRIUM, spring_frames

EDGES = np.array([9.0, 10.0, 11.0])


@pytest.fixture(scope="module")
def methanol() -> FrameSet:
    return read_frames("tests/data/methanol.npz").frames


def _wrapped(frames: FrameSet) -> FrameSet:
    """Return frames of a molecule that wanders through a cell, every atom within it."""
    places = np.random.default_rng(0).uniform(size=(len(frames), 1, 3)) * EDGES
    return replace(frames, positions=(frames.positions + places) % EDGES)


def test_the_frames_and_the_cell_are_named(methanol: FrameSet) -> None:
    verification = verify_frames(_wrapped(methanol), StatedUnits.of_energy("eV"), AT_LOAD)
    (verdict,) = (v for v in verification.verdicts if v.verdict == "error")
    assert "Lattice=" in verdict.text
    edges = verdict.text.partition("a cell of about ")[2].partition(" Å")[0].split(" × ")
    assert np.array(edges, float) == pytest.approx(EDGES, abs=0.6)
    span = np.ptp(_wrapped(methanol).positions, axis=1).max(axis=1)
    assert verdict.frames == tuple(np.flatnonzero(span > 6.0).tolist())


def test_frames_in_their_cell_and_whole_ones_pass(methanol: FrameSet) -> None:
    cells = np.repeat(np.diag(EDGES)[None], len(methanol), axis=0)
    assert cut_verdict(replace(_wrapped(methanol), cells=cells, pbc=(True,) * 3)).verdict == "ok"
    assert cut_verdict(methanol).verdict == "ok"


def test_an_atom_that_leaves_is_not_cut() -> None:
    water = spring_frames([8, 1, 1], EQUILIBRIUM, n_frames=60)
    positions = water.positions.copy()
    positions[30:, 2] += np.linspace(0, 9, 30)[:, None] * np.array([0.0, 0.8, 0.6])
    assert cut_verdict(replace(water, positions=positions)).verdict == "ok"


def test_a_proton_that_has_moved_far_is_not_cut() -> None:
    """A hydrogen is at one oxygen in half of the frames, and at another one, 4.5 Å away, in the others."""
    rng = np.random.default_rng(0)
    rest = np.array([[0.0, 0, 0], [-0.5, 0.8, 0], [4.5, 0, 0], [5.0, -0.8, 0], [0.95, 0, 0]])
    positions = rest + rng.normal(scale=0.03, size=(60, 5, 3))
    positions[30:, 4, 0] += 4.6
    forces = np.zeros_like(positions)
    frames = FrameSet(np.array([8, 1, 8, 1, 1]), positions, np.zeros(60), forces)
    assert cut_verdict(frames).verdict == "ok"


def test_ions_that_part_to_one_distance_are_not_cut() -> None:
    rng = np.random.default_rng(0)
    positions = np.array([[0.0, 0, 0], [2.4, 0, 0]]) + rng.normal(scale=0.1, size=(60, 2, 3))
    positions[40:, 1, 0] += 2.6
    frames = FrameSet(np.array([11, 17]), positions, np.zeros(60), np.zeros_like(positions))
    assert cut_verdict(frames).verdict == "ok"
