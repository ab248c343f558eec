"""Reference of a label study: energies and forces of its geometries, by a calculator or from a file."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.io import iread

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.quantum.calculators import calculate_frames
from mdaug.workflows.label_study import StudyFrames
from mdaug.workflows.progress import Progress, ignore

TOLERANCE_A = 1e-4
"""Largest deviation of a geometry in a reference file from that of the study."""


class Reference(NamedTuple):
    """Energies (n,) in eV and forces (n, n_atoms, 3) in eV/Å of the geometries of a study; NaN where missing.

    `name` is the level of theory where it is known, otherwise the file.
    """

    name: str
    energies: FloatArray
    forces: FloatArray


def calculated_reference(
    study: StudyFrames, calculator: Calculator, name: str, progress: Progress = ignore
) -> Reference:
    """Evaluate an ASE calculator on the geometries of a study; where it fails they are missing.

    Parameters
    ----------
    study
        From `draw_study`.
    calculator
        Any with energy and forces.
    name
        Its level of theory.
    progress
        Called with the stage and the numbers of geometries done and in all.
    """
    report = partial(progress, f"reference {name}")
    values = calculate_frames(calculator, study.test, study.geometries, allow_failures=True, progress=report)
    return Reference(name, *values)


def read_reference(path: Path, study: StudyFrames) -> Reference:
    """Read the geometries of a study with energies, and forces where there are any, from extended xyz.

    Displaced frames may be missing. Parents need forces.

    Parameters
    ----------
    path
        A file as `mdaug reference frames.xyz --forces` writes it.
    study
        From `draw_study`, with the same options and seed.

    Raises
    ------
    DataError
        If the file cannot be read, holds other geometries, or lacks the energy or forces of a parent.
    """
    try:
        frames = list(iread(path, format="extxyz", do_not_split_by_at_sign=True))
        in_file = np.array([atoms.get_potential_energy() for atoms in frames])
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
    energies[places] = in_file
    for place, atoms in zip(places, frames, strict=True):
        if "forces" in atoms.calc.results:
            forces[place] = atoms.get_forces()
    missing = np.isnan(forces[: len(study.test)]).any(axis=(1, 2))
    if missing.any():
        raise DataError(
            f"{path}: no energy and forces of {missing.sum()} of the {len(study.test)} parents, the first "
            "of frames.xyz; compute them with `mdaug reference frames.xyz --forces`"
        )
    return Reference(str(frames[0].info.get("level_of_theory", path.name)), energies, forces)


def _places(path: Path, positions: FloatArray, expected: FloatArray) -> IntArray:
    """Return, for each of `positions`, the index of the same geometry in `expected`."""
    off = np.array([np.abs(expected - one).max(axis=(1, 2)) for one in positions]).reshape(-1, len(expected))
    nearest = off.min(axis=1, initial=np.inf)
    if (nearest > TOLERANCE_A).any():
        raise DataError(
            f"{path}: geometry {nearest.argmax()} differs by {nearest.max():.3g} Å from every one of this "
            "study; use the frames.xyz, options and seed of one study"
        )
    return off.argmin(axis=1)
