"""CP2K's trajectories: energies in one file, forces and cells beside it."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import units

from mdaug.data import load_frames
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

STEPS = (0, 5, 10)

pytestmark = pytest.mark.filterwarnings("ignore:.*no oh-1.cell beside it")


def _write(folder: Path, *, forces_from: int = 0, cell: bool = False) -> Path:
    """Write three frames of an O-H oscillator of 48 eV/Å² in CP2K's format."""
    position_lines, force_lines = [], []
    for step, stretch in zip(STEPS, (0.0, 0.02, -0.03), strict=True):
        comment = f" i = {step:8d}, time = {step / 2:12.3f}, E = {-17.0 + stretch:20.10f}"
        force = -48.0 * stretch / (units.Hartree / units.Bohr)
        position_lines += ["2", comment, "O 0.0 0.0 0.0", f"H 0.0 0.0 {0.97 + stretch:.10f}"]
        if step >= forces_from:
            force_lines += ["2", comment, f"O 0.0 0.0 {-force:.10f}", f"H 0.0 0.0 {force:.10f}"]
    (folder / "oh-pos-1.xyz").write_text("\n".join(position_lines) + "\n")
    (folder / "oh-frc-1.xyz").write_text("\n".join(force_lines) + "\n")
    if cell:
        rows = [f"{step} {step / 2} 9 0 0 0 {8 + step} 0 0 0 7 504" for step in STEPS]
        (folder / "oh-1.cell").write_text("# Step Time Ax … Volume\n" + "\n".join(rows) + "\n")
    return folder / "oh-pos-1.xyz"


def test_hartree_and_bohr_become_ev_and_angstrom(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"oh-pos-1.xyz: no oh-1.cell beside it, .* with MOTION/PRINT/CELL"):
        frames = load_frames(_write(tmp_path))
    assert frames.energies[1] == pytest.approx((-17.0 + 0.02) * units.Hartree)
    assert frames.forces[2, 1, 2] == pytest.approx(48.0 * 0.03, abs=1e-6)
    assert frames.cells is None


def test_frames_without_forces_are_left_out(tmp_path: Path) -> None:
    frames = read_contents(_write(tmp_path, forces_from=5)).frames
    assert frames.info["step"].tolist() == [5, 10]
    assert frames.positions[0, 1, 2] == pytest.approx(0.99)


def test_cells(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = read_contents(_write(tmp_path, cell=True)).frames
    assert frames.cells is not None
    assert np.diagonal(frames.cells[2]).tolist() == [9, 18, 7]


def test_missing_forces_name_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path)
    (tmp_path / "oh-frc-1.xyz").unlink()
    with pytest.raises(DataError, match=r"expected CP2K's oh-frc-1.xyz beside it"):
        read_contents(path)


def test_a_run_that_was_cut_loses_its_last_frame_only(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_text(path.read_text()[:-40])
    assert read_contents(path).frames.info["step"].tolist() == [0, 5]


def _compress(path: Path) -> None:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("compressed", [("pos",), ("pos", "frc", "1.cell")])
def test_compressed_positions_with_what_is_beside_them(tmp_path: Path, compressed: tuple[str, ...]) -> None:
    path = _write(tmp_path, cell=True)
    for kind in compressed:
        _compress(tmp_path / (f"oh-{kind}" if "cell" in kind else f"oh-{kind}-1.xyz"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = read_contents(path.with_name("oh-pos-1.xyz.gz")).frames
    assert (len(frames), frames.name) == (3, "oh-pos-1.xyz")
    assert frames.cells is not None and frames.has_forces


def test_missing_forces_of_compressed_positions_name_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path)
    _compress(path)
    (tmp_path / "oh-frc-1.xyz").unlink()
    with pytest.raises(DataError, match=rf"^{tmp_path}/oh-pos-1.xyz.gz: no forces: .*oh-frc-1.xyz beside it"):
        read_contents(tmp_path / "oh-pos-1.xyz.gz")
    (tmp_path / "oh-frc-1.xyz.gz").write_bytes(gzip.compress(b"2\nno frame\n"))
    with pytest.raises(DataError, match=rf"^{tmp_path}/oh-frc-1.xyz: "):
        read_contents(tmp_path / "oh-pos-1.xyz.gz")
