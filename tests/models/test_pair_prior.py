"""The prior: tables of closed forms, one function on all ways, float64 whatever the network runs in."""

from functools import partial

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mdaug.deployment import DeployedModel
from mdaug.models import SchNet, SchNetOptions
from mdaug.models.pair_functions import well, zbl
from mdaug.models.pair_prior import N_KNOTS, PairPrior, tabulate, zbl_prior


def evaluate(model, atoms):
    idx_i, idx_j = map(torch.from_numpy, np.triu_indices(len(atoms), 1))
    given = torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions), idx_i, idx_j
    return DeployedModel(model)(*given, torch.zeros(len(idx_i), 3))


@pytest.fixture
def silent(make_model):
    """Make a model whose network says nothing, so that prior and references remain."""

    def make(**options):
        model = make_model(**options)
        with torch.no_grad():
            model.network.readout.weight.zero_()
            model.network.readout.bias.zero_()
        return model

    return make


@pytest.mark.parametrize("distance", [0.97, 1.05, 1.8, 2.7, 3.5])
def test_dimer_closed_form(silent, distance):
    """O-H: a Morse bond, switched off between 1.1 and 3 Å, written out."""

    def energy(d):
        t = min(max((d - 1.1) / 1.9, 0.0), 1.0)
        e = np.exp(-2.2 * (d - 0.96))
        return 110 / 23.060548 * ((1 - e) ** 2 - 1) * (1 - 10 * t**3 + 15 * t**4 - 6 * t**5)

    out = evaluate(silent(prior="pair"), Atoms("OH", [[0, 0, 0], [distance, 0, 0]]))
    assert float(out["energy"]) + 2053.0 == pytest.approx(energy(distance), abs=2e-6)
    slope = (energy(distance + 1e-5) - energy(distance - 1e-5)) / 2e-5
    assert out["forces"][1].tolist() == pytest.approx([-slope, 0, 0], abs=1e-4)
    assert out["forces"][0].tolist() == pytest.approx([slope, 0, 0], abs=1e-4)
    assert float(out["strain_derivative"][0, 0]) == pytest.approx(distance * slope, abs=3e-4)
    halves = out["atomic_energies"] - torch.tensor([-2040.0, -13.0]).double()
    assert float(halves[0]) == pytest.approx(float(halves[1]), abs=1e-11)


def test_zbl_in_a_model(silent):
    model = SchNet(SchNetOptions(prior="zbl", n_filters=4), [6, 8], [0.0, 0.0], 1.0, zbl_prior([6, 8], 5.0))
    model = model.double()
    with torch.no_grad():
        model.network.readout.weight.zero_()
        model.network.readout.bias.zero_()
    close = evaluate(model, Atoms("CO", [[0, 0, 0], [0.4, 0, 0]]))
    assert float(close["energy"]) == pytest.approx(float(zbl(np.array(0.4), 6, 8)), rel=1e-5)
    assert float(close["forces"][1, 0]) > 100.0
    assert float(evaluate(model, Atoms("CO", [[0, 0, 0], [1.13, 0, 0]]))["energy"]) == 0.0


def test_zbl_ends_at_a_cutoff_that_is_shorter_than_its_range():
    """Caesium's would reach to 3.7 Å; a table that is cut there would jump."""
    prior = zbl_prior([55], 2.0)
    d = torch.tensor([1.0, 1.9, 1.99, 1.9999]).double()
    zero = torch.zeros(len(d), dtype=torch.int64)
    energies, slopes = prior(zero[:1], zero, zero, d)
    assert float(energies[0]) == pytest.approx(float(zbl(np.array(1.0), 55, 55)), rel=1e-4)
    assert abs(float(energies[2])) < 1e-3 < float(energies[1])
    assert abs(float(energies[3])) < 1e-8 and abs(float(slopes[3])) < 1e-3
    assert prior.description["pairs"]["Cs-Cs"] == {
        "zbl_switched_off_from_A": 1.0,
        "zbl_switched_off_to_A": 2.0,
    }


def test_tables_give_cubics_exactly_and_end_smoothly(silent):
    d = torch.linspace(0.0, 3.9, 57).double()
    table = np.zeros((1, 1, N_KNOTS + 3))
    table[0, 0] = tabulate(lambda x: 2 - x + 3 * x**2 - x**3, 4.0)
    prior = PairPrior([1], table, 4.0, {})
    zero = torch.zeros(len(d), dtype=torch.int64)
    energies, slopes = prior(torch.zeros(1, dtype=torch.int64), zero, zero, d)
    np.testing.assert_allclose(energies, 2 - d + 3 * d**2 - d**3, atol=1e-10)
    np.testing.assert_allclose(slopes, -1 + 6 * d - 3 * d**2, atol=1e-9)
    assert (prior.table[..., -3:] == 0).all()
    for name in ("zbl", "pair"):
        assert (silent(prior=name).prior.table[..., -3:] == 0).all()


def test_a_table_is_as_good_as_its_function():
    function = partial(well, r0=0.96, a=2.2, start=1.1, end=3.0)
    prior = PairPrior([1], tabulate(function, 5.0)[None, None], 5.0, {})
    d = torch.linspace(0.7, 4.9, 999).double()
    zero = torch.zeros(len(d), dtype=torch.int64)
    energies, slopes = prior(torch.zeros(1, dtype=torch.int64), zero, zero, d)
    np.testing.assert_allclose(energies, function(d.numpy()), atol=2e-6)
    h = 1e-6
    numeric = (function(d.numpy() + h) - function(d.numpy() - h)) / (2 * h)
    np.testing.assert_allclose(slopes, numeric, atol=3e-4)


def test_the_prior_stays_in_float64(silent):
    model = silent(prior="pair")
    atoms = molecule("CH3CH2OH")
    exact = evaluate(model, atoms)
    rounded = evaluate(model.float(), atoms)
    assert model.prior.table.dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32
    assert float(rounded["energy"]) == pytest.approx(float(exact["energy"]), abs=1e-10)
    np.testing.assert_allclose(rounded["forces"], exact["forces"], atol=1e-12)


def test_a_checkpoint_brings_back_tables_and_their_description(make_model):
    state = make_model(prior="pair").state_dict()
    options = make_model(prior="pair").options
    blank = SchNet(options, [1, 6, 8], [0.0] * 3, 1.0, PairPrior.blank([1, 6, 8], 4.0)).double()
    blank.load_state_dict(state)
    assert float(blank.prior.table.abs().max()) > 1.0
    assert blank.prior.description["pairs"]["H-O"]["r0_A"] == 0.96


def test_options_and_prior_must_agree():
    with pytest.raises(ValueError, match="'pair', but a prior is not given"):
        SchNet(SchNetOptions(prior="pair"), [1], [0.0], 1.0)
    with pytest.raises(ValueError, match="'none', but a prior is given"):
        SchNet(SchNetOptions(prior="none"), [1], [0.0], 1.0, zbl_prior([1], 5.0))
