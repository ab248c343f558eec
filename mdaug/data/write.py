"""Write frames as extended xyz (ASE, OVITO) or sGDML-like npz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz as write_ase_extxyz
from ase.stress import full_3x3_to_voigt_6_stress

from mdaug.data.origin import FILE_NAME, FRAME_IN_FILE
from mdaug.data.readers.from_atoms import SET_KEYS
from mdaug.data.readers.npz import ATOM_RECORD, FRAME_RECORD
from mdaug.files import atomic_path
from mdaug.frames import FrameSet


def write_extxyz(frames: FrameSet, path: Path | str) -> None:
    """Write an ordinary extended xyz: energy in eV, forces in eV/Å, group, temperature, level and info.

    Records of atoms (``frames.of_atoms``) become columns, the others comment-line keys.

    Parameters
    ----------
    frames
        The frames.
    path
        The file.
    """
    columns = ["symbols", "positions", *(key for key in frames.info if key in frames.of_atoms), "forces"]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for n in range(len(frames)):
            write_ase_extxyz(stream, [_to_atoms(frames, n)], columns=columns)


def write_npz(
    frames: FrameSet, path: Path | str, notes: Mapping[str, str | int | float] | None = None
) -> None:
    """Write an sGDML-like npz (z, R, E, F) with its units (eV, Å) in ``e_unit`` and ``r_unit``.

    It has what `write_extxyz` writes, in arrays over all frames: cells and stresses of periodic frames,
    weights unless all are 1, and the records of frames and atoms.

    Parameters
    ----------
    frames
        The frames.
    path
        The file.
    notes
        Further scalar keys, for whoever opens the file.
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
    if frames.stresses is not None:
        content["stresses"] = frames.stresses
    if np.any(frames.weights != 1.0):
        content["weights"] = frames.weights
    for key, values in frames.info.items():
        if key not in (FRAME_IN_FILE, FILE_NAME):  # of the file that was read
            content[(ATOM_RECORD if key in frames.of_atoms else FRAME_RECORD) + key] = values
    names = {"temperature_K": "temperature", "level_of_theory": "theory"}
    content |= {names.get(key, key): value for key, value in _set_records(frames).items()}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **(content | dict(notes or {})))


def add_labels(atoms: Atoms, frames: FrameSet, n: int, *, stress: bool = True) -> None:
    """Give a structure the energy, the forces and the stress of a frame, as results of a calculator.

    Parameters
    ----------
    atoms
        The structure, which is changed.
    frames
        Some frames.
    n
        Index of the frame.
    stress
        Add the stress, where the frames have one.
    """
    results: dict[str, Any] = {"energy": float(frames.energies[n]), "forces": frames.forces[n]}
    if stress and frames.stresses is not None:
        results["stress"] = full_3x3_to_voigt_6_stress(frames.stresses[n])
    atoms.calc = SinglePointCalculator(atoms, **results)


def _to_atoms(frames: FrameSet, n: int) -> Atoms:
    atoms = frames.structure(n)
    atoms.info = _set_records(frames) | {"group": int(frames.group[n])}
    if frames.weights[n] != 1.0:
        atoms.info["weight"] = float(frames.weights[n])
    for key, values in frames.info.items():
        records = atoms.arrays if key in frames.of_atoms else atoms.info
        records[key] = values[n]
    add_labels(atoms, frames, n)
    return atoms


def _set_records(frames: FrameSet) -> dict[str, Any]:
    return {key: value for key in SET_KEYS if (value := getattr(frames, key)) is not None}
