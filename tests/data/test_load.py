"""DATA to frames: units, thinning, temperature, and clear refusals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.errors import DataError
from mdaug.frames import FrameSet


@pytest.mark.reference_sets("ethanol_md17_pbe_2000.xyz")
def test_kcal_mol_is_asked_for_where_a_file_hides_it(reference_set: Callable[[str], Path]) -> None:
    path = reference_set("ethanol_md17_pbe_2000.xyz")
    with pytest.raises(DataError, match=r"implausible units: .* state --units kcal/mol"):
        load_frames(path)
    assert load_frames(path, units="kcal/mol").energies[0] == pytest.approx(-4214.7746, abs=1e-3)


def test_thinning_takes_everything_along(ethanol: FrameSet, tmp_path: Path) -> None:
    write_extxyz(ethanol.select(slice(0, 30)), tmp_path / "e.xyz")
    thinned = load_frames(tmp_path / "e.xyz", every=7, temperature_K=321.0)
    assert thinned.group.tolist() == [0, 7, 14, 21, 28]
    assert thinned.positions == pytest.approx(ethanol.positions[0:30:7])
    assert thinned.temperature_K == 321.0
    with pytest.raises(DataError, match="every=0: expected 1"):
        load_frames("ethanol", every=0)


def test_unknown_unit() -> None:
    with pytest.raises(
        DataError, match=r"unknown energy unit .kJ.; expected eV, kcal/mol, kJ/mol, meV, Hartree"
    ):
        load_frames("ethanol", units="kJ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file, and no data set of that name"),
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"hello, world\n", "format not recognized; mdaug reads sGDML/MD17 npz"),
    ],
)
def test_what_is_no_data(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "data"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_frames(path)


def test_precision_of_large_offsets(ethanol: FrameSet, tmp_path: Path) -> None:
    """Energies of −4000 eV keep their differences to 1e-8 eV through a file in kcal/mol."""
    from dataclasses import replace

    from mdaug.units import KCAL_MOL_PER_EV

    some = ethanol.select(slice(0, 50))
    absolute = replace(some, energies=some.energies - 4000.0)
    np.savez(
        tmp_path / "e.npz",
        z=some.atomic_numbers,
        R=some.positions,
        E=absolute.energies * KCAL_MOL_PER_EV,
        F=some.forces * KCAL_MOL_PER_EV,
    )
    read = load_frames(tmp_path / "e.npz")
    assert read.energies.dtype == np.float64
    assert np.diff(read.energies) == pytest.approx(np.diff(some.energies), abs=1e-8)
