"""Parameters of equal chemical environments in other systems as the prior of a force-matched field."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.augmentation.force_matching.assessment import fit_and_assess
from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.augmentation.force_matching.shared_parameters import NARROWER, Donor, Donors, shared_priors
from mdaug.data import load_frames

DATA = Path(__file__).parents[2] / "data"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def methanol():
    return load_frames(DATA / "methanol.npz")


@pytest.fixture(scope="module")
def donor():
    """Return the field of ethanol, whose hydroxyl and methyl groups have the environments of methanol."""
    return Donor(match_forces(load_frames("ethanol").select(slice(0, 100))), 100)


def rms_error(field, frames):
    return np.sqrt(np.mean((frames.forces - field.evaluate(frames.positions, None)[1]) ** 2))


def test_few_frames_are_fitted_better(methanol, donor):
    few, others = methanol.select(slice(0, 8)), methanol.select(slice(8, None))
    alone = rms_error(match_forces(few), others)
    shared = rms_error(match_forces(few, donors=[donor]), others)
    assert shared < 0.8 * alone


def test_the_prior_is_the_mean_of_the_donors_relative_to_the_mean_length(methanol, donor):
    field = initial_force_field(methanol)
    donor_field = donor.field
    stiffer = Donor(donor_field.with_parameters(1.5 * donor_field.parameters), 300)
    widths, n = np.ones(len(field.parameters)), field.terms.n_coefficients
    free = np.ones(n, dtype=bool)
    means, narrow = shared_priors(field, [donor], widths, free)
    found = narrow < 1
    assert set(narrow[found]) == {NARROWER} and 0.7 < found.mean() < 1
    np.testing.assert_array_equal(means[~found], field.parameters[~found])
    both, _ = shared_priors(field, [donor, stiffer], widths, free)
    np.testing.assert_allclose(both[:n], 1.375 * means[:n], rtol=1e-12)
    # the O-H bond is the one of the shortest mean length: r0 is shared as the difference from it
    starts = np.arange(len(field.plateaus)), np.arange(len(donor_field.plateaus))
    lengths = [
        one.parameters[one.n_linear + 4 * at] for one, at in zip((field, donor_field), starts, strict=True)
    ]
    (own, theirs) = (int(one.argmin()) for one in lengths)
    bond = np.unique(donor_field.bond_kind, return_index=True)[1][theirs]
    shift = lengths[1][theirs] - donor_field.mean_lengths[bond]
    assert means[field.n_linear + 4 * own] == pytest.approx(lengths[0][own] + shift, abs=1e-12)


def test_atoms_with_another_number_of_neighbors_share_nothing(methanol, donor):
    """Carbon has three neighbors here and four in ethanol; oxygen has two in both."""
    kept = np.setdiff1d(np.arange(6), np.flatnonzero(methanol.atomic_numbers == 1)[:1])
    radical = replace(
        methanol,
        atomic_numbers=methanol.atomic_numbers[kept],
        positions=methanol.positions[:, kept],
        forces=methanol.forces[:, kept],
    )
    field = initial_force_field(radical)
    bonds = field.topology.bonds[np.unique(field.bond_kind, return_index=True)[1]]
    widths, free = np.ones(len(field.parameters)), np.ones(field.terms.n_coefficients, dtype=bool)
    narrow = shared_priors(field, [donor], widths, free)[1][field.n_linear :][: 4 * len(bonds) : 4]
    kinds = [tuple(sorted(field.topology.atomic_numbers[bond].tolist())) for bond in bonds]
    assert dict(zip(kinds, narrow.tolist(), strict=True)) == {(1, 6): 1.0, (6, 8): 1.0, (1, 8): NARROWER}


def test_terms_that_failed_a_check_are_not_shared(methanol, donor):
    field = initial_force_field(methanol)
    widths, free = np.ones(len(field.parameters)), np.zeros(field.terms.n_coefficients, dtype=bool)
    means, narrow = shared_priors(field, [donor], widths, free)
    n = field.terms.n_coefficients
    np.testing.assert_array_equal(means[:n], 0.0)
    np.testing.assert_array_equal(narrow[:n], 1.0)
    assert (narrow[n:] == NARROWER).any()


def test_parameters_are_shared_only_if_held_out_errors_fall(methanol, donor):
    few = methanol.select(slice(0, 16))
    *_, used = fit_and_assess(few, donors=[donor])
    assert used.changed[0].startswith("parameters of equal environments in other systems: held-out forces")
    wrong = Donor(replace(donor.field, parameters=-5.0 * donor.field.parameters), donor.n_frames)
    field, _, unused = fit_and_assess(few, donors=[wrong])
    alone, _, plain = fit_and_assess(few)
    assert unused.changed[0].startswith("no parameters of equal environments")
    assert unused.changed[1:] == plain.changed
    np.testing.assert_array_equal(field.parameters, alone.parameters)


def test_donors_are_gathered_once_for_all_systems(methanol, donor):
    """The priors are those of the same donors given one by one, without the field of the system itself."""
    few = methanol.select(slice(0, 8))
    field = match_forces(few)
    widths, free = np.ones(len(field.parameters)), np.ones(field.terms.n_coefficients, dtype=bool)
    stiffer = Donor(donor.field.with_parameters(1.5 * donor.field.parameters), 300)
    pool = Donors([donor, Donor(field, len(few)), stiffer])
    for number, others in ((1, [donor, stiffer]), (0, [Donor(field, len(few)), stiffer])):
        own = pool.without(number)
        expected = shared_priors(field, others, widths, free)
        for values, wanted in zip(shared_priors(field, own, widths, free), expected, strict=True):
            np.testing.assert_array_equal(values, wanted)
        assert [len(own), list(own)] == [2, others]
    assert pool.without(1).own is field
    assert pool.own is None
    assert not Donors([donor]).without(0)


def test_the_field_of_a_system_alone_is_not_fitted_again(methanol, donor, monkeypatch):
    """With or without donors, each fit is made once: the result is that without what is known."""
    few = methanol.select(slice(0, 8))
    alone = match_forces(few)
    wrong = Donor(replace(donor.field, parameters=-5.0 * donor.field.parameters), donor.n_frames)
    field, half, expected = fit_and_assess(few, donors=[wrong])
    fits = []

    def counted(*given, **named):
        fits.append(given)
        return match_forces(*given, **named)

    monkeypatch.setattr("mdaug.augmentation.force_matching.assessment.match_forces", counted)
    again, same_half, found = fit_and_assess(few, donors=Donors([wrong, Donor(alone, len(few))], own=1))
    assert not any(given[0] is few and given[1] is None for given in fits)
    np.testing.assert_array_equal(again.parameters, field.parameters)
    np.testing.assert_array_equal(same_half.field.parameters, half.field.parameters)
    assert found == expected
