"""Frames of ethanol, of two waters, of waters in a cell, and the force fields matched to them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.data import load_frames
from mdaug.frames import FrameSet


@pytest.fixture(scope="session")
def ethanol_frames():
    return load_frames("ethanol", every=36)


@pytest.fixture(scope="session")
def unmatched(ethanol_frames):
    return initial_force_field(ethanol_frames)


@pytest.fixture(scope="session")
def matched(ethanol_frames):
    torch.set_num_threads(1)
    return match_forces(ethanol_frames)


@pytest.fixture(scope="session")
def water_frames():
    """Two waters at an O···O distance of 3 Å or so, with the forces of a force field that attracts."""
    rng = np.random.default_rng(4)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    other = water @ np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]) + np.array([2.9, 0.3, -0.2])
    positions = np.concatenate([water, other]) + 0.05 * rng.standard_normal((24, 6, 3))
    positions[:, 3:] += 0.2 * rng.standard_normal((24, 1, 3))
    frames = FrameSet(
        np.array([8, 1, 1] * 2), positions, np.zeros(24), np.zeros_like(positions), name="waters"
    )
    return with_forces(frames)


@pytest.fixture(scope="session")
def boxed_waters(water_frames):
    """The same in a cell, across its faces."""
    cells = np.tile(9.5 * np.eye(3) + 0.3 * np.eye(3, k=1), (len(water_frames), 1, 1))
    boxed = replace(water_frames, cells=cells, pbc=(True,) * 3)
    fractions = boxed.positions @ np.linalg.inv(cells)
    return with_forces(replace(boxed, positions=(fractions % 1.0) @ cells))


def with_forces(frames):
    """Return frames labeled by a force field with softer bonds and charges."""
    field = initial_force_field(frames)
    parameters = field.parameters.copy()
    n_terms = field.terms.n_coefficients
    parameters[:n_terms] = 0.3 * np.cos(np.arange(n_terms))
    parameters[n_terms + 1 : field.n_linear : 2] = [0.3, -0.15, 0.08]
    parameters[field.n_linear : field.n_linear + 2] += [0.01, 0.1]
    energies, forces = field.with_parameters(parameters).evaluate(frames.positions, frames.periodic_cells)
    return replace(frames, energies=energies, forces=forces)
