import MDAnalysis as mda
import numpy as np
import pytest

from mdaug.analysis.trajectory import atomic_numbers, blocks, open_trajectory
from mdaug.errors import DataError


def write_xyz(path, atoms, n_frames):
    atoms = atoms.copy()
    text = ""
    for k in range(n_frames):
        lines = [
            f"{s} {x + k:.6f} {y:.6f} {z:.6f}"
            for s, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
        ]
        text += f"{len(atoms)}\nframe\n" + "\n".join(lines) + "\n"
    path.write_text(text)


def test_blocks_hold_every_frame_once(ethanol, tmp_path):
    path = tmp_path / "run.xyz"
    write_xyz(path, ethanol, 7)
    universe = open_trajectory(path, frame_time_fs=5.0)
    assert atomic_numbers(universe).tolist() == ethanol.numbers.tolist()
    found = list(blocks(universe, 3))
    assert [len(block.times_ps) for block in found] == [3, 3, 1]
    starts = np.concatenate([block.positions[:, 0, 0] for block in found])
    assert np.diff(starts) == pytest.approx(np.ones(6))
    assert np.concatenate([block.times_ps for block in found]) == pytest.approx(0.005 * np.arange(7))
    assert found[0].cells is None


def test_time_between_frames_is_asked_for_where_the_format_has_none(ethanol, tmp_path):
    write_xyz(tmp_path / "run.xyz", ethanol, 2)
    with pytest.raises(DataError, match="--frame-time"):
        open_trajectory(tmp_path / "run.xyz")


def test_a_run_folder_is_opened_by_its_files(ethanol, tmp_path):
    ethanol.write(tmp_path / "topology.pdb")
    source = mda.Universe(str(tmp_path / "topology.pdb"))
    with mda.Writer(str(tmp_path / "trajectory.dcd"), n_atoms=9, dt=0.25) as writer:
        for _ in range(3):
            source.dimensions = [30.0, 30.0, 30.0, 90.0, 90.0, 90.0]
            writer.write(source.atoms)
    universe = open_trajectory(tmp_path)
    assert atomic_numbers(universe).tolist() == ethanol.numbers.tolist()
    (block,) = blocks(universe)
    assert block.times_ps == pytest.approx([0.0, 0.25, 0.5], rel=1e-4)
    np.testing.assert_allclose(block.cells, np.repeat(30.0 * np.eye(3)[None], 3, axis=0), atol=1e-4)


def test_unreadable_trajectories_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_trajectory(tmp_path)
    (tmp_path / "trajectory.dcd").write_text("not a trajectory")
    with pytest.raises(DataError, match=r"trajectory\.dcd.*--topology"):
        open_trajectory(tmp_path)
