"""The recipes for other programs run with a small model; each is skipped where its program is absent."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from mdaug.analysis.relax import relax, vibrations
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.deployment import export_model
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.workflows.trajectory_files import write_extxyz_trajectory

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"


def recipe(name):
    specification = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def model(make_model, tmp_path, monkeypatch):
    """Path of a model of random weights; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    atoms = molecule("CH3OH")
    reference = {"atomic_numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    return str(
        export_model(make_model(prior="pair"), tmp_path / "m.pt", training={"reference_structure": reference})
    )


def test_openmm(model):
    pytest.importorskip("openmm")
    assert recipe("openmm_md").main(model, 10) == pytest.approx(0.0, abs=1e-6)


def test_phonopy_has_the_frequencies_of_mdaug(model):
    pytest.importorskip("phonopy")
    found = recipe("phonopy_modes").main(model)
    calculator = MDAugCalculator(model, dtype="float64")
    relaxed = relax(calculator, molecule("CH3OH")).atoms
    expected = vibrations(calculator, relaxed).frequencies_cm1
    np.testing.assert_allclose(found, expected, rtol=0.005, atol=2.0)


def test_ipi(model):
    pytest.importorskip("ipi")
    table = np.loadtxt(recipe("ipi_beads").main(model, 3, 2))
    assert table[-1, 0] == 3 and np.isfinite(table).all()


@pytest.fixture
def run(model, tmp_path):
    calculator = MDAugCalculator(model, dtype="float64")
    options = DynamicsOptions(steps=20, timestep=0.1, frames_every=5, equilibration=0.0, guard=False)
    run_dynamics(molecule("CH3OH"), calculator, options, tmp_path / "run")
    return tmp_path / "run"


def test_mdanalysis(run, capsys):
    fluctuation = recipe("read_trajectory").by_mdanalysis(run)
    assert fluctuation.shape == (6,) and (fluctuation > 0).all()
    assert "5 frames, 0.0005 ps apart" in capsys.readouterr().out


def test_ovito(run, capsys):
    pytest.importorskip("ovito")
    write_extxyz_trajectory(run, molecule("CH3OH"))
    positions = recipe("read_trajectory").by_ovito(run)
    assert positions.shape == (5, 6, 3)
    np.testing.assert_allclose(positions[0], molecule("CH3OH").positions, atol=1e-4)
    assert "5 frames, 2 fs" in capsys.readouterr().out
