"""The reference of a label study: energies and forces of its geometries by a calculator or from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.io import iread

from mdaug.augmentation import Labels
from mdaug.augmentation.force_matching.label_rule import similar_frames
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.quantum.calculators import calculate_frames
from mdaug.workflows.labels_draw import Batch, StudyFrames

TOLERANCE_A = 1e-4
"""How far a geometry of a reference file may be off that of the study."""


class Reference(NamedTuple):
    """Energies (n,) in eV and forces (n, n_atoms, 3) in eV/Å of the test frames, then of all copies; NaN
    where unknown. `name` is the level of theory, as far as it is known, or the file."""

    name: str
    energies: FloatArray
    forces: FloatArray


def calculated_reference(
    study: StudyFrames,
    calculator: Calculator,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> Reference:
    """Evaluate `calculator` on the geometries of a study; where it fails they are left out."""
    found = calculate_frames(calculator, study.test, study.geometries, allow_failures=True, progress=progress)
    return Reference(name, *found)


def read_reference(path: Path, study: StudyFrames) -> Reference:
    """Read the geometries of a study with energies, and forces where there are any, from extended xyz.

    Copies that the file lacks are unknown. Parents need forces.

    Raises
    ------
    DataError
        If the file cannot be read, holds other geometries, or lacks the energy or forces of a parent.
    """
    try:
        frames = list(iread(path, format="extxyz"))
        found = np.array([atoms.get_potential_energy() for atoms in frames])
        positions = np.array([atoms.positions for atoms in frames]).reshape(
            -1, *study.test.positions[0].shape
        )
    except (OSError, ValueError, KeyError, RuntimeError, PropertyNotImplementedError) as error:
        raise DataError(
            f"{path}: cannot be read as a reference ({error}); expected extended xyz with energies, as "
            "`mdaug reference frames.xyz --forces` writes it"
        ) from error
    places = _places(path, positions, study.geometries)
    energies, forces = np.full(len(study.geometries), np.nan), np.full_like(study.geometries, np.nan)
    energies[places] = found
    for place, atoms in zip(places, frames, strict=True):
        if "forces" in atoms.calc.results:
            forces[place] = atoms.get_forces()
    unknown = np.isnan(forces[: len(study.test)]).any(axis=(1, 2))
    if unknown.any():
        raise DataError(
            f"{path}: no energy and forces of {unknown.sum()} of the {len(study.test)} parents, the first "
            "of frames.xyz; compute them with `mdaug reference frames.xyz --forces`"
        )
    return Reference(str(frames[0].info.get("level_of_theory", path.name)), energies, forces)


def _places(path: Path, positions: FloatArray, expected: FloatArray) -> IntArray:
    """Return which of the `expected` geometries each of `positions` is."""
    off = np.array([np.abs(expected - one).max(axis=(1, 2)) for one in positions]).reshape(-1, len(expected))
    nearest = off.min(axis=1, initial=np.inf)
    if (nearest > TOLERANCE_A).any():
        raise DataError(
            f"{path}: geometry {nearest.argmax()} is {nearest.max():.3g} Å off every one of this study; use "
            "the frames.xyz, options and seed of one study"
        )
    return off.argmin(axis=1)


def true_labels(batch: Batch, study: StudyFrames, reference: Reference) -> Labels:
    """Return ΔE and F' of the copies of a batch by the reference, with the data's own slope at the parents.

    ΔE = E_low(r') − E_low(r) − Σ (F − F_low(r))·Δr, F' = F_low(r') + F − F_low(r)
    """
    copies = study.copies_of(batch)
    parents, shift = batch.displaced.parents, batch.displaced.displacements
    residual = parents.forces - reference.forces[batch.parent]
    change = reference.energies[copies] - reference.energies[batch.parent]
    return Labels(change - np.sum(residual * shift, axis=(1, 2)), reference.forces[copies] + residual)


def reference_floor(test: FrameSet, reference: Reference) -> float:
    """Return the error of a reference that is not the data's own level, between neighbouring test frames.

    Both ends are frames, so that the data's own ΔE is known.

    Returns
    -------
    Its rms error over the rms change of the energy beyond first order.

    Raises
    ------
    DataError
        If the frames are periodic: there is no turning one cell onto another.
    """
    if test.periodic:
        raise DataError(
            f"{test.name}: the frames are periodic and the reference is not of their own level of theory, so "
            "its error cannot be measured; give a calculator of that level"
        )
    near = similar_frames(test)
    residual = near.parents.forces - reference.forces[near.parent]
    change = reference.energies[near.other] - reference.energies[near.parent]
    own = test.energies[near.other] - near.parents.energies
    error = change - np.sum(residual * near.displacements, axis=(1, 2)) - own
    return float(np.sqrt(np.nanmean(error**2))) / beyond_first_order(
        near.parents.forces, near.displacements, own
    )


def beyond_first_order(forces: FloatArray, shift: FloatArray, change: FloatArray) -> float:
    """Return the rms over the copies of ΔE + Σ F·Δr, in the unit of `change`."""
    return float(np.sqrt(np.nanmean((change + np.sum(forces * shift, axis=(1, 2))) ** 2)))
