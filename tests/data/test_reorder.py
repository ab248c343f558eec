"""Frames of one molecule in several orders of atoms: refused as they are, and read with `reorder`."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mdaug.cli.app import main
from mdaug.data import load_frames, load_systems, write_extxyz
from mdaug.data.element_order import sort_by_element, take_atoms
from mdaug.data.load import read_frames, read_systems
from mdaug.data.origin import ATOM_IN_FILE
from mdaug.data.reorder import in_order_of, in_order_of_first
from mdaug.data.verification.reordered_forces import refuse_forces_of_other_atoms
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.bond_graphs import frame_bond_graphs
from mdaug.geometry.molecules import mean_bonds
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.training.data import load_training_data
from tests.data.test_paths import carbon_between_bromines

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

N_FRAMES = 60
C0, C1, O2, H3, H8 = 0, 1, 2, 3, 8
"""Atoms of the embedded ethanol: C0 of CH₂, C1 of CH₃, O2, H3 at C0, and H8 at O2."""


@pytest.fixture(scope="session")
def frames(ethanol: FrameSet) -> FrameSet:
    """Sixty frames of ethanol, with a record of each atom."""
    some = ethanol.evenly_spaced(N_FRAMES)
    charges = np.random.default_rng(1).normal(size=(N_FRAMES, some.n_atoms))
    return replace(
        some, info={"partial_charges": charges}, of_atoms=frozenset({"partial_charges"}), temperature_K=None
    )


def _orders(kind: str) -> IntArray:
    """Return orders of the nine atoms of ethanol in each frame, the first in its own."""
    orders, rng = np.tile(np.arange(9), (N_FRAMES, 1)), np.random.default_rng(0)
    if kind == "elements in half":
        orders[N_FRAMES // 2 :] = [O2, C1, C0, *range(3, 9)]
    elif kind == "hydrogens in half":
        orders[N_FRAMES // 2 :, [H3, H8]] = H8, H3
    elif kind == "hydrogens in few":
        orders[5::10, [H3, H8]] = H8, H3
    else:
        orders[1:] = [rng.permutation(9) for _ in orders[1:]]
    return orders


KINDS = ("elements in half", "hydrogens in half", "hydrogens in few", "random")


def _write(frames: FrameSet, path: Path, orders: IntArray, orders_of_forces: IntArray | None = None) -> Path:
    """Write frames with the atoms of each in another order, and maybe the forces in a third."""
    images = []
    for n, order in enumerate(orders):
        of_forces = order if orders_of_forces is None else orders_of_forces[n]
        atoms = Atoms(frames.atomic_numbers[order], frames.positions[n, order])
        atoms.arrays["partial_charges"] = frames.info["partial_charges"][n, order]
        forces = frames.forces[n, of_forces]
        atoms.calc = SinglePointCalculator(atoms, energy=frames.energies[n], forces=forces)
        images.append(atoms)
    ase.io.write(path, images, format="extxyz")
    return path


@pytest.fixture(scope="session")
def in_order(frames: FrameSet, tmp_path_factory: pytest.TempPathFactory) -> FrameSet:
    """The same frames as read from a file."""
    path = tmp_path_factory.mktemp("in_order") / "frames.xyz"
    return load_frames(_write(frames, path, np.tile(np.arange(9), (N_FRAMES, 1))))


def _check_equal(reordered: FrameSet, expected: FrameSet) -> None:
    assert reordered.atomic_numbers.tolist() == expected.atomic_numbers.tolist()
    assert np.array_equal(reordered.energies, expected.energies)
    assert np.array_equal(reordered.positions, expected.positions)
    assert np.array_equal(reordered.forces, expected.forces)
    assert np.array_equal(reordered.info["partial_charges"], expected.info["partial_charges"])
    assert ATOM_IN_FILE not in {*reordered.info, *reordered.of_atoms}


def _check_equal_but_for_symmetry(reordered: FrameSet, expected: FrameSet) -> None:
    """Each frame is the expected one with atoms exchanged that are equal in the molecule."""
    assert reordered.atomic_numbers.tolist() == expected.atomic_numbers.tolist()
    assert np.array_equal(reordered.energies, expected.energies)
    graphs = frame_bond_graphs(reordered)
    assert graphs.present.all()
    assert graphs.pairs.tolist() == frame_bond_graphs(expected).pairs.tolist()
    for n in range(len(expected)):
        distances = np.linalg.norm(reordered.positions[n, :, None] - expected.positions[n], axis=2)
        atoms = distances.argmin(axis=1)
        assert sorted(atoms) == list(range(expected.n_atoms))
        for own, there in (
            (reordered.positions, expected.positions),
            (reordered.forces, expected.forces),
            (reordered.info["partial_charges"], expected.info["partial_charges"]),
        ):
            assert np.array_equal(own[n], there[n, atoms])


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_in_the_order_of_the_first(kind: str, frames, in_order, tmp_path: Path) -> None:
    path = _write(frames, tmp_path / "orders.xyz", _orders(kind))
    moved = int((_orders(kind) != np.arange(9)).any(axis=1).sum())
    one = f"orders.xyz: the atoms of {moved} of 60 frames are brought into the order of frame 0"
    with pytest.warns(UserWarning, match=one):
        reordered = load_frames(path, reorder=True)
    (as_system,) = load_systems(path, reorder=True)
    check = _check_equal_but_for_symmetry if kind == "random" else _check_equal
    for each in (reordered, as_system):
        check(each, in_order)
    with pytest.raises(DataError, match=r"another order.*--reorder"):
        load_frames(path)
    with pytest.raises(DataError, match=r"another order.*--reorder"):
        load_systems(path)


@pytest.mark.parametrize("kind", KINDS)
def test_forces_that_were_not_reordered_are_refused(kind: str, frames, tmp_path: Path) -> None:
    """Positions in another order than the forces are a corrupted file, with `reorder`, too."""
    path = _write(frames, tmp_path / "orders.xyz", _orders(kind), np.tile(np.arange(9), (N_FRAMES, 1)))
    with pytest.raises(
        DataError, match=r"forces (do not belong|of \d+ of 60 frames have a net force or torque)"
    ):
        load_frames(path, reorder=True)
    assert main(["check", str(path), "--reorder", "--out", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize("frames_of_other_order", [slice(35, None), slice(None, None, 20)])
@pytest.mark.parametrize("is_corrupted", [False, True])
def test_forces_in_a_cell_that_were_not_reordered_are_refused(
    is_corrupted: bool, frames_of_other_order: slice, tmp_path: Path
) -> None:
    """A cell has no torque: forces on two of 24 atoms, in half of the frames and in four with the first."""
    box = load_frames("tests/data/water_box.npz")
    orders = np.tile(np.arange(box.n_atoms), (len(box), 1))
    orders[frames_of_other_order, [[1], [23]]] = [[23], [1]]
    in_other_order = take_atoms(box, orders)
    forces = box.forces if is_corrupted else in_other_order.forces
    write_extxyz(replace(in_other_order, forces=forces), tmp_path / "box.xyz")
    if is_corrupted:
        with pytest.raises(
            DataError, match=r"frames .* \(35 in all\)|frames 0, 20, 40, 60: .* forces are not"
        ):
            load_frames(tmp_path / "box.xyz", reorder=True)
        return
    reordered = load_frames(tmp_path / "box.xyz", reorder=True)
    expected = take_atoms(box, np.tile(orders[0], (len(box), 1)))
    assert reordered.positions == pytest.approx(expected.positions, abs=1e-6)
    assert reordered.forces == pytest.approx(expected.forces, abs=1e-6)


def test_bonds_that_are_softer_in_reordered_frames_are_no_other_order_of_forces() -> None:
    box = load_frames("tests/data/water_box.npz")
    orders = np.tile(np.arange(box.n_atoms), (len(box), 1))
    orders[35:, [1, 23]] = [23, 1]
    softer = replace(box, forces=box.forces * np.where(np.arange(len(box)) < 35, 1.0, 0.7)[:, None, None])
    refuse_forces_of_other_atoms(softer, orders, mean_bonds(box)[0])


@pytest.mark.parametrize("kind", ["elements", "hydrogens"])
def test_a_folder_of_files_in_different_orders(kind: str, frames, in_order, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    orders = _orders(f"{kind} in half")
    for name, part in (("run1.xyz", slice(0, 30)), ("run2.xyz", slice(30, 60))):
        _write(frames.select(part), folder / name, orders[part])
    (system,) = load_systems(folder, reorder=True)
    for each in (system, load_frames(folder, reorder=True)):
        _check_equal(each, in_order)
        assert each.info["file"].tolist() == ["run1.xyz"] * 30 + ["run2.xyz"] * 30
    with pytest.raises(DataError, match=r"another order.*--reorder"):
        load_frames(folder)


def test_messages_count_frames_of_the_file(frames, tmp_path: Path) -> None:
    path = _write(frames, tmp_path / "orders.xyz", _orders("hydrogens in few"))
    named = r"order of frame 0 \(--reorder\): frames 5, 15, 25, 35, 45, 55$"
    with pytest.warns(UserWarning, match=named):
        thinned = load_frames(path, reorder=True, every=5)
    assert thinned.info["frame_in_file"].tolist() == list(range(0, 60, 5))


@pytest.mark.parametrize("data", ["ethanol", "tests/data/water_box.npz", "tests/data/silicon.npz"])
def test_frames_in_one_order_are_not_changed(data: str) -> None:
    as_it_is, reordered = read_frames(data), read_frames(data, reorder=True)
    assert reordered.notes == as_it_is.notes
    assert reordered.is_named_set == as_it_is.is_named_set
    for name in ("atomic_numbers", "positions", "forces", "energies", "group", "cells", "stresses"):
        assert np.array_equal(getattr(reordered.frames, name), getattr(as_it_is.frames, name)), name
    assert set(reordered.frames.info) == set(as_it_is.frames.info)


def test_moving_atoms_are_no_other_order() -> None:
    """An atom that moves to its twin makes the first frame's bonds with other numbers at the end."""
    path = carbon_between_bromines(1.05 * np.tanh(np.linspace(-9.0, 8.0, 60)))
    (left_alone,), notes = in_order_of_first(sort_by_element(path))
    assert not notes
    assert np.array_equal(left_alone.positions, path.positions)
    jumps = carbon_between_bromines(np.repeat([1.0, -1.0], 30))
    (reordered,), notes = in_order_of_first(sort_by_element(jumps))
    assert "30 of 60 frames" in notes[0]
    assert np.array_equal(reordered.positions[30:], jumps.positions[30:, [2, 1, 0]])


def _shared_protons(orders: Sequence[Sequence[int]]) -> FrameSet:
    """Return frames of two hydroxyls, O–H…O, whose proton is at the other oxygen in every second frame."""
    positions = np.zeros((len(orders), 4, 3))
    positions[:, 1, 0] = 2.7
    positions[:, 2, 0] = np.where(np.arange(len(orders)) % 2, 1.7, 1.0)
    positions[:, 3] = [-0.3, 0.9, 0.0]
    numbers = np.array([8, 8, 1, 1])
    orders = np.array(orders)
    positions = np.take_along_axis(positions, orders[:, :, None], axis=1)
    frames = FrameSet(numbers, positions, np.zeros(len(orders)), np.zeros_like(positions))
    return sort_by_element(frames, numbers[orders])


def test_protons_that_move_stay_what_they_are_in_every_order() -> None:
    frames = _shared_protons([(0, 1, 2, 3)] * 20 + [(2, 0, 3, 1)] * 20)
    (reordered,), notes = in_order_of_first(frames)
    assert "20 of 40 frames" in notes[0]
    assert reordered.atomic_numbers.tolist() == [8, 8, 1, 1]
    assert np.array_equal(reordered.positions[20:], reordered.positions[:20])


def test_elements_that_are_exchanged_are_not_reordered() -> None:
    """Of O=C=S with O and S exchanged in the list, but not in the positions, the bonds are those of S=C=O."""
    rng = np.random.default_rng(0)
    numbers = np.tile([8, 6, 16], (40, 1))
    positions = np.array([[-1.16, 0, 0], [0, 0, 0], [1.56, 0, 0]]) + rng.normal(0, 0.02, (40, 3, 3))
    numbers[20:] = numbers[20:, ::-1]
    exchanged = FrameSet(numbers[0], positions, np.zeros(40), np.zeros_like(positions))
    systems, notes = in_order_of_first(sort_by_element(exchanged, numbers))
    assert [len(system) for system in systems] == [20, 20]
    assert "not reordered" in notes[0]
    positions = positions.copy()
    positions[20:] = positions[20:, ::-1]
    (reordered,), _ = in_order_of_first(sort_by_element(replace(exchanged, positions=positions), numbers))
    assert np.array_equal(reordered.positions[:20], positions[:20])
    assert np.array_equal(reordered.positions[20:], positions[20:, ::-1])


def test_frames_with_other_bonds_are_not_reordered_silently(frames, in_order, tmp_path: Path) -> None:
    """A frame in another order whose bond is broken is no frame of the molecule, and is named."""
    positions = frames.positions.copy()
    positions[40, H8] += 3.0 * (positions[40, H8] - positions[40, O2])
    orders = _orders("random")
    path = _write(replace(frames, positions=positions), tmp_path / "orders.xyz", orders)
    ethanol, broken = read_systems(path, reorder=True)
    assert (len(ethanol.frames), len(broken.frames)) == (59, 1)
    assert broken.frames.atomic_numbers.tolist() == frames.atomic_numbers[orders[40]].tolist()
    assert any(
        "frame 40: the atoms in another order than frame 0, and other bonds" in note for note in ethanol.notes
    )
    with pytest.raises(DataError, match=r"frame 40: the atoms in another order .* and other bonds"):
        load_frames(path, reorder=True)


def test_a_stretched_bond_is_no_other_molecule(frames, in_order, tmp_path: Path) -> None:
    """Where other frames with the same list of elements show the order."""
    positions = frames.positions.copy()
    direction = positions[40, H8] - positions[40, O2]
    positions[40, H8] = positions[40, O2] + 1.35 * direction / np.linalg.norm(direction)
    path = _write(replace(frames, positions=positions), tmp_path / "orders.xyz", _orders("elements in half"))
    (contents,) = read_systems(path, reorder=True)
    expected = in_order.positions.copy()
    expected[40] = contents.frames.positions[40]
    assert np.array_equal(contents.frames.positions, expected)
    assert np.linalg.norm(
        contents.frames.positions[40, H8] - contents.frames.positions[40, O2]
    ) == pytest.approx(1.35)


def test_held_out_frames_and_split_agree_with_frames_in_order(frames, tmp_path: Path) -> None:
    data = {}
    for name, orders in (
        ("in_order", np.tile(np.arange(9), (N_FRAMES, 1))),
        ("orders", _orders("elements in half")),
    ):
        data[name] = str(_write(frames, tmp_path / f"{name}.xyz", orders))
    held_out = frames.select(slice(0, 20))
    orders = np.tile(_orders("elements in half")[-1], (20, 1))
    data["test"] = str(_write(held_out, tmp_path / "test.xyz", orders))
    split = {"train": 40, "validation": 10, "test": 10}
    one, other, beside = (
        load_training_data(load_config(changes={"data": {"temperature": 500.0, **source}, "split": split}))[0]
        for source in (
            {"source": data["in_order"]},
            {"sources": [{"source": data["orders"], "reorder": True}]},
            {"source": data["in_order"], "test": data["test"], "reorder": True},
        )
    )
    assert one.split.to_json() == other.split.to_json()
    assert np.array_equal(one.frames.positions, other.frames.positions)
    assert np.array_equal(beside.frames.select(beside.split.test).positions, one.frames.positions[:20])
    assert np.array_equal(beside.frames.select(beside.split.test).forces, one.frames.forces[:20])
    with pytest.raises(DataError, match=r"no system of the training frames.*--reorder"):
        load_training_data(load_config(changes={"data": {"source": data["in_order"], "test": data["test"]}}))


def test_frames_of_another_molecule_have_no_order(ethanol: FrameSet) -> None:
    assert in_order_of(ethanol.select(slice(0, 5)), load_frames("tests/data/methanol.npz")) is None


def test_check_judges_the_reordered_frames_of_a_file_that_it_refuses(frames, tmp_path: Path) -> None:
    path = _write(frames, tmp_path / "orders.xyz", _orders("random"))
    assert main(["check", str(path), "--temperature", "500", "--out", str(tmp_path / "refused")]) == 1
    assert (
        main(["check", str(path), "--temperature", "500", "--reorder", "--out", str(tmp_path / "read")]) == 0
    )
    for folder, verdict, text in (
        ("refused", "error", "in another order; expected one order .* --reorder; all other checks are of"),
        ("read", "warning", "the atoms of 59 of 60 frames are brought into the order of frame 0"),
    ):
        verdicts = json.loads((tmp_path / folder / "check.json").read_text())["verdicts"]
        by_name = {each["name"]: each for each in verdicts}
        assert by_name["reading"]["verdict"] == verdict
        assert re.search(text, by_name["reading"]["text"])
        assert by_name["same molecule in every frame"]["verdict"] == "ok"
    assert "--reorder" in (tmp_path / "read" / "run.json").read_text()
