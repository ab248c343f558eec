"""Automatic differentiation gives what the closed form gives: energies, forces, on every path."""

import numpy as np
import pytest
import torch

from mdaug.bench.autograd import directed, load_autograd
from mdaug.calculators.core import Core
from mdaug.deployment import export_model, load_model
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(2)
CELL = np.array([[5.5, 0.0, 0.0], [0.6, 5.0, 0.0], [-0.4, 0.5, 5.2]])
STRUCTURES = {
    "molecule": (RNG.uniform(0, 3.0, (9, 3)), None),
    "near the cutoff": (np.array([[0, 0, 0], [4.0 - 1e-7, 0, 0], [0, 4.0 + 1e-7, 0]]), None),
    "isolated": (np.array([[0.0, 0, 0], [1.1, 0, 0], [50.0, 0, 0]]), None),
    "self-images": (RNG.uniform(0, 3.0, (2, 3)), 0.7 * CELL),
    "box": (RNG.uniform(0, 5.0, (12, 3)), CELL),
}


KINDS = {
    "splines": {},
    "a prior": {"prior": "pair"},
    "networks": {"filters": "direct"},
    "networks with vectors": {"filters": "direct", "n_vectors": 6},
    "networks, no cutoff function": {"filters": "direct", "cutoff_function": "none"},
}


# beyond 20 torch takes softplus for linear, with a slope of 1, where the sigmoid is still 2e-9 below
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 5e-9), ("float32", 2e-5)])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_closed_form_and_the_core(make_model, tmp_path, kind, dtype, tolerance):
    path = export_model(make_model(n_interactions=3, **KINDS[kind]), tmp_path / "model.pt", training={})
    closed, autograd = load_model(path, dtype), load_autograd(path, dtype)
    core = Core(path, dtype) if "networks" not in kind else None
    for name, (positions, cell) in STRUCTURES.items():
        species, pairs = np.arange(len(positions)) % 3, _pairs(positions, cell)
        tensors = [torch.from_numpy(values) for values in (species, positions, *pairs)]
        expected = closed.evaluate(*tensors)
        energy, forces = autograd(*tensors[:2], *directed(*tensors[2:]))
        scale = max(1.0, float(expected["forces"].abs().max()))
        close = {"rtol": 0, "atol": tolerance * scale, "err_msg": name}
        np.testing.assert_allclose(forces, expected["forces"], **close)
        np.testing.assert_allclose(energy, expected["energy"], rtol=0, atol=tolerance * len(positions))
        if core is not None:
            found = core.evaluate(species, positions, *pairs)
            np.testing.assert_allclose(forces, found["forces"], **close)
            np.testing.assert_allclose(energy, found["energy"], rtol=0, atol=tolerance * len(positions))


def _pairs(positions, cell):
    if cell is not None:
        return neighbor_pairs(positions, cell, (True, True, True), 4.0)
    idx_i, idx_j = molecule_pairs(len(positions))
    return idx_i, idx_j, np.zeros((len(idx_i), 3))
