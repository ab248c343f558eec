"""Extended xyz, as ASE and others write it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

HEADER = "Properties=species:S:1:pos:R:3:forces:R:3"
ATOMS = ("O 0 0 0 0 0 0.1", "H 0 0 0.97 0 0 -0.1")


def _frame(comment: str = f"{HEADER} energy=-1.5", atoms: tuple[str, ...] = ATOMS) -> str:
    return "\n".join((str(len(atoms)), comment, *atoms, ""))


def _write(path: Path, *frames: str) -> Path:
    path.write_text("".join(frames))
    return path


def test_a_frame(tmp_path: Path) -> None:
    contents = read_contents(_write(tmp_path / "data", _frame(), _frame()))
    frames = contents.frames
    assert (contents.units.energy, len(frames), frames.cells) == ("eV", 2, None)
    assert frames.energies.tolist() == [-1.5, -1.5]
    assert frames.forces[1].tolist() == [[0, 0, 0.1], [0, 0, -0.1]]


def test_other_names_of_the_labels(tmp_path: Path) -> None:
    comment = "Properties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy=-2.5"
    frames = read_contents(_write(tmp_path / "a.xyz", _frame(comment))).frames
    assert frames.energies.tolist() == [-2.5]
    assert frames.forces[0, 1, 2] == -0.1


def test_the_free_energy_is_what_the_forces_belong_to(tmp_path: Path) -> None:
    frames = read_contents(
        _write(tmp_path / "a.xyz", _frame(f"{HEADER} energy=-1.0 free_energy=-1.2"))
    ).frames
    assert frames.energies.tolist() == [-1.2]


@pytest.mark.reference_sets("si64_pbe_110.xyz")
def test_stress_and_cell(reference_set: Callable[[str], Path]) -> None:
    frames = read_contents(reference_set("si64_pbe_110.xyz")).frames
    assert frames.pbc == (True, True, True)
    assert frames.cells is not None and frames.stresses is not None
    assert frames.cells[0].tolist() == (np.eye(3) * 10.861999859992501).tolist()
    assert frames.stresses[0, 0, 0] == pytest.approx(-0.0004994777426685017)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (_frame(HEADER), "frame 1 has no energy"),
        (_frame("Properties=species:S:1:pos:R:3 energy=-1", ("O 0 0 0", "H 0 0 1")), "frame 1 has no forces"),
        (_frame(atoms=ATOMS[::-1]), "frame 1 has the atoms in another order than frame 0"),
        (_frame(atoms=(*ATOMS, "H 0 1 0 0 0 0")), r"frame 1 has other atoms \(H2O, not HO\) than frame 0"),
        (_frame(atoms=("Xq 0 0 0 0 0 0", ATOMS[1])), "broken extended xyz"),
        (_frame(f'{HEADER} energy=-1 Lattice="9 0 0 0 9 0 0 0 9"'), "frame 1 has other periodic directions"),
        (_frame()[:-30], "line 5 promises 2 atoms, but the file ends after 1"),
    ],
)
def test_bad_frames_are_named(tmp_path: Path, second: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_contents(_write(tmp_path / "a.xyz", _frame(), second))


def test_no_atoms(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="format not recognized"):
        read_contents(_write(tmp_path / "a.xyz", "0\n\n"))
