"""The model of torch-sim: a batch of systems has the energies and forces of each alone."""

import numpy as np
import pytest
import torch
from ase.build import molecule

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.deployment import export_model
from tests.force_fields import typed_templates

torch_sim = pytest.importorskip("torch_sim")


@pytest.mark.parametrize("baseline", [False, True], ids=["network", "with baseline"])
@pytest.mark.parametrize("box_A", [None, 6.0], ids=["molecules", "cells"])
def test_each_system_is_evaluated_as_by_the_ase_calculator(make_model, tmp_path, baseline, box_A):
    from mdaug.calculators.torch_sim_model import MDAugTorchSim

    templates = typed_templates("CH3CH2OH", "H2O") if baseline else ()
    path = export_model(
        make_model(cutoff=4.0, n_atom_types=8), tmp_path / "m.pt", training={}, templates=templates
    )
    systems = [molecule("H2O"), molecule("CH3CH2OH"), molecule("H2O")[[1, 0, 2]]]
    for k, atoms in enumerate(systems):
        atoms.positions += np.random.default_rng(k).normal(scale=0.03, size=(len(atoms), 3))
        if box_A is not None:
            atoms.set_cell([box_A, box_A, box_A + k])
            atoms.pbc = True
    state = torch_sim.io.atoms_to_state(systems, torch.device("cpu"), torch.float64)
    model = MDAugTorchSim(path, dtype="float64")
    results = model(state)
    assert results["energy"].shape == (3,) and results["forces"].dtype == torch.float64
    for k, atoms in enumerate(systems):
        atoms.calc = MDAugCalculator(path, dtype="float64", strict=None)
        assert float(results["energy"][k]) == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(results["forces"][state.system_idx == k], atoms.get_forces(), atol=1e-9)


def test_it_moves_systems(make_model, tmp_path):
    from mdaug.calculators.torch_sim_model import MDAugTorchSim

    path = export_model(make_model(), tmp_path / "m.pt", training={})
    model, start = MDAugTorchSim(path, dtype="float64"), [molecule("CH3OH"), molecule("H2O")]
    moved = torch_sim.integrate(
        start,
        model,
        integrator=torch_sim.nve if hasattr(torch_sim, "nve") else torch_sim.Integrator.nve,
        n_steps=5,
        temperature=300,
        timestep=0.0001,
    )
    assert moved.energy.shape == (2,) and bool(torch.isfinite(moved.positions).all())
    assert not np.allclose(moved.positions[:6].numpy(), start[0].positions)
