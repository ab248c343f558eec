"""Write frames as extended xyz (ASE, OVITO) or sGDML-like npz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz as write_ase_extxyz

from mdaug.files import atomic_path
from mdaug.frames import FrameSet

PER_SET_KEYS = ("temperature_K", "level_of_theory", "charge", "multiplicity")
"""Fields of a FrameSet that every frame of an extended xyz carries in its comment line."""


def write_extxyz(frames: FrameSet, path: Path | str) -> None:
    """Write an ordinary extended xyz: energy in eV, forces in eV/Å, group, temperature, level and info.

    Per-atom entries of ``info`` (shape (n_frames, n_atoms, …)) become columns, the others comment-line keys.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for frame in range(len(frames)):
            columns = [key for key, values in frames.info.items() if _per_atom(values, frames)]
            write_ase_extxyz(
                stream, [_to_atoms(frames, frame)], columns=["symbols", "positions", *columns, "forces"]
            )


def write_npz(
    frames: FrameSet, path: Path | str, notes: Mapping[str, str | int | float] | None = None
) -> None:
    """Write an sGDML-like npz (z, R, E, F) with its units (eV, Å) in ``e_unit`` and ``r_unit``.

    `notes` are kept as further scalar keys for whoever opens the file.
    """
    content: dict[str, Any] = {
        "type": "d",
        "name": frames.name,
        "z": frames.atomic_numbers.astype(np.uint8),
        "R": frames.positions,
        "E": frames.energies,
        "F": frames.forces,
        "r_unit": "Ang",
        "e_unit": "eV",
        "group": frames.group,
    }
    if frames.periodic:
        content |= {"cells": frames.cells, "pbc": np.array(frames.pbc)}
    names = {"temperature_K": "temperature", "level_of_theory": "theory"}
    for key in PER_SET_KEYS:
        if getattr(frames, key) is not None:
            content[names.get(key, key)] = getattr(frames, key)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **(content | dict(notes or {})))


def _to_atoms(frames: FrameSet, frame: int) -> Atoms:
    atoms = Atoms(
        frames.atomic_numbers,
        frames.positions[frame],
        cell=None if frames.cells is None else frames.cells[frame],
        pbc=frames.pbc,
    )
    atoms.info = {key: getattr(frames, key) for key in PER_SET_KEYS if getattr(frames, key) is not None}
    atoms.info["group"] = int(frames.group[frame])
    if frames.weights[frame] != 1.0:
        atoms.info["weight"] = float(frames.weights[frame])
    for key, values in frames.info.items():
        if _per_atom(values, frames):
            atoms.arrays[key] = values[frame]
        else:
            atoms.info[key] = values[frame]
    results = {"energy": frames.energies[frame], "forces": frames.forces[frame]}
    if frames.stresses is not None:
        results["stress"] = frames.stresses[frame][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _per_atom(values: np.ndarray, frames: FrameSet) -> bool:
    return values.ndim >= 2 and values.shape[1] == frames.n_atoms
