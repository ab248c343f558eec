"""Frames that cannot be used at all: shapes, elements, numbers, cells; and atoms that are too near."""

import numpy as np
from ase.data import chemical_symbols

from mdaug.data.origin import shown
from mdaug.errors import DataError
from mdaug.frames import FrameSet, evenly_spaced
from mdaug.geometry.pairs import molecule_pairs
from mdaug.verdicts import Verdict

LARGEST = 1e12
"""Numbers beyond this are of broken files; their squares would overflow."""

CLOSEST_A = 0.3
"""No two atoms of a molecule are nearer, however hot it is."""

ASYMMETRY, ASYMMETRY_EV_A3 = 1e-2, 1e-5
"""Largest difference of σ_ij and σ_ji, relative to the largest component, and beside that in eV/Å³."""

MAX_FRAMES = 300
"""Frames, evenly spaced, in which atoms that are too near are looked for."""


def check_structure(frames: FrameSet) -> None:
    """Refuse frames of which nothing can be checked or trained.

    Parameters
    ----------
    frames
        In eV and Å.

    Raises
    ------
    DataError
        For no frame, an unknown element, NaN or infinity, cells without volume, or a stress that is not
        symmetric.
    """
    _check_shape(frames)
    _check_atoms(frames)
    _check_finite(frames)
    _check_cells(frames)
    _check_stresses(frames)


def contact_verdict(frames: FrameSet) -> Verdict:
    """Return whether atoms of a molecule are nearer to each other than `CLOSEST_A` in any frame."""
    name = "nearest atoms"
    if frames.cells is not None or frames.n_atoms < 2:
        return Verdict(name, "cannot tell", None, CLOSEST_A, "looked at in molecules only")
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    nearest = np.inf
    for n in evenly_spaced(len(frames), MAX_FRAMES):
        d_ij = np.linalg.norm(frames.positions[n, idx_j] - frames.positions[n, idx_i], axis=1)
        k = int(d_ij.argmin())
        nearest = min(nearest, float(d_ij[k]))
        if d_ij[k] < CLOSEST_A:
            text = (
                f"{shown(frames, [n])}: atoms {idx_i[k]} and {idx_j[k]} are {d_ij[k]:.3g} Å apart, nearer "
                "than atoms can be: are lengths in Å (--length-units), and are positions and forces in the "
                "right places?"
            )
            return Verdict(name, "warning", nearest, CLOSEST_A, text, (int(n),))
    return Verdict(name, "ok", nearest, CLOSEST_A, f"no two atoms are nearer than {nearest:.2f} Å")


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
    is_element = (frames.atomic_numbers > 0) & (frames.atomic_numbers < len(chemical_symbols))
    if not is_element.all():
        atom = int(np.argmin(is_element))
        raise DataError(
            f"{frames.name}: atom {atom} has atomic number {frames.atomic_numbers[atom]}; "
            f"expected a chemical element (1 to {len(chemical_symbols) - 1})"
        )


def _check_finite(frames: FrameSet) -> None:
    for what in ("positions", "energies", "forces", "cells", "stresses"):
        values = getattr(frames, what)
        if values is None or (what == "forces" and not frames.has_forces):
            continue
        if what == "stresses" and frames.known_stresses is None:
            continue
        if np.isfinite(values).all():
            if (np.abs(values) > LARGEST).any():
                raise DataError(f"{frames.name}: {what} hold numbers beyond {LARGEST:g}; is the file whole?")
            continue
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(frames), -1)).all(axis=1))
        raise DataError(
            f"{frames.name}: {shown(frames, bad[:1])}: {what} hold NaN or infinity ({len(bad)} such frames "
            "in all); expected finite numbers: remove these frames"
        )


def _check_stresses(frames: FrameSet) -> None:
    """Refuse stresses that are not symmetric, as those of a potential without torques on atoms are."""
    stresses = frames.known_stresses
    if stresses is None:
        return
    turned = np.abs(stresses - stresses.transpose(0, 2, 1)).max(axis=(1, 2))
    bad = turned > ASYMMETRY * np.abs(stresses).max(axis=(1, 2)) + ASYMMETRY_EV_A3
    if bad.any():
        n = int(np.argmax(bad))
        i, j = divmod(int(np.abs(stresses[n] - stresses[n].T).argmax()), 3)
        first, second = "xyz"[i] + "xyz"[j], "xyz"[j] + "xyz"[i]
        raise DataError(
            f"{frames.name}: {shown(frames, [n])}: the stress is not symmetric ({first} "
            f"{stresses[n, i, j]:.4g}, {second} {stresses[n, j, i]:.4g} eV/Å³; {bad.sum()} such frames); "
            "expected nine numbers of a symmetric tensor, or six in the order xx, yy, zz, yz, xz, xy: "
            "correct them, or leave them out with --stress-units none"
        )


def _check_cells(frames: FrameSet) -> None:
    """Refuse cells whose periodic vectors lie in one plane, on one line, or are zero."""
    if frames.cells is None:
        return
    vectors = frames.cells[:, list(frames.pbc)]
    lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
    flat = np.flatnonzero(
        np.linalg.matrix_rank(vectors / np.maximum(lengths, 1e-300), tol=1e-6) < sum(frames.pbc)
    )
    if len(flat):
        raise DataError(
            f"{frames.name}: {shown(frames, flat[:1])}: its cell has no volume ({len(flat)} such frames); "
            "expected independent vectors in the periodic directions, or no cell for a molecule"
        )
