"""Fields that must not be used are found: wrong forces, wells, curves, contacts, spurious minima."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation import AugmentOptions
from mdaug.augmentation.force_matching import assessment, checks, distorted_geometries
from mdaug.augmentation.force_matching.assessment import LEFT_OUT, TIGHTER, UnsoundFieldError, assess
from mdaug.augmentation.force_matching.checks import SCAN_LENGTHS, HeldOut, curve_fault
from mdaug.augmentation.force_matching.force_matched_rule import force_matched_rule
from mdaug.augmentation.generate import make_augmentation
from mdaug.augmentation.label_rules import make_rule
from mdaug.errors import DataError
from mdaug.verdicts import Verdict

pytestmark = pytest.mark.slow


@pytest.fixture
def few(monkeypatch):
    """Fewer geometries than in use, as these take the time."""
    monkeypatch.setattr(distorted_geometries, "N_GEOMETRIES", 30)
    monkeypatch.setattr(distorted_geometries, "N_HOT", 10)


@pytest.fixture
def verdicts(matched, ethanol_frames, few):
    """A function from a field to its verdicts by name."""

    def of(field, frames=ethanol_frames) -> dict[str, Verdict]:
        made = assess(field, frames, HeldOut(matched, frames, frames))
        return {verdict.name: verdict for verdict in made.verdicts}

    return of


def test_the_field_of_ethanol_is_sound(matched, verdicts):
    made = verdicts(matched)
    assert {verdict.verdict for verdict in made.values()} == {"ok"}
    assert len(made) == 6


def test_wrong_forces_are_an_error_and_so_are_those_on_one_atom(
    matched, ethanol_frames, verdicts, monkeypatch
):
    rng = np.random.default_rng(0)
    noise = 0.4 * rng.standard_normal(ethanol_frames.forces.shape)
    wrong = verdicts(matched, replace(ethanol_frames, forces=ethanol_frames.forces + noise))[
        "held-out forces"
    ]
    assert wrong.verdict == "error"
    assert "its terms do not describe the forces" in wrong.text
    one = np.zeros_like(noise)
    one[:, 8] = 0.6 * noise[:, 8]
    monkeypatch.setattr(checks, "HELD_OUT_SHARE_OF_ATOM", 0.2)
    text = verdicts(matched, replace(ethanol_frames, forces=ethanol_frames.forces + one))[
        "held-out forces"
    ].text
    assert "of the forces on H8" in text


@pytest.mark.parametrize("factor", [-1.0, 0.2, 5.0])
def test_a_well_that_is_negative_or_far_from_its_table_is_an_error(matched, verdicts, factor):
    plateaus = matched.plateaus.copy()
    plateaus[1] *= factor
    made = verdicts(replace(matched, plateaus=plateaus))
    assert made["well depths"].verdict == "error"
    assert "C-O (0-2)" in made["well depths"].text
    assert (made["bond stiffness"].verdict == "error") == (factor < 0)


def test_a_bond_whose_terms_pull_it_down_again_is_an_error(matched, verdicts):
    """A coefficient of a product that O-H and the angle beside it share."""
    parameters = matched.parameters.copy()
    gates = matched.terms.gates[:, -1] & (matched.terms.factors[:, 0] == len(matched.topology.bonds) - 1)
    parameters[matched.terms.parameter[gates]] -= 40.0
    made = verdicts(matched.with_parameters(parameters))
    assert made["bond curves"].verdict == "error"


def morse(depth=100.0):
    return depth * (1 - np.exp(-2.0 * (SCAN_LENGTHS - 1))) ** 2


@pytest.mark.parametrize(
    ("energies", "fault"),
    [
        (morse(), ""),
        (morse() - 30 * np.exp(-(((SCAN_LENGTHS - 3) / 0.3) ** 2)), "on the way to dissociation"),
        (morse() - 50 * np.exp(-(((SCAN_LENGTHS - 0.7) / 0.05) ** 2)), "when it is compressed"),
        (-morse(), "lowest at"),
        (np.where(SCAN_LENGTHS < 2, morse(), 105 - 0.5 * SCAN_LENGTHS), ""),
        (np.where(SCAN_LENGTHS < 4, morse(), 20.0), "on the way to dissociation"),
    ],
)
def test_curves_must_have_one_minimum_and_rise_from_it(energies, fault):
    found = curve_fault(energies / 23.06)
    assert (fault in found) if fault else found == ""


def test_atoms_that_attract_each_other_at_contact_are_an_error(matched, ethanol_frames, few):
    parameters = matched.parameters.copy()
    n_far = int(np.sum(matched.topology.separation >= 3))
    last = matched.terms.parameter[-n_far:]
    parameters[last] = -5.0
    made = assess(
        matched.with_parameters(parameters), ethanol_frames, HeldOut(matched, ethanol_frames, ethanol_frames)
    )
    verdict = next(one for one in made.verdicts if one.name == "repulsion")
    assert verdict.verdict == "error"
    assert set(made.suspects) >= set(last.tolist())


def test_a_hydrogen_bond_in_the_frames_may_attract(matched, ethanol_frames):
    topology, terms = matched.topology, matched.terms
    far = topology.pairs[topology.separation >= 3]
    to_oxygen = (np.sort(topology.atomic_numbers[far], axis=1) == [1, 8]).all(axis=1)
    parameters = matched.parameters.copy()
    parameters[terms.parameter[-len(far) :][to_oxygen]] = -0.16
    field = matched.with_parameters(parameters)
    assert checks.check_contacts(field, ethanol_frames)[0].verdict == "error"
    positions = ethanol_frames.positions.copy()
    for i, j in far[to_oxygen]:
        along = positions[0, j] - positions[0, i]
        positions[0, j] = positions[0, i] + 1.8 * along / np.linalg.norm(along)
    bonded = replace(ethanol_frames, positions=positions)
    assert checks.check_contacts(field, bonded)[0].verdict == "ok"


def test_terms_that_fail_get_a_tighter_prior_and_are_then_left_out():
    once = assessment.narrowed(np.ones(4), (1, 3))
    np.testing.assert_array_equal(once, [1, TIGHTER, 1, TIGHTER])
    twice = assessment.narrowed(once, (0, 3))
    np.testing.assert_array_equal(twice, [TIGHTER, TIGHTER, 1, LEFT_OUT])
    np.testing.assert_array_equal(assessment.narrowed(twice, (3,)), twice)


def test_energies_below_all_frames_are_an_error(matched, ethanol_frames, few):
    """Cubic terms of the angles, which bring the energy down where angles close."""
    parameters = matched.parameters.copy()
    thrice = (matched.terms.factors[:, 0] == matched.terms.factors[:, 1]) & (
        matched.terms.factors[:, 1] == matched.terms.factors[:, 2]
    )
    parameters[np.unique(matched.terms.parameter[thrice])] -= 30.0
    verdict, _ = distorted_geometries.check_geometries(
        matched.with_parameters(parameters), ethanol_frames, np.random.default_rng(0)
    )
    assert verdict.verdict == "error"


def test_an_unsound_field_labels_nothing(frames, springs):
    """Forces that are random numbers."""
    with pytest.raises(UnsoundFieldError, match="more than 15%"):
        force_matched_rule(frames)
    with pytest.warns(UserWarning, match="rule 'gradient' instead"):
        rule = make_rule(frames, springs, AugmentOptions())
    assert rule.name == "gradient"
    assert "more than 15%" in rule.reason
    assert any(verdict.verdict == "error" for verdict in rule.verdicts)


def unsound(share, *others):
    """Return the verdicts of a field whose held-out errors are this share of the forces."""
    held_out = Verdict("held-out forces", "error", 30.0 * share, 30.0 * checks.HELD_OUT_SHARE, "inaccurate")
    return [held_out, *others]


def test_a_field_that_is_only_inaccurate_is_told_from_a_wrong_one(matched, ethanol_frames, few):
    assert assessment.is_rough(matched, ethanol_frames, unsound(0.3))
    assert not assessment.is_rough(matched, ethanol_frames, unsound(0.6))
    depths = Verdict("well depths", "error", 5.0, 2.0, "wrong")
    assert not assessment.is_rough(matched, ethanol_frames, unsound(0.3, depths))
    sound = [replace(unsound(0.1)[0], verdict="ok"), depths]
    assert not assessment.is_rough(matched, ethanol_frames, sound)


def test_an_inaccurate_field_must_rise_where_atoms_approach(matched, ethanol_frames, few):
    parameters = matched.parameters.copy()
    n_far = int(np.sum(matched.topology.separation >= 3))
    parameters[matched.terms.parameter[-n_far:]] = -5.0
    assert not assessment.is_rough(matched.with_parameters(parameters), ethanol_frames, unsound(0.3))
    parameters = matched.parameters.copy()
    thrice = (matched.terms.factors == matched.terms.factors[:, :1]).all(axis=1)
    parameters[np.unique(matched.terms.parameter[thrice])] -= 30.0
    assert not assessment.is_rough(matched.with_parameters(parameters), ethanol_frames, unsound(0.3))


def test_a_training_keeps_the_field_that_makes_no_labels(frames, springs):
    rule = make_rule(frames, springs, AugmentOptions(), stand_in=False)
    assert rule.unsound_field is not None
    made = make_augmentation(frames, springs, AugmentOptions(), stand_in=False)
    assert made.field is None and made.unsound_field is not None and len(made.frames) == 0


def test_bonds_that_only_half_of_the_frames_have_are_refused(ethanol_frames):
    """The hydroxyl bond is broken in every other frame, and so in none of the even ones."""
    positions = ethanol_frames.positions.copy()
    bond = positions[1::2, 8] - positions[1::2, 2]
    positions[1::2, 8] += 4.0 * bond
    with pytest.raises(DataError, match="some bonds are there in about half of the frames"):
        assessment.fit_and_assess(replace(ethanol_frames, positions=positions))
