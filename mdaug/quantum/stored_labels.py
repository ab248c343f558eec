"""Energies and forces of frames by any ASE calculator, on disk as soon as each is computed."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.point_store import PointStore, Record


class Labels(NamedTuple):
    """Labels of frames.

    Parameters
    ----------
    energies
        Shape (n_frames,), eV; NaN where the calculator failed.
    forces
        Shape (n_frames, n_atoms, 3), eV/Å; NaN where it failed.
    failures
        For each frame the reason why it has no label, or None.
    """

    energies: FloatArray
    forces: FloatArray
    failures: list[str | None]


def stored_labels(
    calculator: Calculator,
    level: str,
    frames: FrameSet,
    origins: Sequence[dict[str, Any]],
    store: PointStore,
    *,
    progress: Callable[[int, int], None],
) -> Labels:
    """Label frames one after another; those that the store has, failures too, are not computed again.

    Parameters
    ----------
    calculator
        Calculator of energy and forces.
    level
        Text that identifies the calculator and its settings.
    frames
        Frames without a cell; their labels are not read.
    origins
        For each frame what its record contains beside the label.
    store
        Where each label or failure is written when it is known.
    progress
        Called with (frames done, frames in all).
    """
    n_frames = len(frames)
    energies, forces = np.full(n_frames, np.nan), np.full_like(frames.positions, np.nan)
    failures: list[str | None] = [None] * n_frames
    with store.writing() as add:
        for n, positions in enumerate(frames.positions):
            key = _key(level, frames, positions)
            record = store.get(key)
            if record is None:
                record = {**origins[n], **_label(calculator, Atoms(frames.atomic_numbers, positions))}
                add(key, record)
            failures[n] = record.get("failure")
            if failures[n] is None:
                energies[n], forces[n] = record["energy_eV"], record["forces_eV_A"]
            progress(n + 1, n_frames)
    return Labels(energies, forces, failures)


def _key(level: str, frames: FrameSet, positions: FloatArray) -> str:
    described = hashlib.sha256(level.encode())
    for array in (frames.atomic_numbers.astype(np.int64), np.ascontiguousarray(positions)):
        described.update(array.tobytes())
    return described.hexdigest()[:32]


def _label(calculator: Calculator, atoms: Atoms) -> Record:
    """Return energy and forces of atoms, or why there are none."""
    atoms.calc = calculator
    try:
        energy, forces = float(atoms.get_potential_energy()), np.asarray(atoms.get_forces(), dtype=float)
    except Exception as error:  # calculators of others raise what they like
        calculator.reset()
        return {"failure": f"{type(error).__name__}: {error}"}
    if not np.isfinite(forces.sum() + energy):
        return {"failure": "energy or forces are not finite"}
    return {"energy_eV": energy, "forces_eV_A": forces.tolist()}
