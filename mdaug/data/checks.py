"""Whether frames can be used as they are: each refusal says what, where, what was expected and what to do."""

import warnings
from dataclasses import replace

import numpy as np
from ase.data import chemical_symbols

from mdaug.data.unit_check import check_units, warn_of_contacts
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.molecules import warn_of_parting

LARGEST = 1e12
"""Numbers beyond this are of broken files; their squares would overflow."""

DUPLICATE_TOLERANCE_A = 1e-6
"""Frames whose coordinates all agree within this are one frame, saved twice."""


def check_frames(frames: FrameSet, *, units: str = "eV") -> FrameSet:
    """Return `frames` with duplicates in common groups, or say why they cannot be used.

    Parameters
    ----------
    frames
        In eV and Å.
    units
        The energy unit in which the file was read, for the message about implausible ones.

    Raises
    ------
    DataError
        For no frame, an unknown element, NaN or infinity, cells without volume, implausible units.
    """
    _check_shape(frames)
    _check_atoms(frames)
    _check_finite(frames)
    _check_cells(frames)
    warn_of_contacts(frames)
    check_units(frames, units)
    warn_of_parting(frames)
    return _group_duplicates(frames)


def _check_shape(frames: FrameSet) -> None:
    if len(frames) == 0:
        raise DataError(f"{frames.name}: holds no frame")
    n_frames, n_atoms = len(frames), frames.n_atoms
    expected = {"positions": (n_frames, n_atoms, 3), "forces": (n_frames, n_atoms, 3), "weights": (n_frames,)}
    expected |= {"cells": (n_frames, 3, 3), "stresses": (n_frames, 3, 3), "group": (n_frames,)}
    for what, shape in expected.items():
        values = getattr(frames, what)
        if values is not None and np.shape(values) != shape:
            raise DataError(f"{frames.name}: {what} of shape {np.shape(values)}; expected {shape}")
    if n_atoms == 0:
        raise DataError(f"{frames.name}: holds no atoms")


def _check_atoms(frames: FrameSet) -> None:
    known = (frames.atomic_numbers > 0) & (frames.atomic_numbers < len(chemical_symbols))
    if not known.all():
        atom = int(np.argmin(known))
        raise DataError(
            f"{frames.name}: atom {atom} has atomic number {frames.atomic_numbers[atom]}; "
            f"expected a chemical element (1 to {len(chemical_symbols) - 1})"
        )


def _check_finite(frames: FrameSet) -> None:
    for what in ("positions", "energies", "forces", "cells", "stresses"):
        values = getattr(frames, what)
        if values is None:
            continue
        if np.isfinite(values).all():
            if (np.abs(values) > LARGEST).any():
                raise DataError(f"{frames.name}: {what} hold numbers beyond {LARGEST:g}; is the file whole?")
            continue
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(frames), -1)).all(axis=1))
        raise DataError(
            f"{frames.name}: frame {bad[0]}: {what} hold NaN or infinity ({len(bad)} such frames in all); "
            "expected finite numbers: remove these frames"
        )


def _check_cells(frames: FrameSet) -> None:
    """Refuse cells whose periodic vectors lie in one plane, on one line, or are zero."""
    if frames.cells is None:
        return
    vectors = frames.cells[:, list(frames.pbc)]
    lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
    flat = np.linalg.matrix_rank(vectors / np.maximum(lengths, 1e-300), tol=1e-6) < sum(frames.pbc)
    if flat.any():
        raise DataError(
            f"{frames.name}: frame {np.argmax(flat)}: its cell has no volume ({flat.sum()} such frames); "
            "expected independent vectors in the periodic directions, or no cell for a molecule"
        )


def _group_duplicates(frames: FrameSet) -> FrameSet:
    """Give copies of a geometry the group of its first occurrence, and say how many there are."""
    first = _first_occurrence(frames)
    copies = np.flatnonzero(first != np.arange(len(frames)))
    if len(copies) == 0:
        return frames
    group = frames.group.copy()
    for copy in copies:  # all of a copy's group joins: a frame, its copy and the displaced copies of both
        group[group == group[copy]] = group[first[copy]]
    shown = ", ".join(f"{first[copy]}/{copy}" for copy in copies[:5])
    warnings.warn(
        f"{frames.name}: {len(frames) - len(copies)} of {len(frames)} frames are distinct; "
        f"duplicates ({shown}{', …' if len(copies) > 5 else ''}) are kept on one side of every split",
        stacklevel=2,
    )
    return replace(frames, group=group)


def _first_occurrence(frames: FrameSet) -> IntArray:
    """Return, for each frame, the first frame with the same coordinates.

    Candidates have the same energy-free fingerprint, a sum of coordinates with fixed random weights, so only
    neighbours in its order are compared.
    """
    coordinates = frames.positions.reshape(len(frames), -1)
    weights = np.random.default_rng(0).uniform(1, 2, coordinates.shape[1])
    fingerprint = coordinates @ weights
    order = np.argsort(fingerprint, kind="stable")
    reach = DUPLICATE_TOLERANCE_A * weights.sum()
    first = np.arange(len(frames))
    for place, frame in enumerate(order):
        for other in order[place + 1 :]:
            if fingerprint[other] - fingerprint[frame] > reach:
                break
            if np.abs(coordinates[other] - coordinates[frame]).max() <= DUPLICATE_TOLERANCE_A:
                low, high = sorted((first[frame], first[other]))
                first[first == high] = low
    return first
