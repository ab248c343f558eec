"""What the commands need to know of a trained model."""

import importlib

import pytest

from mdaug.errors import MissingDependencyError
from mdaug.quantum.calculators import XTB_METHODS
from mdaug.workflows.use_model import own_level

GFN2_TRAINING = {"level_of_theory": "GFN2-xTB", "charge": -1.0, "multiplicity": 2}


@pytest.mark.tblite
def test_the_own_level_has_charge_and_multiplicity_of_the_training() -> None:
    found = own_level(GFN2_TRAINING)
    assert [found.parameters[key] for key in ("method", "charge", "multiplicity")] == ["GFN2-xTB", -1, 2]
    plain = own_level({"level_of_theory": "GFN2-xTB", "charge": None})
    assert (plain.parameters["charge"], plain.parameters["multiplicity"]) == (0, 1)


@pytest.mark.parametrize("training", [{}, {"level_of_theory": None}, {"level_of_theory": XTB_METHODS[1]}])
def test_no_other_level_is_calculated(training) -> None:
    assert own_level(training) is None


def test_without_tblite_it_is_said(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingDependencyError, match="GFN2-xTB needs tblite"):
        own_level(GFN2_TRAINING)
