"""Automatic differentiation gives what the closed form gives: energies, forces, on every path."""

import numpy as np
import pytest
import torch

from mdaug.bench.autograd import directed, load_autograd
from mdaug.deploy import export_model, load_model
from mdaug.engines.core import Core
from mdaug.errors import DataError
from mdaug.frames.pairs import molecule_pairs, neighbor_pairs

RNG = np.random.default_rng(2)
CELL = np.array([[5.5, 0.0, 0.0], [0.6, 5.0, 0.0], [-0.4, 0.5, 5.2]])
STRUCTURES = {
    "molecule": (RNG.uniform(0, 3.0, (9, 3)), None),
    "near the cutoff": (np.array([[0, 0, 0], [4.0 - 1e-7, 0, 0], [0, 4.0 + 1e-7, 0]]), None),
    "isolated": (np.array([[0.0, 0, 0], [1.1, 0, 0], [50.0, 0, 0]]), None),
    "self-images": (RNG.uniform(0, 3.0, (2, 3)), 0.7 * CELL),
    "box": (RNG.uniform(0, 5.0, (12, 3)), CELL),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-5)])
@pytest.mark.parametrize("name", STRUCTURES)
def test_equals_the_closed_form_and_the_core(make_model, tmp_path, name, dtype, tolerance):
    path = export_model(make_model(n_interactions=3), tmp_path / "model.pt", training={})
    positions, cell = STRUCTURES[name]
    species = np.arange(len(positions)) % 3
    pairs = _pairs(positions, cell)
    closed = load_model(path, dtype).evaluate(*map(torch.from_numpy, (species, positions, *pairs)))
    core = Core(path, dtype).evaluate(species, positions, *pairs)
    autograd = load_autograd(path, dtype)
    both = directed(*map(torch.from_numpy, pairs))
    for _ in range(3):  # TorchScript runs another program once it has seen one go by
        energy, forces = autograd(torch.from_numpy(species), torch.from_numpy(positions), *both)
    scale = max(1.0, float(closed["forces"].abs().max()))
    np.testing.assert_allclose(forces, closed["forces"], rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(forces, core["forces"], rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(energy, closed["energy"], rtol=0, atol=tolerance * len(positions))


def test_direct_filters_are_refused(make_model, tmp_path):
    path = export_model(make_model(filters="direct"), tmp_path / "model.pt", training={})
    with pytest.raises(DataError, match="no splines"):
        load_autograd(path)


def _pairs(positions, cell):
    if cell is not None:
        return neighbor_pairs(positions, cell, (True, True, True), 4.0)
    idx_i, idx_j = molecule_pairs(len(positions))
    return idx_i, idx_j, np.zeros((len(idx_i), 3))
