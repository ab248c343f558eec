"""Functions of distance: their values against formulas, their slopes against differences."""

import math

import numpy as np
import pytest
import torch

from mdaug.models.radial import FilterNetworks, cutoff_function, cutoff_function_slope, ssp

CUTOFF, H = 4.0, 1e-6
DISTANCES = torch.linspace(0.3, 3.9, 25, dtype=torch.float64)


def test_ssp():
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0, 30.0], dtype=torch.float64)
    expected = [math.log(0.5 * math.exp(v) + 0.5) for v in x.tolist()]
    np.testing.assert_allclose(ssp(x), expected, atol=1e-14)


def test_envelope_is_one_at_zero_and_flat_at_the_cutoff():
    d = torch.tensor([0.0, CUTOFF, CUTOFF + 1], dtype=torch.float64)
    np.testing.assert_allclose(cutoff_function(d, CUTOFF), [1, 0, 0], atol=1e-14)
    np.testing.assert_allclose(cutoff_function_slope(d, CUTOFF), [0, 0, 0], atol=1e-14)
    near = torch.tensor([CUTOFF - 1e-2, CUTOFF - 1e-3], dtype=torch.float64)
    value, slope = cutoff_function(near, CUTOFF), cutoff_function_slope(near, CUTOFF)
    assert float(value[1] / value[0]) == pytest.approx(1e-3, rel=0.05)  # ~ u³
    assert float(slope[1] / slope[0]) == pytest.approx(1e-2, rel=0.05)  # ~ u²


def test_envelope_slope():
    numeric = (cutoff_function(DISTANCES + H, CUTOFF) - cutoff_function(DISTANCES - H, CUTOFF)) / (2 * H)
    np.testing.assert_allclose(cutoff_function_slope(DISTANCES, CUTOFF), numeric, atol=1e-9)


def networks(n_hidden=6):
    torch.manual_seed(0)
    made = FilterNetworks(2, (5, n_hidden, 7), CUTOFF, True).double()
    with torch.no_grad():
        for bias in (made.hidden_bias, made.out_bias):
            bias.uniform_(-0.5, 0.5)
    return made


def test_gaussians_start_on_an_even_grid():
    made = networks()
    np.testing.assert_allclose(made.centers[1, 0].detach(), [0, 1, 2, 3, 4])
    np.testing.assert_allclose(made.widths.detach(), np.ones((2, 1, 5)))


def test_filters_by_formula():
    made = networks()
    p = {name: value.detach().numpy() for name, value in made.named_parameters()}
    for block in range(2):
        z = (DISTANCES.numpy()[:, None] - p["centers"][block]) / p["widths"][block]
        hidden = np.exp(-(z**2) / 2) @ p["hidden_weight"][block] + p["hidden_bias"][block]
        expected = np.log(0.5 * np.exp(hidden) + 0.5) @ p["out_weight"][block] + p["out_bias"][block]
        np.testing.assert_allclose(made(DISTANCES)[block].detach(), expected, atol=1e-13)


def test_filter_slopes():
    made = networks()
    with torch.no_grad():
        values, slopes = made.with_slope(DISTANCES)
        np.testing.assert_allclose(values, made(DISTANCES), atol=1e-14)
        numeric = (made(DISTANCES + H) - made(DISTANCES - H)) / (2 * H)
    np.testing.assert_allclose(slopes, numeric, atol=1e-8)
    assert slopes.abs().max() > 0.1


def test_fixed_gaussians_are_not_trained(make_model):
    model = make_model(trainable_gaussians=False)
    assert not model.filter_networks.centers.requires_grad
    assert not model.filter_networks.widths.requires_grad
    assert model.filter_networks.out_weight.requires_grad


def test_hidden_units_of_the_filter_network(make_model):
    assert make_model(filter_network="schutt").filter_networks.hidden_weight.shape == (2, 8, 16)
    assert make_model(filter_network="nff").filter_networks.hidden_weight.shape == (2, 8, 8)
