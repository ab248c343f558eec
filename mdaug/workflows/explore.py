"""Where a model's own dynamics went wrong: trajectories -> frames for its next training."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mdaug.analysis.trajectory import open_trajectory
from mdaug.augmentation.explored import ExploreOptions, label_spurious_minima
from mdaug.calculators.predictions import predict
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.workflows.runs import find_model
from mdaug.workflows.use_model import own_frames


def explore(
    trajectories: Sequence[Path],
    model: Path | None,
    options: ExploreOptions,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FrameSet, int]:
    """Return the frames of `trajectories` in false wells of `model`, labelled, and how many were seen.

    Parameters
    ----------
    trajectories
        Files, folders of `mdaug nve` and `mdaug nvt`, or such folders of several replicas.
    progress
        Told how many frames the model has been asked for, of how many.

    Raises
    ------
    DataError
        If the model is not in the folder of its training, the frames have a cell, or a trajectory is of
        other atoms.
    """
    path = find_model(model).resolve()
    train = own_frames(path, "train")
    if train.periodic:
        raise DataError(f"{path}: its frames have a cell; expected a model of molecules without one")
    files = [file for folder in trajectories for file in sorted(folder.glob("replica-*")) or [folder]]
    positions = np.concatenate([_positions(file, train.n_atoms) for file in files])
    nothing = np.zeros(len(positions))
    visited = FrameSet(train.atomic_numbers, positions, nothing, np.zeros_like(positions))
    energies, _ = predict(path, visited, progress=progress)
    return label_spurious_minima(train, positions, energies, options), len(positions)


def _positions(trajectory: Path, n_atoms: int) -> FloatArray:
    """Return all positions (n_frames, n_atoms, 3), Å."""
    universe = open_trajectory(trajectory, needs_times=False)
    if len(universe.atoms) != n_atoms:
        raise DataError(f"{trajectory}: {len(universe.atoms)} atoms, the model was trained on {n_atoms}")
    # copies, as some readers fill one array again and again
    return np.array([frame.positions.copy() for frame in universe.trajectory], dtype=np.float64)
