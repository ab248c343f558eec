"""Dissociation curves, far dimers and few frames: distances alone are no evidence of another unit."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.force_scales import force_scales_verdict
from mdaug.data.verification.unit_inference import measure_units
from mdaug.data.verification.verify import AT_LOAD, verify_frames
from mdaug.frames import FloatArray, FrameSet
from mdaug.verdicts import Verdict

HYDROGEN, NITROGEN = (1, 4.75, 1.94, 0.741), (7, 9.9, 2.69, 1.098)
"""Atomic number, depth (eV), exponent (1/Å) and minimum (Å) of a Morse curve."""

EV = StatedUnits.of_energy("eV")


def morse(curve: tuple[int, float, float, float], d_ij: FloatArray) -> FrameSet:
    """Exact energies and forces of two atoms at distances (n,), Å."""
    number, depth, exponent, minimum = curve
    decay = np.exp(-exponent * (d_ij - minimum))
    positions, forces = np.zeros((len(d_ij), 2, 3)), np.zeros((len(d_ij), 2, 3))
    positions[:, 1, 2] = d_ij
    forces[:, 1, 2] = -2 * depth * exponent * (1 - decay) * decay
    forces[:, 0] = -forces[:, 1]
    return FrameSet(np.array([number, number]), positions, depth * (1 - decay) ** 2, forces)


def verdicts(frames: FrameSet) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in verify_frames(frames, EV, AT_LOAD).verdicts}


def errors(frames: FrameSet) -> list[str]:
    return [verdict.text for verdict in verdicts(frames).values() if verdict.verdict == "error"]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(morse(HYDROGEN, np.linspace(0.6, 4.0, 25)), id="curve of H2"),
        pytest.param(morse(HYDROGEN, np.array([0.74, 3.0])), id="two frames"),
        pytest.param(morse(NITROGEN, np.linspace(0.9, 6.0, 40)), id="curve of N2, its minimum an outlier"),
        pytest.param(morse(NITROGEN, np.linspace(2.0, 3.3, 30)), id="atoms apart in every frame"),
        pytest.param(morse(NITROGEN, np.linspace(6.0, 9.0, 30)), id="atoms beyond any cutoff"),
    ],
)
def test_broken_bonds_are_no_lengths_in_bohr(frames: FrameSet) -> None:
    assert errors(frames) == []


@pytest.mark.parametrize("n_frames", [3, 40])
def test_a_molecule_in_bohr_is_found_in_few_frames(ethanol: FrameSet, n_frames: int) -> None:
    frames = ethanol.evenly_spaced(n_frames)
    verdict = verdicts(replace(frames, positions=frames.positions / units.Bohr))["unit of lengths"]
    assert verdict.verdict == "error"
    assert "--length-units Bohr" in verdict.text


def test_the_frames_of_one_file_in_angstrom_do_not_hide_those_in_bohr(ethanol: FrameSet) -> None:
    """Most frames are in Bohr; the others are no frames of a scan, in which distances are continuous."""
    frames = ethanol.evenly_spaced(60)
    positions = frames.positions.copy()
    positions[np.random.default_rng(0).random(60) > 1 / 3] /= units.Bohr
    evidence, _ = measure_units(replace(frames, positions=positions), np.arange(60))
    assert evidence.to_a == pytest.approx(units.Bohr)
    verdict = verdicts(replace(frames, positions=positions))["one unit in all frames"]
    assert verdict.verdict == "error"
    assert "lengths of two units in one file" in verdict.text


def test_bonds_of_two_atoms_that_vibrate_show_their_unit() -> None:
    """A harmonic H₂ in Bohr; at rest, or in a few frames, it may be a dimer of another distance."""
    d_ij = 0.741 + 0.03 * np.random.default_rng(0).normal(size=60)
    frames = morse(HYDROGEN, d_ij)
    in_bohr = replace(frames, positions=frames.positions / units.Bohr)
    assert verdicts(in_bohr)["unit of lengths"].verdict == "error"
    assert verdicts(in_bohr.evenly_spaced(5))["unit of lengths"].verdict == "warning"
    positions = np.where(np.arange(60)[:, None, None] < 15, frames.positions, in_bohr.positions)
    assert verdicts(replace(frames, positions=positions))["unit of lengths"].verdict == "error"
    still = replace(in_bohr, forces=np.zeros_like(in_bohr.forces))
    assert verdicts(still)["unit of lengths"].verdict == "warning"


def test_forces_of_an_exponential_tail_have_one_unit() -> None:
    frames = morse(NITROGEN, 1.098 * np.linspace(0.9013, 8.0, 100))
    assert force_scales_verdict(frames, np.arange(100)).verdict != "error"


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(units.Bohr, "error"), (4.184, "error"), (1 / 23.06, "error"), (3.0, "cannot tell")],
)
def test_only_factors_between_units_are_units(ethanol: FrameSet, factor: float, expected: str) -> None:
    frames = ethanol.evenly_spaced(90)
    forces = frames.forces.copy()
    forces[::3] *= factor
    verdict = force_scales_verdict(replace(frames, forces=forces), np.arange(90))
    assert verdict.verdict == expected
    assert verdict.value == pytest.approx(max(factor, 1 / factor), rel=0.1)
