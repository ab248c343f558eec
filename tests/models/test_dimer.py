"""The model of a dimer, written out by hand from Schütt et al. 2017 (arXiv:1706.08566)."""

import math

import numpy as np
import pytest
import torch
from ase import Atoms

OPTIONS = {"filters": "direct", "n_interactions": 2, "n_atom_basis": 3, "n_filters": 4, "n_gaussians": 5}


def softplus_half(x):
    return math.log(0.5 * math.exp(x) + 0.5)


def dense(x, weight, bias):
    """weight[k][m]: from input m to output k."""
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def act(x):
    return [softplus_half(v) for v in x]


def dimer_energy(model, species, d):
    """Energy in the network's unit: one number at a time, no matrix in sight."""
    p = {name: value.tolist() for name, value in model.named_parameters()}
    x = [p["network.embedding.weight"][s] for s in species]
    u = d / model.options.cutoff
    cutoff_function = 1 - 28 * u**6 + 48 * u**7 - 21 * u**8
    for block in range(model.options.n_interactions):
        f = {name.split(".")[1]: p[name][block] for name in p if name.startswith("filter_networks")}
        gaussians = [
            math.exp(-((d - mu) ** 2) / (2 * sigma**2))
            for mu, sigma in zip(f["centers"][0], f["widths"][0], strict=True)
        ]
        hidden = act(dense(gaussians, np.transpose(f["hidden_weight"]), f["hidden_bias"][0]))
        filters = [
            w * cutoff_function for w in dense(hidden, np.transpose(f["out_weight"]), f["out_bias"][0])
        ]
        q = {
            name.split(".", 3)[3]: p[name] for name in p if name.startswith(f"network.interactions.{block}.")
        }
        inward = [dense(v, q["inward.weight"], [0.0] * len(filters)) for v in x]
        for atom, other in ((0, 1), (1, 0)):
            message = [w * a for w, a in zip(filters, inward[other], strict=True)]
            hidden = act(dense(message, q["hidden.weight"], q["hidden.bias"]))
            change = dense(hidden, q["out.weight"], q["out.bias"])
            x[atom] = [a + b for a, b in zip(x[atom], change, strict=True)]
    return sum(
        dense(
            act(dense(v, p["network.readout_hidden.weight"], p["network.readout_hidden.bias"])),
            p["network.readout.weight"],
            p["network.readout.bias"],
        )[0]
        for v in x
    )


@pytest.mark.parametrize("distance", [0.8, 1.7, 3.6])
def test_dimer_closed_form(make_model, distance):
    from mdaug.deployment import DeployedModel

    model = make_model(**OPTIONS)
    atoms = Atoms("OH", [[0, 0, 0], [distance, 0, 0]])
    idx_i, idx_j, shifts = torch.tensor([0]), torch.tensor([1]), torch.zeros(1, 3)
    out = DeployedModel(model)(
        torch.tensor(atoms.numbers), torch.tensor(atoms.positions), idx_i, idx_j, shifts
    )
    species = [2, 0]
    references = sum(model.reference_energies[species].tolist())
    expected = 0.7 * dimer_energy(model, species, distance) + references
    assert float(out["energy"]) == pytest.approx(expected, abs=1e-10)
    h = 1e-5
    slope = (dimer_energy(model, species, distance + h) - dimer_energy(model, species, distance - h)) / (
        2 * h
    )
    assert abs(slope) > 1e-3
    assert out["forces"][1].tolist() == pytest.approx([-0.7 * slope, 0, 0], abs=1e-8)
