"""Energies against forces at the effort of every load: frames that stand out, and advice that was tried."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.compared_energies import ComparedEnergies
from mdaug.data.verification.energies_from_forces import PredictedEnergies, predict_energies
from mdaug.data.verification.energy_force_consistency import _judge_unrelated
from mdaug.data.verification.kernel_energies import kernel_energies, without_smooth_part
from mdaug.data.verification.remedies import Remedies
from mdaug.data.verification.unit_inference import UnitEvidence
from mdaug.data.verification.verify import AT_LOAD, verify_frames
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict
from tests.crystals import copper

EV = StatedUnits.of_energy("eV")


@pytest.fixture(scope="module")
def methanol() -> FrameSet:
    return read_frames("tests/data/methanol.npz").frames


@pytest.fixture(scope="module")
def hydrogen() -> FrameSet:
    """A harmonic H₂, turned at random."""
    rng = np.random.default_rng(0)
    length = 0.75 + 0.035 * rng.normal(size=200)
    axis = rng.normal(size=(200, 3))
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    half = axis * length[:, None] / 2
    pull = 30.0 * (length - 0.75)[:, None] * axis
    return FrameSet(
        np.array([1, 1]), np.stack([-half, half], 1), 15.0 * (length - 0.75) ** 2, np.stack([pull, -pull], 1)
    )


def _verdicts(frames: FrameSet) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in verify_frames(frames, EV, AT_LOAD).verdicts}


def test_the_error_of_a_fitted_frame_is_that_of_a_fit_without_it(methanol: FrameSet) -> None:
    fit = np.arange(0, len(methanol), 2)
    *_, left_out = kernel_energies(methanol, fit, fit[:1])
    _, forces, _ = kernel_energies(methanol, np.delete(fit, 7), fit[7:8])
    # the length of the kernel changes a little with the frames
    assert np.abs(left_out[7]) == pytest.approx(
        np.abs(forces[0] - methanol.forces[fit[7]]), rel=0.1, abs=2e-3
    )


def test_a_single_value_that_is_off_is_not_smooth(methanol: FrameSet) -> None:
    smooth = methanol.positions[:, 0, :] @ np.zeros(3) + np.linalg.norm(
        methanol.positions[:, 0] - methanol.positions[:, 1], axis=1
    )
    values = smooth.copy()
    values[11] += 10 * smooth.std()
    rest = without_smooth_part(methanol.positions, values)
    assert np.abs(rest).argmax() == 11
    assert np.abs(np.delete(rest, 11)).max() < 0.5 * np.abs(rest[11])


@pytest.mark.parametrize("size", [3.0, -4.0])
def test_energies_of_single_frames_are_found_at_load(methanol: FrameSet, size: float) -> None:
    energies = methanol.energies.copy()
    energies[[5, 50]] += size * energies.std()
    verdict = _verdicts(replace(methanol, energies=energies))["energies against forces"]
    assert (verdict.verdict, verdict.frames) == ("warning", (5, 50))


def test_forces_of_single_frames_are_found_at_load(methanol: FrameSet) -> None:
    forces = methanol.forces.copy()
    noise = np.random.default_rng(0).normal(size=forces[[8, 30]].shape)
    forces[[8, 30]] += 2 * forces.std() * (noise - noise.mean(axis=1, keepdims=True))
    verdict = _verdicts(replace(methanol, forces=forces))["forces against other frames"]
    assert (verdict.verdict, verdict.frames) == ("warning", (8, 30))
    assert "--drop-outliers" in verdict.text
    assert _verdicts(methanol)["forces against other frames"].verdict == "ok"


def test_two_fits_agree_about_as_well_as_given_energies(methanol: FrameSet) -> None:
    predicted = predict_energies(methanol, np.arange(len(methanol)), AT_LOAD)
    assert predicted is not None
    given = np.corrcoef(predicted.energies, methanol.energies[predicted.frames])[0, 1]
    assert 0.7 < predicted.reliability < given + 0.02


def test_advice_that_does_not_mend_is_not_given(methanol: FrameSet) -> None:
    evidence = UnitEvidence(1.0, 1.0, slope=1 / 6)
    assert "multiply them by 6" in Remedies(methanol, evidence, EV, lambda _: True).explain_slope(1 / 6)
    text = Remedies(methanol, evidence, EV, lambda _: False).explain_slope(1 / 6)
    assert text.endswith("atoms explains it; expected E and F = −∂E/∂r of one calculation")


def test_units_in_which_frames_do_not_agree_are_not_advised(methanol: FrameSet) -> None:
    evidence = UnitEvidence(1.0, 23.06, slope=1.0)
    mended: list[FrameSet] = []

    def agrees(frames: FrameSet) -> bool:
        mended.append(frames)
        return False

    assert Remedies(methanol, evidence, EV, agrees).other_units() == ()
    assert mended[0].forces == pytest.approx(methanol.forces / 23.06, rel=1e-3)
    (units,) = Remedies(methanol, evidence, EV, lambda _: True).other_units()
    assert units.options(EV) == "--units kcal/mol"


def test_what_cannot_be_decided_is_not_decided(hydrogen: FrameSet) -> None:
    """Two atoms: energies per atom, or forces twice too large; rotated copies."""
    clean = _verdicts(hydrogen)
    assert {clean[name].verdict for name in ("unit of forces", "energies against forces")} == {"ok"}
    assert clean["duplicates"].verdict == "cannot tell"
    halved = _verdicts(replace(hydrogen, energies=hydrogen.energies / 2))["energies against forces"]
    assert halved.verdict == "error"
    assert "multiply them by 2; or the forces are twice too large: cannot tell which" in halved.text


def test_forces_of_other_frames_of_two_atoms(hydrogen: FrameSet) -> None:
    order = np.random.default_rng(1).permutation(len(hydrogen))
    verdicts = _verdicts(replace(hydrogen, forces=hydrogen.forces[order]))
    assert verdicts["forces belong to the positions"].verdict == "error"
    assert verdicts["energies against forces"].verdict == "cannot tell"


def _formic_acid(n_frames: int) -> FrameSet:
    atoms = molecule("HCOOH")
    noise = 0.03 * np.random.default_rng(0).normal(size=(n_frames, len(atoms), 3))
    positions = atoms.positions + noise
    return FrameSet(atoms.numbers, positions, np.zeros(n_frames), np.zeros_like(positions))


def test_oxygens_exchanged_in_a_carboxyl_group_are_no_proton_that_moves() -> None:
    frames = _formic_acid(40)
    first, second = np.flatnonzero(frames.atomic_numbers == 8)
    positions = frames.positions.copy()
    positions[1::2, first], positions[1::2, second] = (
        frames.positions[1::2, second],
        frames.positions[1::2, first],
    )
    verdict = _verdicts(replace(frames, positions=positions))["same molecule in every frame"]
    assert verdict.verdict == "error"
    assert f"O{first}←O{second}" in verdict.text


def test_a_proton_that_moves_along_a_hydrogen_bond_is_no_exchange() -> None:
    numbers = np.array([8, 1, 8])
    positions = np.tile([[0.0, 0, 0], [1.0, 0, 0], [2.55, 0, 0]], (40, 1, 1))
    positions[::3, 1, 0] = 1.55
    positions += 0.01 * np.random.default_rng(0).normal(size=positions.shape)
    frames = FrameSet(numbers, positions, np.zeros(40), np.zeros_like(positions))
    verdict = _verdicts(frames)["same molecule in every frame"]
    assert verdict.verdict == "ok"
    assert "protons that move between atoms: H1" in verdict.text


def test_forces_without_balance_in_late_frames_are_named() -> None:
    """Faults of a few frames, or beyond the first hundreds, are not averaged away."""
    frames = read_frames("ethanol").frames
    forces = frames.forces.copy()
    forces[905::10, 2] = 0.0
    verdict = _verdicts(replace(frames, forces=forces))["forces belong to the positions"]
    assert verdict.verdict == "warning"
    assert len(set(verdict.frames) & set(range(905, 1000, 10))) >= 9
    assert len(verdict.frames) <= 10
    forces = frames.forces.copy()
    forces[500:] = np.roll(forces[500:], 1, axis=1)
    verdict = _verdicts(replace(frames, forces=forces))["forces belong to the positions"]
    assert verdict.verdict == "error"
    assert "take forces in the order [1, 2, 3, 4, 5, 6, 7, 8, 0]" in verdict.text
    assert _verdicts(frames)["forces belong to the positions"].verdict == "ok"


def test_offsets_between_regions_that_no_frame_connects_are_no_error(methanol: FrameSet) -> None:
    """Atoms exchanged in three of four parts of the frames: forces do not determine the offsets."""
    rng = np.random.default_rng(0)
    region = rng.integers(4, size=len(methanol))
    positions, hydrogens = methanol.positions.copy(), np.flatnonzero(methanol.atomic_numbers == 1)
    for number in (1, 2, 3):
        order = np.arange(methanol.n_atoms)
        order[hydrogens] = np.roll(hydrogens, number)
        positions[region == number] = positions[region == number][:, order]
    frames = replace(methanol, positions=positions)
    offsets = 3 * frames.energies.std() * rng.normal(size=4)
    everything = np.arange(len(frames))
    predicted = PredictedEnergies(
        frames=everything,
        energies=frames.energies + offsets[region],
        force_errors=np.full(len(frames), 0.01),
        fitted=everything % 2 == 0,
        explained=0.98,
        reliability=0.9,
        cell_functions=np.empty((len(frames), 0)),
    )
    shuffled = replace(frames, energies=rng.permutation(frames.energies))
    found = [_judge_unrelated(ComparedEnergies(each, predicted)).verdict for each in (frames, shuffled)]
    assert found == ["cannot tell", "error"]


@pytest.fixture(scope="module", params=[0.004, 0.02], ids=["0.4 %", "2 %"])
def strained(request: pytest.FixtureRequest) -> FrameSet:
    """Cells of one shape and many volumes, whose energies change with the volume more than with the atoms."""
    return copper(60, repeat=2, shear=0.0, swelling=request.param)


def test_energies_of_strained_cells_fit_their_forces(strained: FrameSet) -> None:
    verdict = _verdicts(strained)["energies against forces"]
    assert verdict.verdict == "ok", verdict.text
    assert verdict.value == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("how", ["shuffled", "in kcal/mol", "of the other sign"])
def test_wrong_energies_of_strained_cells_are_refused(strained: FrameSet, how: str) -> None:
    shuffled = np.random.default_rng(0).permutation(strained.energies)
    energies = {
        "shuffled": shuffled,
        "in kcal/mol": KCAL_MOL_PER_EV * strained.energies,
        "of the other sign": -strained.energies,
    }
    assert _verdicts(replace(strained, energies=energies[how]))["energies against forces"].verdict == "error"


def test_one_wrong_energy_among_strained_cells_is_named(strained: FrameSet) -> None:
    energies = strained.energies.copy()
    energies[7] += 2.0
    verdicts = _verdicts(replace(strained, energies=energies)).values()
    assert [v.frames for v in verdicts if v.verdict in ("warning", "error") and 7 in v.frames] == [(7,)]


def test_few_frames_do_not_tell_cells_from_forces() -> None:
    verdict = _verdicts(copper(25, shear=0.03))["energies against forces"]
    assert (verdict.verdict, "more if cells differ" in verdict.text) == ("cannot tell", True)


def test_the_slope_of_a_few_frames_is_uncertain(methanol: FrameSet) -> None:
    frames = methanol.select(np.arange(130, 150))  # slope 0.51
    assert _verdicts(frames)["energies against forces"].verdict == "cannot tell"
    too_large = replace(frames, energies=KCAL_MOL_PER_EV * frames.energies)
    assert _verdicts(too_large)["energies against forces"].verdict == "error"
