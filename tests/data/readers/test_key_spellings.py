"""Names of energies, forces and stresses in extended xyz of MACE, NequIP, QUIP and GPUMD."""

from pathlib import Path

import numpy as np
import pytest

from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

CELL = 'Lattice="4 0 0 0 5 0 0 0 6" pbc="T T T"'
VOLUME = 120.0
TENSOR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
NINE = '"1 2 3 2 4 5 3 5 6"'
VOIGT = '"1 4 6 5 3 2"'


def write(path: Path, *, forces: str | None = "forces", comment: str = "energy=-1.5") -> Path:
    column, numbers = ("", "") if forces is None else (f":{forces}:R:3", " 0.1 0.2 0.3")
    frame = f"2\nProperties=species:S:1:pos:R:3{column} {comment}\nO 0 0 0{numbers}\nH 0 0 1{numbers}\n"
    path.write_text(frame * 2)
    return path


@pytest.mark.parametrize(
    ("energy", "forces"),
    [
        ("energy", "forces"),
        ("energy", "force"),
        ("REF_energy", "REF_forces"),
        ("DFT_energy", "DFT_forces"),
        ("dft_energy", "dft_force"),
        ("TotEnergy", "force"),
        ("total_energy", "forces"),
        ("potential_energy", "forces"),
        ("REF_Energy", "REF_Force"),
        ("REF_TotEnergy", "REF_Forces"),
        ("dft_total_energy", "dft_forces"),
    ],
)
def test_spellings(tmp_path: Path, energy: str, forces: str) -> None:
    frames = read_contents(write(tmp_path / "a.xyz", forces=forces, comment=f"{energy}=-1.5")).frames
    assert frames.energies.tolist() == [-1.5, -1.5]
    assert frames.forces[0, 1].tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(("forces", "sign"), [("F", 1.0), ("gradient", -1.0)])
def test_names_without_the_quantity_can_be_stated(tmp_path: Path, forces: str, sign: float) -> None:
    path = write(tmp_path / "a.xyz", forces=forces, comment="U0=-1.5 zpve=0.1")
    frames = read_contents(path, energy_key="U0", forces_key=forces).frames
    assert frames.energies.tolist() == [-1.5, -1.5]
    assert frames.forces[0, 1].tolist() == [sign * 0.1, sign * 0.2, sign * 0.3]
    with pytest.raises(DataError, match=r"it has U0, zpve.*--energy-key states another name"):
        read_contents(path)


def test_weights_of_mace_are_no_energies(tmp_path: Path) -> None:
    comment = "config_energy_weight=0.3 config_forces_weight=0.3 config_weight=0.3 REF_energy=-1.5"
    path = write(tmp_path / "a.xyz", forces=None, comment=comment)
    assert read_contents(path, forces_optional=True).frames.energies.tolist() == [-1.5, -1.5]


@pytest.mark.parametrize(
    ("record", "stress"),
    [
        (f"stress={NINE}", TENSOR),
        (f"REF_stress={NINE}", TENSOR),
        (f"REF_stress={VOIGT}", TENSOR),
        (f"dft_stress={NINE}", TENSOR),
        (f"virial={NINE}", -TENSOR / VOLUME),
        (f"dft_virial={NINE}", -TENSOR / VOLUME),
        (f"REF_virials={NINE}", -TENSOR / VOLUME),
        (f"virials={NINE} REF_stress={VOIGT}", -TENSOR / VOLUME),
    ],
)
def test_stresses_and_virials(tmp_path: Path, record: str, stress: np.ndarray) -> None:
    path = write(tmp_path / "a.xyz", comment=f"{CELL} energy=-1 {record}")
    frames = read_contents(path).frames
    assert frames.stresses is not None
    assert frames.stresses[1] == pytest.approx(stress)


def test_no_stress_of_a_molecule(tmp_path: Path) -> None:
    assert (
        read_contents(write(tmp_path / "a.xyz", comment=f"energy=-1 virial={NINE}")).frames.stresses is None
    )


def test_energies_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xyz", forces=None, comment="DFT_energy=-2.5")
    with pytest.raises(DataError, match="frame 0 has no forces"):
        read_contents(path)
    frames = read_contents(path, forces_optional=True).frames
    assert frames.energies.tolist() == [-2.5, -2.5]
    assert frames.forces.shape == (2, 2, 3) and not frames.has_forces


@pytest.mark.parametrize("without", ["first", "last"])
def test_stresses_of_some_frames_only_are_not_used(tmp_path: Path, without: str) -> None:
    path = write(tmp_path / "a.xyz", comment=f"{CELL} energy=-1 virial={NINE}")
    text = path.read_text()
    before, _, after = (text.partition if without == "first" else text.rpartition)(f" virial={NINE}")
    path.write_text(before + after)
    contents = read_contents(path)
    assert contents.frames.stresses is None
    assert contents.notes == ("only 1 of 2 frames have virial, which is not used",)


def test_a_virial_of_the_other_sign_beside_a_stress(tmp_path: Path) -> None:
    right = f'virial="{" ".join(str(-VOLUME * x) for x in TENSOR.ravel())}"'
    path = write(tmp_path / "a.xyz", comment=f"{CELL} energy=-1 stress={NINE} {right}")
    assert read_contents(path).frames.stresses[0] == pytest.approx(TENSOR)
    path = write(tmp_path / "b.xyz", comment=f"{CELL} energy=-1 stress={NINE} {right.replace('-', '')}")
    with pytest.raises(DataError, match=r"b.xyz: frame 0: virial is \+volume · stress; expected −volume"):
        read_contents(path)
