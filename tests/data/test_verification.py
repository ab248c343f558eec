"""Refusals say what was wrong, where, and what was expected."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.common_units import common_units_verdict
from mdaug.data.verification.duplicates import first_occurrence, group_duplicates
from mdaug.data.verification.force_scales import force_scales_verdict
from mdaug.data.verification.records import precision_verdict
from mdaug.data.verification.temperature import temperature_verdicts
from mdaug.data.verification.verify import AT_LOAD, raise_or_warn, verify_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet


def check_frames(frames: FrameSet) -> FrameSet:
    """Check frames as at every load."""
    return raise_or_warn(verify_frames(frames, StatedUnits.of_energy("eV"), AT_LOAD), frames.name)


@pytest.mark.parametrize("what", ["positions", "energies", "forces"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(ethanol: FrameSet, what: str, value: float) -> None:
    values = getattr(ethanol, what).copy()
    values[7] = value
    with pytest.raises(DataError, match=rf"ethanol: frame 7: {what} hold NaN or infinity \(1 such frames"):
        check_frames(replace(ethanol, **{what: values}))


def test_no_frame(ethanol: FrameSet) -> None:
    with pytest.raises(DataError, match="ethanol: holds no frame"):
        check_frames(ethanol.select(slice(0, 0)))


def test_unknown_element(ethanol: FrameSet) -> None:
    numbers = ethanol.atomic_numbers.copy()
    numbers[2] = 0
    with pytest.raises(DataError, match="atom 2 has atomic number 0; expected a chemical element"):
        check_frames(replace(ethanol, atomic_numbers=numbers))


def test_duplicates_are_told_and_share_a_group(ethanol: FrameSet) -> None:
    doubled = ethanol.select(np.array([0, 1, 2, 3, 1, 5, 0, 1]))
    doubled = replace(doubled, group=np.arange(8), info={})
    with pytest.warns(UserWarning, match=r"5 of 8 frames are distinct; duplicates \(1/4, 0/6, 1/7\)"):
        checked = check_frames(doubled)
    assert checked.group.tolist() == [0, 1, 2, 3, 1, 5, 0, 1]


def test_a_duplicate_brings_its_displaced_copies_along(ethanol: FrameSet) -> None:
    """Frame 2 copies frame 0; frame 3 is frame 2's displaced copy: all three belong together."""
    frames = replace(ethanol.select(np.array([0, 1, 0, 5])), group=np.array([0, 1, 2, 2]))
    with pytest.warns(UserWarning, match="3 of 4 frames are distinct"):
        assert check_frames(frames).group.tolist() == [0, 1, 0, 0]


def test_distinct_frames_pass_silently(ethanol: FrameSet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(check_frames(ethanol).group, np.arange(len(ethanol)))


def test_ten_thousand_equal_frames_are_one_group(ethanol: FrameSet) -> None:
    """Comparing each pair of them would take hours."""
    many = ethanol.select(np.zeros(10_000, np.int64))
    grouped, verdict = group_duplicates(replace(many, group=np.arange(10_000)))
    assert set(grouped.group) == {0}
    assert verdict.value == 9_999


def test_atoms_at_the_same_place_in_other_cells_are_no_duplicates() -> None:
    """An energy-volume curve of a primitive cell has one atom, which does not move."""
    cells = np.linspace(3.4, 3.8, 8)[:, None, None] * (np.ones((3, 3)) - np.eye(3)) / 2
    frames = FrameSet(
        np.array([29]),
        np.zeros((8, 1, 3)),
        np.zeros(8),
        np.zeros((8, 1, 3)),
        cells=cells,
        pbc=(True, True, True),
    )
    assert first_occurrence(frames).tolist() == list(range(8))
    again = replace(frames, cells=np.concatenate([cells[:6], cells[:2]]))
    assert first_occurrence(again).tolist() == [0, 1, 2, 3, 4, 5, 0, 1]


def test_moved_rotated_and_reflected_frames_are_duplicates(ethanol: FrameSet) -> None:
    some = ethanol.select(slice(0, 6))
    turn = np.array([[0.0, 1.0, 0.0], [-0.6, 0.0, 0.8], [0.8, 0.0, 0.6]])
    positions = some.positions.copy()
    positions[3] = (positions[0] @ turn).round(6)
    positions[4] = positions[1] * [1, 1, -1] + 5.0
    positions[5] = positions[2] + 1e-3 * np.random.default_rng(0).normal(size=positions[2].shape)
    assert first_occurrence(replace(some, positions=positions)).tolist() == [0, 1, 2, 0, 1, 5]


def springs_of_water(positions: np.ndarray, spring: float, rest: float) -> FrameSet:
    """Frames of shape (n, 3, 3) of water with two harmonic bonds, eV/Å² and Å."""
    vectors = positions[:, 1:] - positions[:, :1]
    d_ij = np.linalg.norm(vectors, axis=2)
    on_hydrogen = -spring * ((d_ij - rest) / d_ij)[..., None] * vectors
    forces = np.concatenate([-on_hydrogen.sum(axis=1, keepdims=True), on_hydrogen], axis=1)
    energies = 0.5 * spring * np.sum((d_ij - rest) ** 2, axis=1)
    return FrameSet(np.array([8, 1, 1]), positions, energies, forces, temperature_K=300.0)


WATER_A = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def test_frames_about_a_structure_that_is_no_minimum_have_one_sign() -> None:
    """Random displacements of a structure whose bonds are too short: all forces stretch them on the mean."""
    rng = np.random.default_rng(0)
    frames = springs_of_water(WATER_A + rng.normal(scale=0.05, size=(60, 3, 3)), spring=30.0, rest=1.2)

    def verdict(forces: np.ndarray) -> str:
        stated = StatedUnits.of_energy("eV")
        return common_units_verdict(replace(frames, forces=forces), np.arange(60), stated).verdict

    assert verdict(frames.forces) == "ok"
    assert verdict(np.where(np.arange(60)[:, None, None] % 5 == 0, -frames.forces, frames.forces)) == "error"


def test_a_ramp_of_the_temperature_is_told() -> None:
    """Displacements along the bonds grow from the first to the last frame, or are the same."""
    rng, n_frames = np.random.default_rng(0), 400
    bonds = WATER_A[1:] - WATER_A[0]
    stretch = rng.normal(scale=0.03, size=(n_frames, 2, 1))

    def verdict(scale: np.ndarray) -> str:
        positions = np.repeat(WATER_A[None], n_frames, axis=0)
        positions[:, 1:] += scale[:, None, None] * stretch * bonds
        frames = springs_of_water(positions, spring=30.0, rest=float(np.linalg.norm(bonds, axis=1).mean()))
        by_energy = frames.select(np.argsort(frames.energies))
        assert temperature_verdicts(by_energy)[1].verdict == "cannot tell"
        return temperature_verdicts(frames)[1].verdict

    ramp = np.sqrt(np.linspace(0.5, 1.5, n_frames))
    assert verdict(np.ones(n_frames)) == "ok"
    assert verdict(ramp) == "warning"
    assert verdict(rng.permutation(ramp)) == "ok"
    two_temperatures = np.repeat(np.sqrt([300.0, 1000.0]), n_frames // 2) / np.sqrt(500.0)
    assert verdict(two_temperatures) == "warning"
    assert verdict(rng.permutation(two_temperatures)) == "ok"


def test_forces_of_a_rigid_torsion_have_one_unit() -> None:
    """Forces of hydrogen peroxide, turned about a rigid O-O bond, are large at the barrier only."""
    angles = np.linspace(0.2, 2 * np.pi - 0.2, 80)
    circle = 0.9 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    positions = np.zeros((80, 4, 3))
    positions[:, 1, 2] = 1.45
    positions[:, 2] = 0.9, 0.0, -0.3
    positions[:, 3, :2], positions[:, 3, 2] = circle, 1.75
    frames = replace(turning(positions), temperature_K=300.0)
    assert force_scales_verdict(frames, np.arange(80)).verdict == "cannot tell"


def test_relaxed_frames_have_no_temperature() -> None:
    """Bonds of a relaxed scan have different lengths, and pull at no atom."""
    stretch = np.random.default_rng(0).normal(scale=0.03, size=(60, 2, 1))
    positions = np.repeat(WATER_A[None], 60, axis=0)
    positions[:, 1:] *= 1 + stretch
    stated, steady = temperature_verdicts(springs_of_water(positions, spring=1e-3, rest=0.96))
    assert (stated.verdict, steady.verdict) == ("warning", "cannot tell")
    assert "optimization has no temperature" in stated.text


def turning(positions: np.ndarray) -> FrameSet:
    """Frames of H2O2 whose energy (eV) is a narrow barrier of the torsion; forces by differences."""

    def energies_of(at: np.ndarray) -> np.ndarray:
        x, y = at[:, 3, 0] - at[:, 1, 0], at[:, 3, 1] - at[:, 1, 1]
        u, v = at[:, 2, 0] - at[:, 0, 0], at[:, 2, 1] - at[:, 0, 1]
        phi = np.arctan2(y, x) - np.arctan2(v, u)
        return np.exp(3 * (np.cos(phi) - 1)) + 0.05 * np.cos(phi)

    forces = np.zeros_like(positions)
    for index in np.ndindex(4, 3):
        shift = np.zeros_like(positions)
        shift[:, *index] = 1e-5
        forces[:, *index] = (energies_of(positions - shift) - energies_of(positions + shift)) / 2e-5
    return FrameSet(np.array([8, 8, 1, 1]), positions, energies_of(positions), forces)


@pytest.mark.parametrize("step", [0.0434, 0.02], ids=["1 kcal/mol", "0.02 eV"])
def test_energies_of_a_few_values_are_coarse(ethanol: FrameSet, step: float) -> None:
    frames = ethanol.evenly_spaced(60)
    energies = frames.energies[0] + 0.1 * (frames.energies - frames.energies.mean())
    coarse = replace(frames, energies=np.round(energies / step) * step)
    assert precision_verdict(replace(frames, energies=energies)).verdict == "ok"
    assert precision_verdict(coarse).verdict == "warning"
    twice = replace(frames.select(np.repeat(np.arange(4), 15)))
    assert precision_verdict(twice).verdict == "ok"
