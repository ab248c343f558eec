from dataclasses import replace

import numpy as np
import pytest

from mdaug.analysis.accuracy import accuracy
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames
from mdaug.units import EV_PER_KCAL_MOL

KCAL = EV_PER_KCAL_MOL


@pytest.fixture
def water():
    positions = np.array([[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]]).repeat(2, axis=0)
    positions[1, 1, 0] += 0.1
    return FrameSet(np.array([8, 1, 1]), positions, np.array([-5.0e4, -5.0e4 + 1.0]), np.zeros((2, 3, 3)))


def test_errors_by_hand(water):
    forces = np.zeros((2, 3, 3))
    forces[0, 0, 0] = 12.0 * KCAL  # oxygen: one component of six
    forces[1, 1, 2] = -12.0 * KCAL  # hydrogen: one component of twelve
    energies = water.energies + np.array([3.0, -1.0]) * KCAL
    errors = accuracy(lambda frames: (energies, forces), water).to_json()
    assert errors["energy_mae_kcal_mol"] == pytest.approx(2.0)
    assert errors["energy_rmse_kcal_mol"] == pytest.approx(np.sqrt(5.0))
    assert errors["energy_mean_error_kcal_mol"] == pytest.approx(1.0)
    assert errors["energy_largest_error_kcal_mol"] == pytest.approx(3.0)
    assert errors["force_mae_kcal_mol_A"] == pytest.approx(24.0 / 18)
    assert errors["force_rmse_kcal_mol_A"] == pytest.approx(4.0)
    assert errors["force_largest_error_kcal_mol_A"] == pytest.approx(12.0)
    assert errors["force_mae_by_element_kcal_mol_A"] == pytest.approx({"H": 1.0, "O": 2.0})
    assert errors["n_frames"] == 2


def test_frames_without_forces_have_errors_of_energies(water):
    energies_only = replace(water, forces=np.full((2, 3, 3), np.nan))
    result = accuracy(lambda frames: (frames.energies + 2 * KCAL, np.zeros((2, 3, 3))), energies_only)
    errors = result.to_json()
    assert errors["energy_mae_kcal_mol"] == pytest.approx(2.0)
    assert errors["force_mae_kcal_mol_A"] is errors["force_largest_error_kcal_mol_A"] is None
    assert errors["force_mae_by_element_kcal_mol_A"] == {}


def test_no_shift_is_fitted(water):
    errors = accuracy(lambda frames: (frames.energies + 0.5, frames.forces), water).to_json()
    assert errors["energy_mae_kcal_mol"] == pytest.approx(0.5 / KCAL)


def test_calculator_sees_every_frame(water, morse, pair_potential):
    calculator = pair_potential(morse.energy, morse.slope)
    seen = []
    energies, forces = calculate_frames(calculator, water, progress=lambda *done: seen.append(done))
    distances = [np.linalg.norm(r[[0, 0, 1]] - r[[1, 2, 2]], axis=1) for r in water.positions]
    assert energies == pytest.approx([morse.energy(d).sum() for d in distances])
    assert forces.shape == (2, 3, 3)
    assert seen == [(1, 2), (2, 2)]


def test_unusable_predictions_are_refused(water):
    with pytest.raises(DataError, match="shape"):
        accuracy(lambda frames: (frames.energies[:1], frames.forces), water)
    with pytest.raises(DataError, match="forces of frame 1"):
        accuracy(
            lambda frames: (frames.energies, np.array([water.forces[0], water.forces[0] + np.nan])), water
        )
    with pytest.raises(DataError, match="no frame"):
        accuracy(lambda frames: (frames.energies, frames.forces), water.select(slice(0, 0)))


def test_errors_of_stresses_by_hand(water):
    """Where frames and predictions have some; 160.2 GPa are one eV/Å³."""
    stresses = np.zeros((2, 3, 3))
    stresses[0, 0, 0] = 0.018
    cells = np.tile(9.0 * np.eye(3), (2, 1, 1))
    crystal = replace(water, cells=cells, pbc=(True, True, True), stresses=np.zeros((2, 3, 3)))
    errors = accuracy(lambda frames: (frames.energies, frames.forces, stresses), crystal).to_json()
    assert errors["stress_mae_eV_A3"] == pytest.approx(0.001)
    assert errors["stress_mae_GPa"] == pytest.approx(0.1602, abs=1e-4)
    assert errors["stress_largest_error_GPa"] == pytest.approx(18 * 0.1602, abs=1e-3)
    without = (water.energies, water.forces)
    for frames, predicted in ((crystal, without), (water, (*without, stresses))):
        assert "stress_mae_GPa" not in accuracy(lambda _, values=predicted: values, frames).to_json()
