"""Extrapolation in MD: a column of thermo.csv, the same by each integrator, and a limit that stops a run."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.emt import EMT

from mdaug import MDAugCalculator
from mdaug.deployment import export_model, last_layer_statistics, read_manifest
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.core_integrator import advance_together, core_integrators
from mdaug.md.dynamics import run_replicas


@pytest.fixture
def model(make_model, ethanol, tmp_path) -> Path:
    rng = np.random.default_rng(0)
    positions = ethanol.positions + 0.05 * rng.standard_normal((30, len(ethanol), 3))
    frames = FrameSet(ethanol.numbers, positions, np.zeros(30), np.zeros_like(positions))
    statistics = last_layer_statistics(make_model(), [frames])
    return export_model(make_model(), tmp_path / "model.pt", training={}, statistics=statistics)


def options(**changes) -> DynamicsOptions:
    short = {"steps": 60, "timestep": 0.2, "equilibration": 0.002, "temperature": 30.0, "guard": False}
    return DynamicsOptions(**short | {"thermo_every": 5, "frames_every": 7} | changes)


def rows(folder: Path) -> np.ndarray:
    return np.genfromtxt(folder / "thermo.csv", delimiter=",", names=True)


def engine(model, ethanol, ensemble):
    return core_integrators(model, read_manifest(model), ethanol, ensemble=ensemble, dtype=None, device="cpu")


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_core_and_ase_record_the_same_that_the_calculator_gives(ethanol, model, tmp_path, ensemble) -> None:
    for name, make in (("ase", None), ("core", engine(model, ethanol, ensemble))):
        calculator = MDAugCalculator(model)
        run_dynamics(ethanol, calculator, options(ensemble=ensemble), tmp_path / name, make_integrator=make)
    found = rows(tmp_path / "core")["extrapolation"]
    np.testing.assert_allclose(found, rows(tmp_path / "ase")["extrapolation"], rtol=1e-9)
    assert np.ptp(found) > 0.01
    last = ethanol.copy()
    last.positions = np.load(tmp_path / "core" / "restart.npz")["positions"]
    last.calc = MDAugCalculator(model)
    last.get_forces()
    assert found[-1] == pytest.approx(last.calc.extrapolation.max(), rel=1e-9)


def test_each_replica_has_its_own(ethanol, model, tmp_path) -> None:
    made = engine(model, ethanol, "nve")
    shared = {"make_integrator": made, "advance": advance_together}
    run_replicas(ethanol, MDAugCalculator(model), options(), tmp_path / "both", 2, **shared)
    run_dynamics(ethanol, MDAugCalculator(model), options(seed=1), tmp_path / "one", make_integrator=made)
    first, second = (rows(tmp_path / "both" / f"replica-{k}")["extrapolation"] for k in range(2))
    np.testing.assert_array_equal(second, rows(tmp_path / "one")["extrapolation"])
    assert not np.allclose(first, second)


@pytest.mark.parametrize("core", [True, False])
def test_a_run_stops_above_the_limit_and_resumes_with_a_larger_one(ethanol, model, tmp_path, core) -> None:
    make = engine(model, ethanol, "nve") if core else None
    whole = tmp_path / "whole"
    run_dynamics(ethanol, MDAugCalculator(model), options(), whole, make_integrator=make)
    values = rows(whole)["extrapolation"]
    limit = float(np.median(values))
    folder = tmp_path / "stopped"
    stop = options(halt_above=limit)
    result = run_dynamics(ethanol, MDAugCalculator(model), stop, folder, make_integrator=make)
    step = 5 * int(np.argmax(values > limit))
    assert result.completed_steps == step
    assert result.stopped_because.startswith("extrapolation of atom ")
    assert result.stopped_because.endswith(f"(limit {limit:g}), at step {step}")
    assert json.loads((folder / "nve.json").read_text())["stopped_because"] == result.stopped_because
    again = options(halt_above=100.0)
    run_dynamics(ethanol, MDAugCalculator(model), again, folder, make_integrator=make, resume=True)
    np.testing.assert_allclose(rows(folder)["extrapolation"], values, rtol=1e-9)


def test_the_limit_holds_in_the_equilibration(ethanol, model, tmp_path) -> None:
    hot = options(temperature=3000.0, equilibration=0.1, halt_above=0.6)
    result = run_dynamics(ethanol, MDAugCalculator(model), hot, tmp_path / "hot")
    assert "extrapolation of atom" in result.stopped_because
    assert "into the equilibration" in result.stopped_because


def test_calculators_without_it_have_no_column_and_no_limit(ethanol, tmp_path) -> None:
    run_dynamics(ethanol, EMT(), options(), tmp_path / "emt")
    assert rows(tmp_path / "emt").dtype.names[-1] == "temperature_K"
    with pytest.raises(DataError, match=r"--halt-above 0.7: the calculator gives no extrapolation"):
        run_dynamics(ethanol, EMT(), options(halt_above=0.7), tmp_path / "refused")


def test_a_large_molecule_keeps_the_order_of_its_atoms(ethanol, model) -> None:
    """The pair list sorts the atoms of a large system by position."""
    many = ethanol.copy()
    for k in range(1, 120):
        moved = ethanol.copy()
        moved.translate([12.0 * k, 0, 0])
        moved.rattle(0.02 * (k % 5), seed=k)
        many += moved
    order = np.random.default_rng(0).permutation(len(many))
    values = []
    for atoms in (many, many[order]):
        atoms.calc = MDAugCalculator(model)
        atoms.get_potential_energy()
        values.append(atoms.calc.extrapolation)
    np.testing.assert_allclose(values[0][order], values[1], rtol=1e-9)
    assert np.ptp(values[0]) > 0.1


def test_torchscript_gives_it_too(ethanol, model) -> None:
    values = []
    for evaluator in ("core", "torchscript"):
        atoms = ethanol.copy()
        atoms.calc = MDAugCalculator(model, evaluator=evaluator)
        atoms.get_potential_energy()
        values.append(atoms.calc.extrapolation)
    np.testing.assert_allclose(*values, rtol=1e-9)
