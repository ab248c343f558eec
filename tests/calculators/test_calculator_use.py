"""Arguments, threads, pickles and changed arguments of the calculator."""

import copy
import multiprocessing
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from shutil import copyfile

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug import MDAugCalculator
from mdaug.calculators.applicability import molecule_record
from mdaug.calculators.structures import StructureError
from mdaug.deployment import export_model, read_manifest
from mdaug.errors import DataError, SettingsError
from mdaug.frames import FrameSet

ETHANOL = molecule("CH3CH2OH")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"skin": -1}, "skin = -1: expected a number of at least 0"),
        ({"skin": float("nan")}, "skin = nan: expected a number"),
        ({"skin": float("inf")}, "skin = inf: expected"),
        ({"skin": "wide"}, "skin = 'wide': expected"),
        ({"evaluator": "x"}, "evaluator = 'x': expected auto, core or torchscript"),
        ({"threads": -3}, "threads = -3: expected a whole number, at least 0"),
        ({"threads": 1.5}, "threads = 1.5: expected a whole number"),
        ({"dtype": "float16"}, "dtype = 'float16': expected float32 or float64, or None"),
        ({"device": "tpu9"}, "device = 'tpu9': expected cpu or cuda"),
        ({"reference": "no"}, "reference = 'no': expected True or False"),
        ({"strict": "yes"}, "strict = 'yes': expected True, False or None"),
    ],
)
def test_wrong_arguments_are_refused(model_path, arguments, expected):
    with pytest.raises(SettingsError, match=expected):
        MDAugCalculator(model_path, **arguments)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (np.diag([5.0, np.nan, 5.0]), "the cell is .*nan.*expected finite numbers"),
        (np.full((3, 3), np.inf), "the cell is .*inf"),
        ([[5, 0, 0], [5, 0, 0], [0, 0, 5]], "are zero, parallel or in one plane; set atoms.cell"),
        ([[5, 0, 0], [0, 5, 0], [3, 3, 0]], "are zero, parallel or in one plane; set atoms.cell"),
    ],
)
@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_impossible_cells_are_refused(model_path, cell, expected, evaluator):
    atoms = Atoms("CO", [[0, 0, 0], [1.1, 0, 0]], cell=cell, pbc=True)
    with pytest.raises(StructureError, match=expected):
        MDAugCalculator(model_path, evaluator=evaluator).get_potential_energy(atoms)


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_without_reference_energies_a_lone_atom_has_none(model_path, evaluator):
    plain, relative = (
        MDAugCalculator(model_path, evaluator=evaluator, reference=reference) for reference in (True, False)
    )
    atoms = ETHANOL.copy()
    lone = sum(plain.get_potential_energy(Atoms(symbol)) for symbol in atoms.symbols)
    assert relative.get_potential_energy(Atoms("O")) == pytest.approx(0.0, abs=1e-9)
    assert relative.get_potential_energy(atoms) == pytest.approx(plain.get_potential_energy(atoms) - lone)
    np.testing.assert_array_equal(relative.get_forces(atoms), plain.get_forces(atoms))
    assert relative.results["energies"].sum() == pytest.approx(relative.results["energy"], abs=1e-9)


def test_parameters_say_what_computes(model_path):
    calculator = MDAugCalculator(model_path, threads=2)
    assert calculator.parameters == {
        "model": str(model_path),
        "device": "cpu",
        "dtype": "float64",
        "threads": 2,
        "skin": 1.0,
        "evaluator": "core",
        "reference": True,
        "strict": False,
        "network": 0,
        "weights_sha256": read_manifest(model_path)["weights_sha256"],
    }
    assert calculator.todict() == calculator.parameters


def test_set_loads_another_model(make_model, model_path, tmp_path):
    other = export_model(make_model(n_filters=7), tmp_path / "other.pt", training={})
    atoms = ETHANOL.copy()
    atoms.calc = MDAugCalculator(model_path)
    before = atoms.get_potential_energy()
    assert atoms.calc.set(model=model_path) == {}
    assert atoms.calc.results["energy"] == before
    assert atoms.calc.set(model=other, dtype="float32") == {"model": str(other), "dtype": "float32"}
    assert atoms.get_potential_energy() == MDAugCalculator(other, dtype="float32").get_potential_energy(atoms)
    assert atoms.get_potential_energy() != before
    assert atoms.calc.parameters["dtype"] == "float32"


def test_set_refuses_and_changes_nothing(model_path, tmp_path):
    calculator = MDAugCalculator(model_path)
    energy = calculator.get_potential_energy(ETHANOL)
    with pytest.raises(SettingsError, match="no argument cutoff; expected model, device"):
        calculator.set(cutoff=3.0)
    with pytest.raises(DataError, match="no such file"):
        calculator.set(model=tmp_path / "none.pt")
    assert calculator.parameters["model"] == str(model_path)
    assert calculator.get_potential_energy(ETHANOL) == energy


def test_two_threads_on_one_calculator_are_right(model_path):
    """Alternating molecules of different sizes, which share the buffers of the core."""
    structures = [molecule(name) for name in ("CH3CH2OH", "H2O", "CH3COCH3", "CH4")] * 3
    for n, atoms in enumerate(structures):
        atoms.rattle(0.05, seed=n)
    shared = MDAugCalculator(model_path, strict=None)
    expected = [MDAugCalculator(model_path).get_forces(atoms) for atoms in structures]

    def ask(n):
        atoms = structures[n % len(structures)]
        return [np.array_equal(shared.get_forces(atoms), expected[n % len(structures)]) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(right) for right in pool.map(ask, range(len(structures))))


def _energy(calculator):
    return calculator.get_potential_energy(ETHANOL)


def test_it_goes_to_other_processes(model_path):
    calculator = MDAugCalculator(model_path, dtype="float32", reference=False)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (energy,) = pool.map(_energy, [calculator])
    assert energy == calculator.get_potential_energy(ETHANOL)


def test_a_pickle_is_small_and_keeps_arguments_and_results(model_path):
    calculator = MDAugCalculator(model_path, dtype="float32")
    calculator.get_forces(ETHANOL)
    pickled = pickle.dumps(calculator)
    assert len(pickled) < 5000
    for again in (pickle.loads(pickled), copy.deepcopy(calculator)):
        assert again.parameters == calculator.parameters
        assert not again.calculation_required(ETHANOL, ["forces"])
        np.testing.assert_array_equal(again.get_forces(ETHANOL), calculator.get_forces(ETHANOL))


def test_a_pickle_does_not_take_another_model_that_has_its_path(make_model, model_path, tmp_path):
    copyfile(model_path, tmp_path / "moving.pt")
    pickled = pickle.dumps(MDAugCalculator(tmp_path / "moving.pt"))
    export_model(make_model(n_filters=7), tmp_path / "moving.pt", training={})
    with pytest.raises(DataError, match=r"moving\.pt: not the model of the pickled calculator"):
        pickle.loads(pickled)


@pytest.fixture
def ethanol_model(make_model, tmp_path):
    """Return a model that was trained on ethanol, by its manifest."""
    positions = ETHANOL.positions[None]
    frames = FrameSet(ETHANOL.numbers, positions, np.zeros(1), np.zeros_like(positions))
    record = {"molecules": molecule_record(frames)}
    return export_model(make_model(), tmp_path / "ethanol.pt", training=record)


def test_another_molecule_gives_a_warning_once(ethanol_model):
    calculator, acetone = MDAugCalculator(ethanol_model), molecule("CH3COCH3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calculator.get_forces(ETHANOL)
    with pytest.warns(UserWarning, match="trained on C2H6O; this is C3H6O"):
        calculator.get_forces(acetone)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        acetone.rattle(0.01)
        calculator.get_forces(acetone)
        MDAugCalculator(ethanol_model, strict=None).get_forces(acetone)


def test_strict_refuses_another_molecule_each_time(ethanol_model):
    calculator, acetone = MDAugCalculator(ethanol_model, strict=True), molecule("CH3COCH3")
    assert np.isfinite(calculator.get_potential_energy(ETHANOL))
    for _ in range(2):
        with pytest.raises(StructureError, match="trained on C2H6O; this is C3H6O"):
            calculator.get_potential_energy(acetone)
