"""Virial temperature and bond forces of frames that were sampled with their own forces, and of others."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from mdaug.frames import FrameSet
from mdaug.springs.virial import bond_forces, consistency
from mdaug.units import BOLTZMANN_EV_K, KCAL_MOL_PER_EV

TEMPERATURE_K, STIFFNESS = 400.0, 40.0


@pytest.fixture
def solid():
    """Three atoms on springs to fixed places round the origin, in equilibrium: 9 harmonic coordinates."""
    rng = np.random.default_rng(0)
    places = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    width = np.sqrt(BOLTZMANN_EV_K * TEMPERATURE_K / STIFFNESS)
    shift = width * rng.standard_normal((20000, 3, 3))
    shift -= shift.mean(axis=1, keepdims=True)  # 3N − 3 of them are free
    return FrameSet(
        np.array([8, 1, 1]), places + shift, np.zeros(20000), -STIFFNESS * shift, temperature_K=TEMPERATURE_K
    )


def test_virial_temperature_is_that_of_the_sampling(solid):
    found = consistency(solid)
    assert found.virial_temperature_K == pytest.approx(TEMPERATURE_K, abs=4 * found.standard_error_K)
    assert found.standard_error_K < 0.1 * TEMPERATURE_K
    assert found.verdict.verdict == "ok"
    assert "agrees with 400 K: the frames were sampled with these forces" in found.verdict.text


def test_origin_and_net_force_change_nothing(solid):
    positions, forces = (
        solid.positions + np.array([30.0, -20.0, 10.0]),
        solid.forces + np.array([0.1, 0, 0.2]),
    )
    moved = replace(solid, positions=positions, forces=forces)
    assert consistency(moved).virial_temperature_K == pytest.approx(consistency(solid).virial_temperature_K)


@pytest.mark.parametrize("factor", [KCAL_MOL_PER_EV, 1 / KCAL_MOL_PER_EV, 1.6])
def test_wrong_units_and_stiffer_forces_are_warned_of(solid, factor):
    found = consistency(replace(solid, forces=factor * solid.forces))
    assert found.verdict.verdict == "warning"
    assert "differs from 400 K" in found.verdict.text
    assert "units" in found.verdict.text


@pytest.mark.parametrize("seed", range(3))
def test_few_frames_do_not_tell(solid, seed):
    """Of 10 frames the virial temperature is off by hundreds of K, on either side, and may be negative."""
    chosen = solid.select(np.random.default_rng(seed).choice(len(solid), 10, replace=False))
    noisy = replace(chosen, forces=chosen.forces + np.random.default_rng(seed).normal(0, 3.0, (10, 3, 3)))
    compared = consistency(noisy)
    assert compared.verdict.verdict == "cannot tell"
    assert (
        "is too imprecise to be compared with 400 K: more or longer sampled frames" in compared.verdict.text
    )
    assert compared.to_json()["sampling_and_forces"]["verdict"] == "cannot tell"


def test_forces_of_longer_bonds_push_apart(solid):
    """A constant push along the first bond is its mean force, on the hydrogen that would move."""
    vector = solid.positions[:, 1] - solid.positions[:, 0]
    push = 0.3 * vector / np.linalg.norm(vector, axis=1, keepdims=True)
    forces = solid.forces.copy()
    forces[:, 1] += push
    forces[:, 0] -= push
    pushed = consistency(replace(solid, forces=forces)).bonds
    plain = consistency(solid).bonds
    assert [bond.name for bond in plain] == ["O0-H1", "O0-H2"]
    difference = pushed[0].mean_kcal_mol_A - plain[0].mean_kcal_mol_A
    assert difference == pytest.approx(0.3 * KCAL_MOL_PER_EV)
    assert pushed[1].mean_kcal_mol_A == pytest.approx(plain[1].mean_kcal_mol_A)


def test_cells_and_unknown_temperatures_have_none(solid):
    cells = np.tile(np.eye(3) * 12.0, (len(solid), 1, 1))
    assert consistency(replace(solid, cells=cells, pbc=(True,) * 3)) is None
    assert consistency(replace(solid, temperature_K=None)) is None


def test_forces_along_bonds_of_many_frames_are_found_in_little_memory(monkeypatch):
    chain = np.array([[1.5 * n, 0.4 * (n % 2), 0] for n in range(12)])
    positions = np.repeat(chain[None], 5000, axis=0)
    frames = FrameSet(np.full(12, 6), positions, np.zeros(5000), np.ones_like(positions))
    monkeypatch.setattr("mdaug.geometry.molecules.AT_ONCE", 6_600)
    tracemalloc.start()
    assert len(bond_forces(frames)) == 11
    assert tracemalloc.get_traced_memory()[1] < 3_000_000  # all pairs' vectors are 7.9 MB
    tracemalloc.stop()
