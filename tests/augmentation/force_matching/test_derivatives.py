"""Derivatives of the forces with respect to the parameters, by finite differences."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation.force_matching.derivatives import (
    errors_by_coordinate,
    linear_jacobian,
    nonlinear_jacobian,
)
from mdaug.augmentation.force_matching.initial_field import initial_force_field


@pytest.fixture(params=["a molecule", "a short cutoff", "two molecules", "a cell"])
def field_and_frames(request, matched, ethanol_frames, water_frames, boxed_waters):
    if request.param == "a molecule":
        return matched, ethanol_frames.select(slice(0, 3))
    if request.param == "a short cutoff":
        return replace(matched, cutoff=1.7), ethanol_frames.select(slice(0, 3))
    frames = (water_frames if request.param == "two molecules" else boxed_waters).select(slice(0, 3))
    field = initial_force_field(frames)
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal(field.parameters.shape)
    return field.with_parameters(field.parameters + noise), frames


def test_columns_are_the_derivatives_of_the_forces(field_and_frames):
    field, frames = field_and_frames
    found = np.concatenate([linear_jacobian(field, frames), nonlinear_jacobian(field, frames)], axis=1)
    h = 1e-4
    for column in range(len(field.parameters)):
        step = np.zeros_like(field.parameters)
        step[column] = h
        up, down = (
            field.with_parameters(field.parameters + sign * step).evaluate(
                frames.positions, frames.periodic_cells
            )[1]
            for sign in (1, -1)
        )
        np.testing.assert_allclose(found[:, column], ((up - down) / (2 * h)).ravel(), atol=2e-5)


def test_a_residual_along_a_bond_is_an_error_of_bonds(matched, ethanol_frames):
    few = ethanol_frames.select(slice(0, 4))
    residual = np.zeros_like(few.forces)
    along = few.positions[:, 8] - few.positions[:, 2]
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    residual[:, 8], residual[:, 2] = along, -along
    errors = errors_by_coordinate(matched, few, residual)
    assert errors["bonds"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert max(errors[kind] for kind in ("angles", "torsions", "pairs")) < 1e-6


def test_errors_by_coordinate_add_up(matched, ethanol_frames):
    few = ethanol_frames.select(slice(0, 4))
    residual = few.forces - matched.evaluate(few.positions)[1]
    errors = errors_by_coordinate(matched, few, residual)
    assert sum(error**2 for error in errors.values()) == pytest.approx(np.mean(residual**2), rel=1e-6)
    assert errors["angles"] > 0
