"""Predictions for many frames against the calculator, one by one."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.calculators import MDAugCalculator, predict
from mdaug.errors import DataError
from mdaug.frames import FrameSet


def frames_of(atoms, n=7):
    rng = np.random.default_rng(0)
    positions = atoms.positions + 0.1 * rng.standard_normal((n, len(atoms), 3))
    cells = None
    if atoms.pbc.any():
        cells = atoms.cell.array * (1 + 0.02 * rng.standard_normal((n, 1, 1)))
    return FrameSet(
        atoms.numbers, positions, np.zeros(n), np.zeros_like(positions), cells, tuple(atoms.pbc.tolist())
    )


@pytest.mark.parametrize(
    "atoms",
    [molecule("CH3CH2OH"), Atoms("CO", [[0, 0, 0], [1.2, 1.5, 1.4]], cell=[2.9, 3.1, 3.4], pbc=True)],
    ids=["molecule", "cell"],
)
def test_batches_equal_the_calculator(model_path, atoms):
    frames, message = frames_of(atoms), []
    energies, forces = predict(
        model_path, frames, batch_size=3, progress=lambda done, total: message.append((done, total))
    )
    assert message == [(3, 7), (6, 7), (7, 7)]
    calculator = MDAugCalculator(model_path)
    for n, positions in enumerate(frames.positions):
        one = Atoms(frames.atomic_numbers, positions, calculator=calculator, pbc=frames.pbc)
        if frames.cells is not None:
            one.set_cell(frames.cells[n])
        assert energies[n] == pytest.approx(one.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(forces[n], one.get_forces(), atol=1e-12)


def test_unknown_elements_and_broken_positions_are_refused(model_path):
    with pytest.raises(DataError, match="atom 0 is N"):
        predict(model_path, frames_of(molecule("NH3")))
    frames = frames_of(molecule("H2O"))
    frames.positions[4, 1, 0] = np.inf
    with pytest.raises(DataError, match="frame 4: position of atom 1"):
        predict(model_path, frames)
