"""The C++ core moves molecules as ASE does, one or many at once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.optimize import BFGS

from mdaug import MDAugCalculator
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.deployment import export_model, read_manifest
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K, thermal_momenta
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.core_integrator import advance_together, core_integrators
from mdaug.md.dynamics import run_replicas
from mdaug.units import BOLTZMANN_EV_K

FILES = ("thermo.csv", "trajectory.dcd", "topology.pdb")


@pytest.fixture
def model(make_model, tmp_path) -> Path:
    return export_model(make_model(), tmp_path / "model.pt", training={})


@pytest.fixture(params=["nve", "nvt"])
def ensemble(request) -> str:
    return request.param


@pytest.fixture
def integrators(model, ethanol, ensemble):
    return core_integrators(model, read_manifest(model), ethanol, ensemble=ensemble, dtype=None, device="cpu")


def quick(**changes) -> DynamicsOptions:
    """Return a short run; random weights hold no molecule together, so nobody guards the bonds."""
    short = {"steps": 60, "timestep": 0.2, "equilibration": 0.002, "temperature": 30.0, "guard": False}
    return DynamicsOptions(**short | {"thermo_every": 5, "frames_every": 7} | changes)


def table(folder):
    return np.loadtxt(folder / "thermo.csv", delimiter=",", skiprows=1)


def test_same_trajectory_as_ase(ethanol, model, integrators, ensemble, tmp_path) -> None:
    for name, make in (("ase", None), ("core", integrators)):
        options = quick(ensemble=ensemble)
        run_dynamics(ethanol, MDAugCalculator(model), options, tmp_path / name, make_integrator=make)
    ase, core = table(tmp_path / "ase"), table(tmp_path / "core")
    assert np.ptp(core[:, 3]) > 1e-3  # it does move
    np.testing.assert_allclose(core, ase, rtol=1e-10)


def test_an_absolute_energy_costs_float32_no_precision(ethanol, make_model, tmp_path) -> None:
    """Total energies of electrons, about -97,000 kcal/mol, are added in float64."""
    tables = []
    for name, references in (("relative", [0.0, 0.0, 0.0]), ("absolute", [-13.0, -1030.0, -2040.0])):
        model = make_model()
        model.reference_energies.copy_(torch.tensor(references))
        path = export_model(model, tmp_path / f"{name}.pt", training={}, dtype="float32")
        make = core_integrators(path, read_manifest(path), ethanol, ensemble="nve", dtype=None, device="cpu")
        run_dynamics(ethanol, MDAugCalculator(path), quick(), tmp_path / name, make_integrator=make)
        tables.append(table(tmp_path / name))
    relative, absolute = tables
    assert np.ptp(relative[:, 3]) > 1e-3  # it does move
    relative[:, [2, 4]] += -13.0 * 6 - 1030.0 * 2 - 2040.0  # potential and total energy
    np.testing.assert_allclose(absolute, relative, rtol=0, atol=1e-10)


def test_a_resumed_run_equals_the_uninterrupted_one(ethanol, model, integrators, ensemble, tmp_path) -> None:
    calculator, options = MDAugCalculator(model), quick(ensemble=ensemble)
    few = options.model_copy(update={"steps": 23})
    run_dynamics(ethanol, calculator, options, tmp_path / "whole", make_integrator=integrators)
    run_dynamics(ethanol, calculator, few, tmp_path / "parts", make_integrator=integrators)
    run_dynamics(ethanol, calculator, options, tmp_path / "parts", make_integrator=integrators, resume=True)
    for name in FILES:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def replicas(ethanol, model, integrators, folder, options, **more):
    more = {"advance": advance_together, "make_integrator": integrators} | more
    return run_replicas(ethanol, MDAugCalculator(model), options, folder, 3, **more)


@pytest.mark.parametrize("together", [False, True])
def test_each_replica_is_the_run_that_it_would_be_alone(  # noqa: PLR0917
    ethanol, model, integrators, ensemble, together, tmp_path
) -> None:
    calls, options = [], quick(ensemble=ensemble, seed=4)
    thermostat = {"equilibrate_with": integrators if together else None}
    more = {"progress": lambda *args: calls.append(args)} | thermostat
    results = replicas(ethanol, model, integrators, tmp_path / "all", options, **more)
    assert [result.completed_steps for result in results] == [60, 60, 60]
    for k in range(3):
        alone = options.model_copy(update={"seed": 4 + k})
        more = {"make_integrator": integrators} | thermostat
        run_dynamics(ethanol, MDAugCalculator(model), alone, tmp_path / str(k), **more)
        for name in FILES:
            mine = (tmp_path / "all" / f"replica-{k}" / name).read_bytes()
            assert mine == (tmp_path / str(k) / name).read_bytes(), name
    assert len({(tmp_path / str(k) / "thermo.csv").read_bytes() for k in range(3)}) == 3
    assert calls[0][::2] == ("equilibration", 10 if together else 30)
    assert calls[-1] == ("dynamics", 60, 60)


@pytest.mark.parametrize("ensemble", ["nve"], indirect=True)
def test_a_failing_replica_drops_out(ethanol, model, integrators, tmp_path) -> None:
    sizes = []

    def advance(some, n_steps):
        done = advance_together(some, n_steps)
        sizes.append(len(some))
        if len(sizes) == 3:
            some[1].atoms.positions[0, 0] = np.nan
        return done

    results = replicas(ethanol, model, integrators, tmp_path, quick(), advance=advance)
    assert [result.completed_steps for result in results] == [60, 10, 60]
    assert results[1].stopped_because == "energy or positions are not finite, at step 10"
    assert sizes[:4] == [3, 3, 3, 2]
    written = json.loads((tmp_path / "nve.json").read_text())
    assert written["completed_steps"] == [60, 10, 60]
    assert written["stopped_because"] == [None, results[1].stopped_because, None]
    assert table(tmp_path / "replica-1")[-1, 0] == 10


def test_replicas_killed_at_different_steps_go_on_together(
    ethanol, model, integrators, ensemble, tmp_path
) -> None:
    def options(**changes):
        return quick(ensemble=ensemble, **changes)

    replicas(ethanol, model, integrators, tmp_path / "whole", options())
    replicas(ethanol, model, integrators, tmp_path / "parts", options(steps=20))
    ahead = options(steps=40, seed=1)
    folder = tmp_path / "parts" / "replica-1"
    run_dynamics(ethanol, MDAugCalculator(model), ahead, folder, make_integrator=integrators, resume=True)
    replicas(ethanol, model, integrators, tmp_path / "parts", options(), resume=True)
    for k in range(3):
        for name in FILES:
            parts, whole = (tmp_path / part / f"replica-{k}" / name for part in ("parts", "whole"))
            assert parts.read_bytes() == whole.read_bytes(), (k, name)


def test_without_friction_the_thermostat_does_nothing(ethanol, model, tmp_path) -> None:
    """Two half drifts for a whole one: the last digits differ."""
    for ensemble in ("nve", "nvt"):
        make = core_integrators(
            model, read_manifest(model), ethanol, ensemble=ensemble, dtype=None, device="cpu"
        )
        options = quick(ensemble=ensemble, friction=0.0, equilibration=0.0)
        run_dynamics(ethanol, MDAugCalculator(model), options, tmp_path / ensemble, make_integrator=make)
    nve, nvt = table(tmp_path / "nve"), table(tmp_path / "nvt")
    assert np.ptp(nve[:, 3]) > 1e-3
    np.testing.assert_allclose(nvt, nve, rtol=1e-10)


def test_langevin_is_at_its_temperature_in_momenta_and_in_positions(make_model, tmp_path) -> None:
    """Kinetic: 2⟨K⟩ / (3N − 6) k_B. Configurational: ⟨|F|²⟩ / ⟨∇²V⟩ k_B (DOI 10.1103/PhysRevLett.78.772).

    Wells of a prior hold the atoms in a minimum of the random network. Errors are those of eight replicas.
    """
    wanted_K, n_replicas = 100.0, 8
    path = export_model(make_model(prior="pair"), tmp_path / "bound.pt", training={})
    atoms = molecule("CH3OH")
    atoms.calc = MDAugCalculator(path)
    BFGS(atoms, logfile=None).run(fmax=1e-3)
    make = core_integrators(path, read_manifest(path), atoms, ensemble="nvt", dtype=None, device="cpu")
    options = DynamicsOptions(ensemble="nvt", temperature=wanted_K, friction=20.0)
    copies = []
    for k in range(n_replicas):
        copy, rng = atoms.copy(), np.random.default_rng(k)
        copy.set_momenta(thermal_momenta(copy.positions, copy.get_masses(), wanted_K, 6, rng))
        copies.append(make(copy, options, rng, None))
    advance_together(copies, 600)
    kinetic, squares, curvature = np.zeros((3, n_replicas, 100))
    for look in range(100):
        assert advance_together(copies, 30) == 30
        for k, copy in enumerate(copies):
            kinetic[k, look] = copy.atoms.get_kinetic_energy()
            squares[k, look] = np.sum(copy.forces**2)
            curvature[k, look] = laplacian(copy)
    momenta_K = temperature_K(kinetic.mean(axis=1), degrees_of_freedom(atoms))
    positions_K = squares.mean(axis=1) / curvature.mean(axis=1) / BOLTZMANN_EV_K
    for measured_K in (momenta_K, positions_K):
        error = measured_K.std(ddof=1) / np.sqrt(n_replicas)
        assert error < 0.04 * wanted_K
        assert abs(measured_K.mean() - wanted_K) < 4.0 * error
    for copy in copies:
        assert np.abs(copy.atoms.get_momenta().sum(axis=0)).max() < 1e-9
        assert np.abs(copy.atoms.get_angular_momentum()).max() < 1e-8
    assert np.abs(np.corrcoef(kinetic) - np.eye(n_replicas)).max() < 0.5  # each has noise of its own


def laplacian(integrator, step: float = 1e-3) -> float:
    """∇²V at the integrator's positions by central differences of its forces, eV/Å²."""
    size = integrator.forces.size
    moves = step * np.eye(size).reshape(size, -1, 3)
    positions = integrator.atoms.get_positions()
    forward, backward = (
        integrator.core.evaluate_molecules(integrator.species, positions + sign * moves)[1].reshape(
            size, size
        )
        for sign in (1, -1)
    )
    return float(np.trace(backward - forward)) / (2 * step)


def test_what_the_core_cannot_move_is_refused(ethanol, model) -> None:
    manifest, here = read_manifest(model), {"dtype": None, "device": "cpu"}
    with pytest.raises(CoreUnavailableError, match="these atoms are periodic"):
        core_integrators(model, manifest, bulk("C"), ensemble="nve", **here)
    with pytest.raises(CoreUnavailableError, match="not support linear molecules"):
        core_integrators(model, manifest, molecule("CO2"), ensemble="nvt", **here)
