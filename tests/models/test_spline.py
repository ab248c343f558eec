"""Cubic B-splines: partition of unity, slope, smoothness, and filters that follow the network."""

import numpy as np
import pytest
import torch

from mdaug.models import spline
from mdaug.models.graph import Graph

CUTOFF, N_KNOTS = 3.0, 12
SPACING, N_ROWS = CUTOFF / N_KNOTS, N_KNOTS + 3
DISTANCES = torch.linspace(0.0, CUTOFF - 1e-9, 101, dtype=torch.float64)


def test_weights_add_up_to_one_and_their_slopes_to_zero():
    _, value, slope = spline.basis(DISTANCES, SPACING, N_ROWS)
    np.testing.assert_allclose(value.sum(-1), 1, atol=1e-15)
    np.testing.assert_allclose(slope.sum(-1), 0, atol=1e-13)
    assert (value >= 0).all()


def test_straight_lines_are_reproduced():
    """Coefficients that are positions give the position: tables are centred where `table_positions` says."""
    table = spline.table_positions(N_KNOTS, CUTOFF).unsqueeze(-1)
    row, value, slope = spline.basis(DISTANCES, SPACING, N_ROWS)
    np.testing.assert_allclose(spline.evaluate(table, row, value)[:, 0], DISTANCES, atol=1e-14)
    np.testing.assert_allclose(spline.evaluate(table, row, slope)[:, 0], 1, atol=1e-13)


def test_slope_and_two_continuous_derivatives():
    table = torch.randn(N_ROWS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def at(d, derivative):
        row, *weights = spline.basis(torch.as_tensor(d, dtype=torch.float64), SPACING, N_ROWS)
        return spline.evaluate(table, row, weights[derivative]).numpy()

    h = 1e-6
    inner = DISTANCES[2:-2].numpy() + 0.0017
    np.testing.assert_allclose(at(inner, 1), (at(inner + h, 0) - at(inner - h, 0)) / (2 * h), atol=1e-7)
    knots = SPACING * np.arange(1, N_KNOTS)
    for derivative in (0, 1):
        np.testing.assert_allclose(at(knots - 1e-10, derivative), at(knots + 1e-10, derivative), atol=1e-7)
    left = (at(knots - h, 1) - at(knots - 2 * h, 1)) / h
    right = (at(knots + 2 * h, 1) - at(knots + h, 1)) / h
    np.testing.assert_allclose(left, right, atol=1e-2 * np.abs(left).max())


def test_nothing_at_or_beyond_the_end():
    _, value, slope = spline.basis(torch.tensor([CUTOFF, CUTOFF + 1e-9, 50.0]), SPACING, N_ROWS)
    assert not value.any() and not slope.any()


def test_spline_filters_approach_the_network(make_model):
    """Coefficients taken from the function itself (not interpolating) err with the square of the spacing."""
    d_ij = torch.linspace(0.5, 3.8, 50, dtype=torch.float64)
    many = torch.arange(50)
    graph = Graph(many % 3, many, (many + 1) % 50, d_ij, torch.zeros(50, 3), many * 0, 1)
    errors = []
    for n_knots in (64, 128, 512):
        smooth = make_model(filters="spline", n_knots=n_knots)
        direct = make_model(filters="direct")
        row, value, slope = spline.basis(d_ij, smooth.spacing, n_knots + 3)
        wanted = direct.pairs(graph)
        table = smooth.tables()[1]
        error = (spline.evaluate(table, row, value) - wanted.filters[1]).abs().max()
        slope_error = (spline.evaluate(table, row, slope) - wanted.slopes[1]).abs().max()
        errors.append((float(error.detach()), float(slope_error.detach())))
    assert errors[0][0] / errors[1][0] == pytest.approx(4, rel=0.2)
    assert errors[2][0] < 1e-4 and errors[2][1] < 1e-3


def test_tables_end_in_three_zeros_unless_there_is_no_envelope(make_model):
    for table in make_model(cutoff_function="c2").tables():
        assert not table[-3:].any() and table[-4].any()
    for table in make_model(cutoff_function="none").tables():
        assert table[-3:].all()


def test_knots_stay_exact_when_a_float32_model_is_converted(make_model):
    """A model trained in float32 has the same knots as one made in float64."""
    assert torch.equal(make_model().float().double().knots, spline.table_positions(64, 4.0))
