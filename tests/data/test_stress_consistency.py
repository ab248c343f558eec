"""Stresses of a wrong sign, unit or order are noticed by the forces."""

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.stress import voigt_notation

from mdaug.data import load_frames, write_extxyz
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.stress_consistency import stress_verdict
from mdaug.data.verification.verify import verify_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.units import GPA_PER_EV_A3
from tests.crystals import copper

ALL = np.arange(20)


@pytest.fixture(scope="module", params=[0.0, 0.01], ids=["one cell", "many cells"])
def crystal(request: pytest.FixtureRequest) -> FrameSet:
    return copper(20, repeat=2, shear=request.param, noise=0.1)


def in_order(frames: FrameSet, order: str) -> FrameSet:
    """Return frames whose six numbers were written in another order and read as ASE's."""
    assert frames.stresses is not None
    places = [
        voigt_notation.index(tuple(sorted("xyz".index(axis) for axis in name))) for name in order.split()
    ]
    stresses = np.empty_like(frames.stresses)
    for (i, j), place in zip(voigt_notation, places, strict=True):
        a, b = voigt_notation[place]
        stresses[:, i, j] = stresses[:, j, i] = frames.stresses[:, a, b]
    return replace(frames, stresses=stresses)


def test_right_ones(crystal: FrameSet) -> None:
    verdict = stress_verdict(crystal, ALL)
    assert verdict is not None
    assert verdict.verdict == "ok"
    assert 0.8 < verdict.value < 1.25
    assert in_order(crystal, "xx yy zz yz xz xy").stresses == pytest.approx(crystal.stresses)


def test_the_opposite_sign_is_refused(crystal: FrameSet) -> None:
    verification = verify_frames(replace(crystal, stresses=-crystal.stresses), StatedUnits.of_energy("eV"))
    (verdict,) = (v for v in verification.verdicts if v.name == "stresses against forces")
    assert verdict.verdict == "error"
    assert "opposite sign" in verdict.text
    assert "virials as −volume · stress" in verdict.text
    assert "--stress-units=-eV/Angstrom^3" in verdict.text


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("-kbar", -10 * GPA_PER_EV_A3), ("GPa", GPA_PER_EV_A3), ("-eV/Angstrom^3", -1.0), ("none", 5.0)],
)
def test_stated_units_are_read_in_any_sign(
    crystal: FrameSet, unit: str, factor: float, tmp_path: Path
) -> None:
    file = tmp_path / "copper.xyz"
    write_extxyz(replace(crystal, stresses=factor * crystal.stresses), file)
    with (
        pytest.raises(DataError, match=f"--stress-units[= ]{re.escape(unit)}")
        if factor != 5.0
        else nullcontext()
    ):
        load_frames(file)
    stresses = load_frames(file, stress_units=unit).stresses
    if unit == "none":
        assert stresses is None
    else:
        assert stresses == pytest.approx(crystal.stresses, abs=1e-8)
    with pytest.raises(DataError, match="unknown stress unit"):
        load_frames(file, stress_units="-Nm")


@pytest.mark.parametrize(("unit", "factor"), [("GPa", GPA_PER_EV_A3), ("kbar", 10 * GPA_PER_EV_A3)])
def test_other_units_are_named(crystal: FrameSet, unit: str, factor: float) -> None:
    verdict = stress_verdict(replace(crystal, stresses=factor * crystal.stresses), ALL)
    assert verdict is not None
    assert verdict.verdict == "error"
    assert f"stresses are in {unit}, not in eV/Å³" in verdict.text


@pytest.mark.parametrize("order", ["xx yy zz xy yz xz", "xx yy zz xy xz yz"])
def test_other_orders_are_named(crystal: FrameSet, order: str) -> None:
    verdict = stress_verdict(in_order(crystal, order), ALL)
    assert verdict is not None
    assert verdict.verdict == "error"
    assert f"in the order {order.replace(' ', ', ')}" in verdict.text


def test_what_cannot_be_told(crystal: FrameSet) -> None:
    assert stress_verdict(replace(crystal, stresses=None), ALL) is None
    noise = np.random.default_rng(0).normal(0, 0.01, (20, 3, 3))
    for stresses in (np.full((20, 3, 3), 0.01), noise + noise.transpose(0, 2, 1)):
        verdict = stress_verdict(replace(crystal, stresses=stresses), ALL)
        assert verdict is not None
        assert verdict.verdict == "cannot tell"
    few = stress_verdict(crystal, np.arange(5))
    assert few is not None
    assert "at least 10 frames" in few.text


def test_a_stress_that_is_not_symmetric(crystal: FrameSet) -> None:
    stresses = crystal.stresses.copy()
    stresses[3, 0, 1] += 0.02
    with pytest.raises(
        DataError, match=r"copper: frame 3: the stress is not symmetric \(xy .*yx .*order xx, yy, zz"
    ):
        verify_frames(replace(crystal, stresses=stresses), StatedUnits.of_energy("eV"))


@pytest.mark.parametrize("swelling", [0.004, 0.02, 0.04])
def test_a_few_atoms_in_cells_of_many_volumes(swelling: float) -> None:
    """By symmetry their forces hardly show how the stress depends on the volume."""
    frames = copper(100, repeat=1, shear=0.0, swelling=swelling)
    verdict = stress_verdict(frames, np.arange(100))
    assert verdict is not None
    assert verdict.verdict == "ok", verdict.text
    assert frames.stresses is not None
    opposite = stress_verdict(replace(frames, stresses=-frames.stresses), np.arange(100))
    assert opposite is not None
    assert opposite.verdict == "error" and "opposite sign" in opposite.text
