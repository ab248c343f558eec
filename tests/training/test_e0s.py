"""Energies of isolated atoms: how they are stated, and the reference energies that follow from them."""

import numpy as np
import pytest

from mdaug.errors import DataError
from mdaug.frames import Dataset, FrameSet
from mdaug.training.e0s import parse_e0s
from mdaug.training.options import TrainOptions
from mdaug.training.references import reference_energies

OF_H, OF_O = -13.0, -2040.0


def test_tables_and_text_in_other_units():
    assert parse_e0s("H=-13.6, C=-1029.5") == {"H": -13.6, "C": -1029.5}
    hartree = {"H": pytest.approx(-13.6057, abs=1e-4)}
    assert parse_e0s("H=-0.5,units=Hartree") == parse_e0s({"H": -0.5, "units": "Hartree"}) == hartree
    assert TrainOptions(e0s="H=-13.6").e0s == TrainOptions(e0s={"H": -13.6}).e0s == {"H": -13.6}
    assert TrainOptions().e0s is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("H", "'H'; expected each element once"),
        ("H=1,H=2", "'H=2'; expected each element once"),
        ("Q=1", "'Q' is no symbol"),
        ("H=nan", "H = 'nan'"),
        ("H=low", "H = 'low'"),
        ("H=1,units=K", "units = 'K'; expected one of eV"),
        ({}, "expected energies by element"),
    ],
)
def test_what_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        parse_e0s(value)


def test_references_are_isolated_atoms_and_one_mean(make_frames):
    """The mean over all frames of what is left per atom; the differences between elements stay."""
    water = make_frames(10, offset=2 * OF_H + OF_O - 9.0)
    hydrogen = FrameSet(
        np.array([1, 1]), np.zeros((5, 2, 3)), np.full(5, 2 * OF_H - 4.0), np.zeros((5, 2, 3))
    )
    e0s = {"H": OF_H, "O": OF_O, "C": 5.0}
    of_h, of_o = reference_energies(water, [1, 8], "mean", e0s)
    assert of_o - of_h == pytest.approx(OF_O - OF_H)
    assert 2 * of_h + of_o == pytest.approx(water.energies.mean())
    of_h, of_o = reference_energies(Dataset((water, hydrogen)), [1, 8], "mean", e0s)
    left = (10 * (water.energies.mean() - 2 * OF_H - OF_O) / 3 + 5 * -2.0) / 15
    assert (of_h, of_o) == pytest.approx((OF_H + left, OF_O + left))
    with pytest.raises(DataError, match="e0s have no energy of O"):
        reference_energies(water, [1, 8], "mean", {"H": -13.6})
