"""Forces of other frames or axes: what is found, and that the cure is named."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.data import load_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.force_balance import balance_verdict
from mdaug.data.verification.verify import verify_frames
from mdaug.frames import FrameSet
from mdaug.verdicts import Verdict

UNITS = StatedUnits("eV", "eV", "Angstrom", "Angstrom")


@pytest.fixture(scope="module")
def ethanol() -> FrameSet:
    return load_frames("ethanol").select(np.arange(120))


def verdict_of(frames: FrameSet, name: str) -> Verdict:
    return next(v for v in verify_frames(frames, UNITS).verdicts if v.name == name)


def every_step(n_frames: int) -> FrameSet:
    """Four atoms with springs between all pairs, at times so near that the next forces nearly fit."""
    rng = np.random.default_rng(1)
    tetrahedron = 0.9 * np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    amplitude, phase = 0.1 * rng.normal(size=(4, 3)), rng.uniform(0, 2 * np.pi, (4, 3))
    frequency = rng.uniform(0.1, 0.2, (4, 3))
    time = np.arange(n_frames)[:, None, None]
    positions = tetrahedron + amplitude * np.sin(frequency * time + phase)
    r_ij = positions[:, :, None] - positions[:, None]
    d_ij = np.linalg.norm(r_ij, axis=3, keepdims=True) + np.eye(4)[None, :, :, None]
    d_0 = np.linalg.norm(tetrahedron[0] - tetrahedron[1])
    pull = np.where(np.eye(4)[None, :, :, None] > 0, 0.0, 20.0 * (d_ij - d_0) * r_ij / d_ij)
    energies = 0.25 * np.sum(20.0 * (d_ij - d_0) ** 2 * (1 - np.eye(4)[None, :, :, None]), axis=(1, 2, 3))
    return FrameSet(
        atomic_numbers=np.array([15, 15, 15, 15]),
        positions=positions,
        energies=energies,
        forces=-pull.sum(axis=2),
    )


def test_forces_of_the_previous_step_are_found_in_a_file_of_every_step():
    frames = every_step(80)
    assert verdict_of(frames, "forces belong to the positions").verdict == "ok"
    late = replace(frames, forces=np.roll(frames.forces, 1, axis=0))
    verdict = verdict_of(late, "forces belong to the positions")
    assert verdict.verdict == "error"
    assert verdict.text.endswith("they fit if those of each frame are moved to one frame earlier")


def test_shifted_forces_are_not_taken_for_some_bad_frames():
    """A molecule whose frames are alike has little torque in some frames by chance."""
    frames = every_step(400).select(np.arange(0, 400, 4))
    verdict = verdict_of(
        replace(frames, forces=np.roll(frames.forces, -1, axis=0)), "forces belong to the positions"
    )
    assert verdict.verdict == "error" and verdict.frames == ()
    assert "moved to one frame later" in verdict.text


@pytest.mark.parametrize("share", [2, 1], ids=["half of the frames", "all frames"])
def test_mirrored_positions_are_named(ethanol, share):
    positions = ethanol.positions.copy()
    positions[::share, :, 0] *= -1
    verdict = verdict_of(replace(ethanol, positions=positions), "forces belong to the positions")
    assert verdict.verdict == "error"
    assert "(−Fx, Fy, Fz)" in verdict.text
    if share == 2:
        assert verdict.frames == tuple(range(0, len(ethanol), 2))


def test_no_axes_are_exchanged_where_only_a_net_force_is_wrong(ethanol):
    """A drift of the forces has no torque, so that any order of axes that has none would seem to mend it."""
    forces = ethanol.forces.copy()
    forces[::3] += [0.3, 0.2, -0.1]
    verdict = verdict_of(replace(ethanol, forces=forces), "forces belong to the positions")
    assert (verdict.verdict, verdict.frames) == ("error", tuple(range(0, 120, 3)))
    assert "net force" in verdict.text
    assert "axis" not in verdict.text and "order" not in verdict.text


def test_another_order_of_the_atoms_in_some_frames_is_named():
    frames = load_frames("ethanol")
    order = [8, 1, 2, 3, 4, 5, 6, 7, 0]
    forces = frames.forces.copy()
    forces[:400] = forces[:400][:, order]
    verdict = balance_verdict(replace(frames, forces=forces), np.arange(len(frames)), None)
    assert verdict.verdict == "error"
    assert len(verdict.frames) > 390 and max(verdict.frames) < 400  # a few are balanced by chance
    assert f"take forces in the order {order}" in verdict.text


def test_a_few_energies_of_another_state_are_named():
    """0.1 eV is less than two standard deviations of the energies, and far from what the forces imply."""
    frames = load_frames("tests/data/methanol.npz", temperature_K=400)
    assert verdict_of(frames, "energies against forces").verdict == "ok"
    excited = [11, 47, 83]
    energies = frames.energies.copy()
    energies[excited] += 0.1
    assert 2 * frames.energies.std() > 0.1
    verdict = verdict_of(replace(frames, energies=energies), "energies against forces")
    assert (verdict.verdict, verdict.frames) == ("warning", tuple(excited))
