"""Good files of systems that are hard: one frame, one atom, no cell volume; and paths that are hard.

With ``MDAUG_FUZZ`` set (see test_mutations.py) they are trained on and evaluated, too.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

from mdaug.data import write_extxyz
from mdaug.data.write import write_npz
from mdaug.frames import FrameSet
from tests.fuzz import samples
from tests.fuzz.commands import commands_for, complaint, put

WATER = samples.WATER
LINE = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.2], [0.0, 0.0, 2.4]])


def _in_cells(cell: np.ndarray) -> FrameSet:
    return replace(WATER, cells=np.repeat(cell[None], len(WATER), axis=0), pbc=(True, True, True))


SYSTEMS: dict[str, FrameSet] = {
    "one frame": WATER.select(slice(0, 1)),
    "two frames": WATER.select(slice(0, 2)),
    "duplicates": WATER.select(np.array([0, 0, 1, 1, 2, 2, 3, 3])),
    "one frame many times": WATER.select(np.zeros(8, int)),
    "one atom": FrameSet(np.array([18]), np.zeros((8, 1, 3)), np.full(8, -1.0), np.zeros((8, 1, 3))),
    "one element": samples.spring_frames([1, 1], LINE[:2] * 0.6),
    "linear": samples.spring_frames([6, 8, 8], LINE),
    "unsorted atoms": samples.spring_frames([1, 8, 1], samples.EQUILIBRIUM[[1, 0, 2]]),
    "two equal atoms": replace(WATER, positions=WATER.positions[:, [0, 1, 1]]),
    "all at one place": replace(WATER, positions=np.zeros_like(WATER.positions)),
    "no volume": _in_cells(np.zeros((3, 3))),
    "flat cell": _in_cells(np.diag([9.0, 9.0, 0.0])),
    "dependent cell vectors": _in_cells(np.array([[9.0, 0, 0], [9.0, 0, 0], [0, 0, 9.0]])),
    "tiny cell": _in_cells(np.diag([0.5, 0.5, 0.5])),
    "huge positions": replace(WATER, positions=WATER.positions * 1e12),
    "far apart": replace(WATER, positions=WATER.positions * 300.0),
    "huge energies": replace(WATER, energies=WATER.energies * 1e300),
    "huge forces": replace(WATER, forces=WATER.forces * 1e300),
    "no forces at all": replace(WATER, forces=np.zeros_like(WATER.forces)),
    "wrong units": replace(WATER, energies=WATER.energies * 23.06, forces=WATER.forces * 23.06),
    "heavy element": samples.spring_frames([118, 1, 1], samples.EQUILIBRIUM),
    "dummy atoms": samples.spring_frames([0, 1, 1], samples.EQUILIBRIUM),
    "negative temperature": replace(WATER, temperature_K=-300.0),
}

NAMES = [
    *(
        "two words.xyz",
        "Wasser é漢字😀.xyz",
        "frames@3",
        "frames@:",
        "a*b?.xyz",
        "[1].xyz",
        "%s %d.xyz",
        "$HOME.xyz",
    ),
    *("-frames.xyz", "frames.npz", "frames.xyz.gz", "=.xyz", "a;b&c.xyz", "ethanol", "#1.xyz", "{x}.toml"),
]


@pytest.mark.parametrize("name", SYSTEMS)
def test_odd_systems_are_one_line_or_work(name, house, capsys) -> None:
    folder = house.path / "odd"
    folder.mkdir()
    for file, write in ((folder / "frames.xyz", write_extxyz), (folder / "frames.npz", write_npz)):
        write(SYSTEMS[name], file)
    kind = "npz" if len(name) % 2 else "extxyz"
    commands = commands_for(kind, folder / ("frames.npz" if kind == "npz" else "frames.xyz"), house)
    for argv in commands if "MDAUG_FUZZ" in os.environ else commands[:2]:
        assert complaint(argv, folder / "frames.xyz", house, capsys) is None


@pytest.mark.parametrize("name", NAMES)
def test_odd_paths_are_read_as_they_are(name, house, capsys) -> None:
    content = house.good("extxyz").read_bytes()
    file = put("extxyz", content, house.path / "Ordner ä b", house, name)
    argv = commands_for("extxyz", file, house)[0]
    assert complaint(argv, file, house, capsys) is None
    assert house.counts == {"exit 0": 1}
