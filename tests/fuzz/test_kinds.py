"""The plainest ways for a file to be wrong: empty, cut, endless, keys swapped, units wrong."""

import io

import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.errors import DataError
from tests.fuzz import samples
from tests.fuzz.commands import commands_for, complaint, put
from tests.fuzz.mutations import pack

KINDS = [*samples.FRAMES, *samples.OTHERS]
ENOUGH = samples.spring_frames(samples.NUMBERS, samples.EQUILIBRIUM, 40)
"""Frames enough for their units to be judged (`mdaug.data.verification`)."""

EMPTY_IS_FINE = {"configuration", "points.jsonl", "results.json"}
"""No settings are the defaults, no points are no points; `info` shows the model without its errors."""


@pytest.mark.parametrize("kind", KINDS)
def test_empty_files(kind, house, capsys) -> None:
    file = put(kind, b"", house.path / "empty", house)
    assert complaint(commands_for(kind, file, house)[0], file, house, capsys) is None
    assert kind in EMPTY_IS_FINE or house.counts == {"exit 1": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_cut_files(kind, house, capsys) -> None:
    content = house.good(kind).read_bytes()
    for share in (0.03, 0.5, 0.97):
        file = put(kind, content[: int(share * len(content))], house.path / "cut", house)
        assert complaint(commands_for(kind, file, house)[0], file, house, capsys) is None


def endless_npz() -> bytes:
    """An array whose header promises a million million numbers."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6, 3)}
    )
    held = pack(
        {"z": samples.NUMBERS, "E": samples.WATER.energies, "F": samples.WATER.forces, "R": np.zeros(1)}
    )
    small = io.BytesIO()
    np.lib.format.write_array(small, np.zeros(1))
    assert small.getvalue() in held
    wide = header.getvalue()
    assert len(wide) + 8 == len(small.getvalue())
    return held.replace(small.getvalue(), wide + bytes(8))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("extxyz", b"999999999999\nenergy=1\nH 0 0 0 0 0 0\n"),
        ("structure", b"99999999999999999999\n\nH 0 0 0\n"),
        ("npz", endless_npz()),
    ],
)
def test_promises_beyond_any_memory(kind, content, house, capsys) -> None:
    file = put(kind, content, house.path / "endless", house)
    assert complaint(commands_for(kind, file, house)[0], file, house, capsys) is None
    assert house.counts == {"exit 1": 1}


def swapped(first: str, second: str) -> bytes:
    held = {"z": samples.NUMBERS, "R": ENOUGH.positions, "E": ENOUGH.energies, "F": ENOUGH.forces}
    held[first], held[second] = held[second], held[first]
    return pack(held)


@pytest.mark.parametrize(("first", "second"), [("R", "E"), ("E", "F"), ("z", "E")])
def test_swapped_keys(first, second, house, capsys) -> None:
    file = put("npz", swapped(first, second), house.path / "swapped", house)
    for argv in commands_for("npz", file, house):
        assert complaint(argv, file, house, capsys) is None
    assert "exit 0" not in house.counts


def test_forces_for_positions_are_not_taken_in_silence(house) -> None:
    """They have the right shape, and may look like a soft molecule, but are too near to each other."""
    file = put("npz", swapped("R", "F"), house.path / "swapped", house)
    with pytest.raises(DataError, match="nearest distances are"):
        load_frames(file, temperature_K=300.0)


@pytest.mark.parametrize("units", ["kcal/mol", "Hartree"])
def test_wrong_units_are_seen(units, house, capsys) -> None:
    """Good frames in eV, said to be in another unit."""
    file = house.path / "units" / "frames.xyz"
    file.parent.mkdir()
    write_extxyz(ENOUGH, file)
    for argv in commands_for("extxyz", file, house):
        assert complaint([*argv, "--units", units], file, house, capsys) is None
    assert "exit 0" not in house.counts
