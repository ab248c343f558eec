"""Energies and forces of many frames with a model.pt."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mdaug.calculators.evaluators import make_evaluator, make_finder
from mdaug.calculators.structures import check_positions, elements_of
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.frame_pairs import pairs_of_frames
from mdaug.options import Precision


def predict(
    model: str | Path,
    frames: FrameSet,
    *,
    batch_size: int = 50,
    device: str = "cpu",
    dtype: Precision | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, of `frames`.

    Parameters
    ----------
    model
        A model.pt.
    frames
        Molecules or periodic cells.
    batch_size
        Number of frames evaluated at once.
    device, dtype
        As for `MDAugCalculator`.
    progress
        Called with the number of frames done and the number of all frames.

    Raises
    ------
    DataError
        The file is not a model of mdaug, the model does not have an element, or positions are not finite.
    """
    return _predict(model, frames, batch_size=batch_size, device=device, dtype=dtype, progress=progress)


def _predict(
    model: str | Path,
    frames: FrameSet,
    *,
    batch_size: int,
    device: str = "cpu",
    dtype: Precision | None = None,
    progress: Callable[[int, int], None] | None = None,
    keep: Callable[[int, dict[str, FloatArray]], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the same as `predict`; `keep` gets the first frame of each batch and all that was evaluated."""
    for n, positions in enumerate(frames.positions):
        check_positions(positions, f"{frames.name}, frame {n}: ")
    where = torch.device(device)
    manifest = read_manifest(model)
    species = elements_of(frames.atomic_numbers, manifest["elements"])
    evaluate, _ = make_evaluator(model, dtype, device, 0, "auto")
    finder = make_finder(manifest)
    energies, forces = np.empty(len(frames)), np.empty(frames.positions.shape)
    for start in range(0, len(frames), batch_size):
        part = slice(start, min(start + batch_size, len(frames)))
        batch, n_frames = frames.select(part), part.stop - part.start
        idx_i, idx_j, shifts = pairs_of_frames(batch, manifest["cutoff_A"])
        on_device = [torch.as_tensor(values, device=where) for values in (idx_i, idx_j, shifts)]
        pairs = on_device[0], on_device[1], on_device[2]
        molecules = None if finder is None else finder.find_in_frames(batch)
        values = evaluate(np.tile(species, n_frames), batch.positions.reshape(-1, 3), pairs, molecules)
        energies[part] = values["atomic_energies"].reshape(n_frames, -1).sum(1)
        forces[part] = values["forces"].reshape(n_frames, -1, 3)
        if keep is not None:
            keep(start, values)
        if progress is not None:
            progress(part.stop, len(frames))
    return energies, forces


def predict_extrapolation(
    model: str | Path, frames: FrameSet, *, progress: Callable[[int, int], None] | None = None
) -> FloatArray:
    """Return the largest extrapolation of an atom in each frame, (n_frames,); 1 is the largest in training.

    Parameters
    ----------
    model
        A model.pt.
    frames
        Molecules or periodic cells.
    progress
        Called with the number of frames done and the number of all frames.

    Raises
    ------
    DataError
        The model has no statistics of its training frames; otherwise as `predict`.
    """
    if "extrapolation" not in read_manifest(model):
        raise DataError(
            f"{model}: it has no statistics of its training frames, so no extrapolation; `mdaug export` adds "
            "them in the folder of its training"
        )
    largest = np.empty(len(frames))

    def keep_largest(start: int, values: dict[str, FloatArray]) -> None:
        of_frames = values["extrapolation"].reshape(-1, frames.n_atoms).max(axis=1)
        largest[start : start + len(of_frames)] = of_frames

    _predict(model, frames, batch_size=50, progress=progress, keep=keep_largest)
    return largest


def predict_with_stresses(model: str | Path, frames: FrameSet) -> tuple[FloatArray, ...]:
    """Return the same as `predict`, and the stresses of frames that have some.

    Parameters
    ----------
    model
        A model.pt.
    frames
        Molecules or periodic cells, with or without stresses.

    Returns
    -------
    tuple of array
        Energies (n_frames,), eV; forces (n_frames, n_atoms, 3), eV/Å; and, for frames with stresses, stresses
        (n_frames, 3, 3), eV/Å³, tension positive.

    Raises
    ------
    DataError
        As `predict`.
    """
    if frames.known_stresses is None or frames.cells is None:
        return predict(model, frames)
    stresses = np.empty((len(frames), 3, 3))
    volumes = np.abs(np.linalg.det(frames.cells))

    def keep_strain(n: int, values: dict[str, FloatArray]) -> None:
        stresses[n] = values["strain_derivative"] / volumes[n]

    results = _predict(model, frames, batch_size=1, keep=keep_strain)
    return *results, stresses
