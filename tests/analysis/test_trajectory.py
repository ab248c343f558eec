import gzip

import MDAnalysis as mda
import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from mdaug.analysis.trajectory import atomic_numbers, blocks, open_trajectory
from mdaug.errors import DataError
from mdaug.md.trajectory import DcdTrajectory


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
    read = list(blocks(universe, 3))
    assert [len(block.times_ps) for block in read] == [3, 3, 1]
    starts = np.concatenate([block.positions[:, 0, 0] for block in read])
    assert np.diff(starts) == pytest.approx(np.ones(6))
    assert np.concatenate([block.times_ps for block in read]) == pytest.approx(0.005 * np.arange(7))
    assert read[0].cells is None


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


def write_dump(path, atoms, n_frames, *, every=10, boundary="pp pp pp", columns="id element x y z", first=0):
    """A LAMMPS dump whose atoms move by 1 Å a frame along x, in changing order."""
    text, rng = "", np.random.default_rng(0)
    for k in range(n_frames):
        rows = []
        for i, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
            row = {"id": i + 1, "element": symbol, "type": 1, "x": x + k, "y": y, "z": z}
            rows.append(" ".join(str(row[column]) for column in columns.split()))
        rng.shuffle(rows)
        text += f"ITEM: TIMESTEP\n{first + k * every}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
        text += f"ITEM: BOX BOUNDS {boundary}\n" + 3 * "-10 20\n"
        text += f"ITEM: ATOMS {columns}\n" + "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["run.lammpstrj", "run.dump", "run.lammpsdump", "run.lammpstrj.gz"])
@pytest.mark.parametrize("first", [0, 5000])
def test_times_of_a_lammps_dump_are_the_frame_time_and_not_that_times_its_steps(
    ethanol, tmp_path, name, first
):
    ethanol += Atoms("OH", ethanol.positions[2:4] + 5.0)  # more than nine atoms: ids of two digits
    path = write_dump(tmp_path / name, ethanol, 4, first=first)
    universe = open_trajectory(path, frame_time_fs=5.0)
    (block,) = blocks(universe)
    assert block.times_ps == pytest.approx([0.0, 0.005, 0.010, 0.015])
    assert atomic_numbers(universe).tolist() == ethanol.numbers.tolist()
    differences = np.linalg.norm(block.positions - block.positions[:, :1], axis=2)
    expected = np.linalg.norm(ethanol.positions - ethanol.positions[0], axis=1)
    np.testing.assert_allclose(differences, np.repeat(expected[None], 4, axis=0), atol=1e-5)
    np.testing.assert_allclose(block.cells, np.repeat(30.0 * np.eye(3)[None], 4, axis=0), atol=1e-4)


def _say_it_is_from_lammps(dcd, title):
    content = bytearray(dcd.read_bytes())
    start = content.index(title)
    content[start : start + 17] = b"Written by LAMMPS"
    dcd.write_bytes(content)


def _lammps_dcd(folder, positions, boxes):
    """Write a DCD file as LAMMPS does: a box in every frame, whatever is periodic."""
    folder.mkdir()
    dcd = folder / "run.dcd"
    with mda.Writer(str(dcd), n_atoms=positions.shape[1], remarks="A" * 40) as writer:
        universe = mda.Universe.empty(positions.shape[1], trajectory=True)
        for one, box in zip(positions, boxes, strict=True):
            universe.atoms.positions, universe.dimensions = one, [*box, 90.0, 90.0, 90.0]
            writer.write(universe.atoms)
    _say_it_is_from_lammps(dcd, b"A" * 17)
    return dcd


def _cells_of(dcd, numbers):
    Atoms(numbers, np.zeros((len(numbers), 3))).write(dcd.parent / "topology.pdb")
    (block,) = blocks(open_trajectory(dcd, frame_time_fs=1.0))
    return block.cells


def test_a_box_of_lammps_that_only_encloses_a_molecule_is_not_periodic(ethanol, tmp_path):
    rng = np.random.default_rng(0)
    turns = Rotation.random(20, random_state=0).as_matrix()
    positions = ethanol.positions @ turns + 0.05 * rng.normal(size=(20, 9, 3))
    extents = np.ptp(positions, axis=1)
    fitted = extents[np.arange(20) // 2 * 2]  # LAMMPS fits the box when it builds neighbor lists
    assert _cells_of(_lammps_dcd(tmp_path / "all", positions, fitted + 0.004), ethanol.numbers) is None
    one = _lammps_dcd(tmp_path / "one", positions[:1], fitted[:1] + 0.004)
    assert _cells_of(one, ethanol.numbers) is None
    roomy = _lammps_dcd(tmp_path / "roomy", positions, np.full((20, 3), 12.0))
    assert _cells_of(roomy, ethanol.numbers) is not None


@pytest.mark.parametrize("n_atoms", [24, 64, 600])
def test_a_box_of_lammps_with_a_liquid_or_a_droplet(tmp_path, n_atoms):
    rng = np.random.default_rng(0)
    boxes = np.cbrt(10.0 * n_atoms) * (1 + 0.02 * rng.normal(size=(20, 1))) * np.ones((20, 3))
    liquid = rng.random((20, n_atoms, 3)) * boxes[:, None]
    numbers = np.full(n_atoms, 18)
    assert _cells_of(_lammps_dcd(tmp_path / "liquid", liquid, boxes), numbers) is not None
    direction = rng.normal(size=(20, n_atoms, 3))
    droplet = (
        direction / np.linalg.norm(direction, axis=2)[..., None] * 8 * np.cbrt(rng.random((20, n_atoms, 1)))
    )
    fitted = np.ptp(droplet, axis=1) + 0.004
    assert _cells_of(_lammps_dcd(tmp_path / "droplet", droplet, fitted), numbers) is None


def test_files_of_lammps_need_the_frame_time(ethanol, tmp_path):
    dump = write_dump(tmp_path / "run.lammpstrj", ethanol, 3)
    with pytest.raises(DataError, match=r"run\.lammpstrj: LAMMPS writes no time .* --frame-time"):
        open_trajectory(dump)
    assert len(open_trajectory(dump, needs_times=False).trajectory) == 3
    dcd = tmp_path / "trajectory.dcd"
    with DcdTrajectory(dcd, ethanol, 10, 0.0005) as file:
        for _ in range(3):
            file.write(ethanol.positions)
    ethanol.write(tmp_path / "topology.pdb")
    (block,) = blocks(open_trajectory(tmp_path))
    assert block.times_ps == pytest.approx([0.0, 5e-6, 10e-6], rel=1e-4)  # ours is in CHARMM's units
    _say_it_is_from_lammps(dcd, b"positions in Angstrom")
    with pytest.raises(DataError, match=r"trajectory\.dcd: LAMMPS writes no time .* --frame-time"):
        open_trajectory(tmp_path)
    (block,) = blocks(open_trajectory(tmp_path, frame_time_fs=5.0))
    assert block.times_ps == pytest.approx([0.0, 0.005, 0.010])


def test_a_dump_is_periodic_where_lammps_is(ethanol, tmp_path):
    shrunk = write_dump(tmp_path / "shrunk.dump", ethanol, 2, boundary="mm mm mm")
    (block,) = blocks(open_trajectory(shrunk, frame_time_fs=1.0))
    assert block.cells is None
    slab = write_dump(tmp_path / "slab.dump", ethanol, 2, boundary="pp pp ff")
    (block,) = blocks(open_trajectory(slab, frame_time_fs=1.0))
    assert np.diagonal(block.cells[1])[:2] == pytest.approx(30.0)
    assert block.cells[1, 2, 2] > 1e5


def test_dumps_that_cannot_be_understood_are_refused(ethanol, tmp_path):
    with pytest.raises(DataError, match="without a column id"):
        open_trajectory(
            write_dump(tmp_path / "1.dump", ethanol, 2, columns="element x y z"), frame_time_fs=1.0
        )
    nameless = write_dump(tmp_path / "2.dump", ethanol, 2, columns="id type x y z")
    with pytest.raises(DataError, match=r"names no elements.*--topology"):
        open_trajectory(nameless, frame_time_fs=1.0)
    ethanol.write(tmp_path / "names.pdb")
    universe = open_trajectory(nameless, tmp_path / "names.pdb", frame_time_fs=1.0)
    assert atomic_numbers(universe).tolist() == ethanol.numbers.tolist()
    with_time = tmp_path / "3.dump"
    with_time.write_text("ITEM: UNITS\nreal\nITEM: TIME\n0.0\n" + nameless.read_text())
    with pytest.raises(DataError, match="dump_modify units no time no"):
        open_trajectory(with_time, frame_time_fs=1.0)
    cut = tmp_path / "4.dump"
    cut.write_text("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n")
    with pytest.raises(DataError, match="not a complete frame"):
        open_trajectory(cut, frame_time_fs=1.0)


def test_a_frame_time_that_contradicts_the_file_is_refused(ethanol, tmp_path):
    ethanol.write(tmp_path / "topology.pdb")
    source = mda.Universe(str(tmp_path / "topology.pdb"))
    path = tmp_path / "run.ncdf"
    with mda.Writer(str(path), n_atoms=9) as writer:
        for time in (0.0, 0.01, 0.02):
            source.trajectory.ts.time = time
            writer.write(source.atoms)
    (block,) = blocks(open_trajectory(path))
    assert block.times_ps == pytest.approx([0.0, 0.01, 0.02])
    assert len(open_trajectory(path, frame_time_fs=10.0).trajectory) == 3
    with pytest.raises(DataError, match=r"its frames are 10 fs apart, not 5; leave --frame-time out"):
        open_trajectory(path, frame_time_fs=5.0)
