"""Atoms with the calculator, and its results, are written and read by ASE."""

import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from mdaug import MDAugCalculator
from mdaug.calculators.committee import MDAugCommittee
from mdaug.deployment import export_model, last_layer_statistics
from mdaug.frames import FrameSet


@pytest.fixture(params=["model", "committee"])
def evaluated(make_model, ethanol, tmp_path, request) -> Atoms:
    positions = ethanol.positions + 0.05 * np.random.default_rng(0).standard_normal((30, len(ethanol), 3))
    frames = FrameSet(ethanol.numbers, positions, np.zeros(30), np.zeros_like(positions))
    statistics = last_layer_statistics(make_model(), [frames])
    paths = [
        export_model(make_model(), tmp_path / f"{k}.pt", training={}, statistics=statistics) for k in (0, 1)
    ]
    ethanol.calc = MDAugCalculator(paths[0]) if request.param == "model" else MDAugCommittee(paths)
    ethanol.get_potential_energy()
    return ethanol


@pytest.mark.parametrize("name", ["a.xyz", "a.traj", "a.json", "a.db"])
def test_ase_writes_atoms_with_the_calculator(evaluated, tmp_path, name) -> None:
    write(tmp_path / name, evaluated)
    found = read(tmp_path / name)
    assert found.get_potential_energy() == pytest.approx(evaluated.get_potential_energy())
    np.testing.assert_allclose(found.get_forces(), evaluated.get_forces(), atol=1e-7)


@pytest.mark.parametrize("name", ["a.xyz", "a.traj", "a.json"])
def test_results_fit_a_calculator_of_single_points(evaluated, tmp_path, name) -> None:
    results = evaluated.calc.results
    assert float(evaluated.calc.export_properties()["energy"]) == results["energy"]
    evaluated.calc = SinglePointCalculator(evaluated, **results)
    write(tmp_path / name, evaluated)
    assert read(tmp_path / name).get_potential_energy() == pytest.approx(results["energy"])


def test_other_outputs_belong_to_the_last_evaluation(evaluated) -> None:
    assert (evaluated.calc.extrapolation > 0).all()
    results = evaluated.calc.results
    assert results["extrapolation"] is results.get("extrapolation") is evaluated.calc.extrapolation
    assert "extrapolation" in results
    assert "extrapolation" not in list(results)  # ASE accepts its own names only
    again = pickle.loads(pickle.dumps(evaluated.calc))
    if isinstance(again, MDAugCommittee):
        assert evaluated.calc.force_deviation.shape == (9,)
        assert results["force_deviation"] is evaluated.calc.force_deviation
        assert again.force_deviation is None  # its results are not pickled
    else:
        np.testing.assert_array_equal(again.extrapolation, evaluated.calc.extrapolation)
        np.testing.assert_array_equal(again.results["extrapolation"], evaluated.calc.extrapolation)
    evaluated.calc.set(skin=0.5)
    assert evaluated.calc.extrapolation is None
