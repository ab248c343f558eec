"""Which frames and records of a model an examination uses."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT

from mdaug.data.splits import Split
from mdaug.errors import DataError, SettingsError
from mdaug.examination.options import ExaminationOptions
from mdaug.frames import FrameSet
from mdaug.workflows import examined as examined_models
from mdaug.workflows.examined import ExaminedModels
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import Model


def frames_of(atoms: Atoms, n: int = 2) -> FrameSet:
    positions = np.tile(atoms.positions, (n, 1, 1))
    name = f"{atoms.get_chemical_formula()}.xyz"
    return FrameSet(atoms.numbers, positions, np.zeros(n), np.zeros_like(positions), name=name)


def record_of(name: str, kelvin: float) -> dict:
    atoms = molecule(name)
    structure = {"atomic_numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    data = f"{atoms.get_chemical_formula()}.xyz"
    return {"label": name, "data": data, "reference_structure": structure, "temperature_K": kelvin}


@pytest.fixture
def model(monkeypatch) -> Model:
    """A model of methane and water; its test frames are three of methane and none of water."""
    records = [record_of("CH4", 300.0), record_of("H2O", 500.0)]
    training = {**records[0], "temperature_K": None, "data": "CH4.xyz, H2O.xyz", "systems": records}
    own = {"CH4": frames_of(molecule("CH4"), 3), "H2O": frames_of(molecule("H2O"), 0)}
    monkeypatch.setattr(examined_models, "own_frames", lambda path, part, label: own[label])
    return Model("model", EMT(), {"training": training}, Path("model.pt"))


def examined(model, frames, structure=None):
    options = ExaminationOptions(structure=structure)
    return examined_models._force_field(model, frames, options, Path("out"), None)


def test_each_system_of_a_model_has_frames_and_records_of_its_own(model):
    methane, water = examined(model, None), examined(model, None, "H2O")
    assert (len(methane.frames), methane.kelvin, methane.may_be_trained_on) == (3, 300.0, False)
    assert (water.frames, water.kelvin, len(water.start)) == (None, 500.0, 3)
    given = examined(model, frames_of(molecule("H2O")))
    assert (len(given.frames), given.kelvin, given.may_be_trained_on) == (2, 500.0, True)
    assert len(examined(model, frames_of(molecule("CH4"))).frames) == 3


def test_training_frames_in_a_file_of_another_name_are_left_out(model, monkeypatch):
    """Positions have lost digits in the copy."""
    rng, water = np.random.default_rng(0), molecule("H2O")
    positions = water.positions + rng.normal(scale=0.05, size=(6, 3, 3))
    frames = FrameSet(water.numbers, positions, np.arange(6.0), np.zeros((6, 3, 3)), name="copy.xyz")
    own = replace(frames, positions=np.round(positions, 6), name="H2O.xyz")
    split = Split(train=np.array([0, 3]), validation=np.array([4]), test=np.array([1]))
    monkeypatch.setattr(examined_models, "recorded_systems", lambda path: {"H2O": (own, split)})
    with pytest.warns(UserWarning, match=r"copy.xyz: 3 of 6 frames are training frames of model.pt"):
        given = examined(model, frames)
    assert (given.frames.energies.tolist(), given.may_be_trained_on) == ([1.0, 2.0, 5.0], False)
    with pytest.warns(UserWarning, match="2 of 2 frames"):
        given = examined(model, frames.select(np.array([0, 3])))
    assert (len(given.frames), given.may_be_trained_on) == (2, True)


def test_a_calculator_beside_a_model_has_its_start_and_test_frames(model):
    choice = CalculatorChoice("ase.calculators.emt:EMT", {}, 0, 1)
    beside = [model, Model("EMT", EMT(), {}, choice=choice)]
    of = partial(ExaminedModels, (), folder=Path("out"), calculator=CalculatorOptions())
    without = of(frames=None, options=ExaminationOptions())
    own, other = (without.force_field(beside, label) for label in ("model", "EMT"))
    assert own.frames is not None and other.frames is own.frames
    assert (other.start == own.start, other.kelvin, other.model) == (True, 300.0, None)
    assert other.calculator is beside[1].calculator
    with pytest.raises(SettingsError, match="no start structure"):
        without.force_field(beside[1:], "EMT")
    given = of(frames=frames_of(molecule("H2O")), options=ExaminationOptions())
    assert len(given.force_field(beside, "EMT").frames) == 2


def test_start_and_frames_are_of_the_same_atoms(model):
    with pytest.raises(DataError, match="other atoms"):
        examined(model, frames_of(molecule("CH4")), "H2O")
