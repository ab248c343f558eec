"""Frames with their atoms sorted by element, so that frames in several orders of atoms can be one set."""

from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.outputs import all_outputs
from numpy.typing import NDArray

from mdaug.data.origin import ATOM_IN_FILE
from mdaug.frames import FrameSet, IntArray


def take_atoms(frames: FrameSet, orders: IntArray) -> FrameSet:
    """Return frames with the atoms of each in another order: positions, forces and records of atoms.

    Parameters
    ----------
    frames
        The frames. Their elements are kept as they are: the caller replaces them.
    orders
        Shape (n_frames, n_atoms): which atom takes each place.
    """

    def taken(values: NDArray[Any]) -> NDArray[Any]:
        index = orders.reshape(*orders.shape, *(1 for _ in values.shape[2:]))
        return np.take_along_axis(values, index, axis=1)

    records = {key: taken(values) for key, values in frames.info.items() if key in frames.of_atoms}
    return replace(
        frames,
        positions=taken(frames.positions),
        forces=taken(frames.forces),
        info=frames.info | records,
    )


def sort_by_element(frames: FrameSet, numbers: IntArray | None = None) -> FrameSet:
    """Return frames with the atoms of each sorted by atomic number; `ATOM_IN_FILE` records what they were.

    Parameters
    ----------
    frames
        Frames of one system. Where they have the record, it is sorted too.
    numbers
        Shape (n_frames, n_atoms): atomic numbers of each frame, in any order; None for those of `frames`.
    """
    shape = frames.positions.shape[:2]
    in_file = frames.info.get(ATOM_IN_FILE, np.broadcast_to(np.arange(shape[1]), shape))
    recorded = replace(
        frames, info=frames.info | {ATOM_IN_FILE: in_file}, of_atoms=frames.of_atoms | {ATOM_IN_FILE}
    )
    every = np.broadcast_to(frames.atomic_numbers, shape) if numbers is None else numbers
    in_order = take_atoms(recorded, np.argsort(every, axis=1, kind="stable"))
    return replace(in_order, atomic_numbers=np.sort(frames.atomic_numbers))


def sort_structure(atoms: Atoms) -> Atoms:
    """Return a structure as `sort_by_element` returns frames, with the results of its calculator.

    Parameters
    ----------
    atoms
        The structure.
    """
    order = np.argsort(atoms.numbers, kind="stable")
    in_order = atoms[order]
    in_order.arrays[ATOM_IN_FILE] = order
    if atoms.calc is not None:
        in_order.calc = SinglePointCalculator(in_order)
        in_order.calc.results = {
            name: np.asarray(values)[order] if _is_of_atoms(name) else values
            for name, values in atoms.calc.results.items()
            if values is not None
        }
    return in_order


def _is_of_atoms(name: str) -> bool:
    return name in all_outputs and all_outputs[name].shapespec[:1] == ("natoms",)
