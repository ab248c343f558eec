"""Spurious minima that a model's own MD reaches: from trajectories to labeled frames for another training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.analysis.trajectory import atomic_numbers, open_trajectory
from mdaug.augmentation.explored import label_spurious_minima, sound_field
from mdaug.augmentation.options import ExploreOptions
from mdaug.calculators.predictions import predict
from mdaug.data import write_extxyz
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.runs import find_model
from mdaug.workflows.use_model import own_frames


@dataclass(frozen=True)
class Exploration:
    """Labeled frames of spurious minima, and the number of frames that were examined."""

    frames: FrameSet
    n_visited: int

    @property
    def n_kept(self) -> int:
        """Number of labeled frames."""
        return len(self.frames)


def explore_trajectories(
    trajectories: Sequence[Path],
    model: Path | None,
    options: ExploreOptions,
    folder: Path,
    progress: Progress = ignore,
) -> Exploration:
    """Label the frames of `trajectories` in spurious minima of `model`; write explore.json and explored.xyz.

    Parameters
    ----------
    trajectories
        Files, folders of `mdaug nve` and `mdaug nvt`, or such folders of several replicas.
    model
        A model.pt in the folder of its training, that folder, or None for the latest run.
    options
        Definition of a spurious minimum, and the number of frames that are kept.
    folder
        Output folder.
    progress
        Called with the stage "visited frames" and the numbers of frames evaluated and in all.

    Raises
    ------
    DataError
        If the model is not in the folder of its training, the frames have a cell, or a trajectory is of
        other atoms.
    """
    path = find_model(model).resolve()
    train = own_frames(path, "train")
    visited, _ = visited_by_runs(trajectories, path, train)
    energies, _ = predict(path, visited, progress=partial(progress, "visited frames"))
    field = sound_field(train, read_manifest(path)["cutoff_A"])
    labeled = label_spurious_minima(field, train, visited.positions, energies, options)
    exploration = Exploration(labeled, len(visited))
    counts = {"n_visited": exploration.n_visited, "n_kept": exploration.n_kept}
    write_json(folder / "explore.json", counts)
    if exploration.n_kept:
        write_extxyz(exploration.frames, folder / "explored.xyz")
    return exploration


def visited_by_runs(
    trajectories: Sequence[Path], model: Path, train: FrameSet
) -> tuple[FrameSet, list[dict[str, Any]]]:
    """Return the frames of trajectories without labels, and the trajectory and number of each.

    Parameters
    ----------
    trajectories
        Files, folders of `mdaug nve` and `mdaug nvt`, or such folders of several replicas.
    model
        The model.pt, for messages.
    train
        Its training frames.

    Raises
    ------
    DataError
        If the training frames have a cell, or a trajectory is of other atoms.
    """
    if train.periodic:
        raise DataError(f"{model}: its frames have a cell; expected a model of molecules without one")
    files = [file for path in trajectories for file in sorted(path.glob("replica-*")) or [path]]
    parts = [visited_positions(file, train.atomic_numbers) for file in files]
    positions = np.concatenate(parts)
    visited = replace(
        train.select(np.zeros(len(positions), dtype=np.int64)),
        positions=positions,
        energies=np.zeros(len(positions)),
        forces=np.zeros_like(positions),
        stresses=None,
        name=f"{train.name}, explored",
        info={},
    )
    origins = [
        {"trajectory": str(file), "frame": n}
        for file, part in zip(files, parts, strict=True)
        for n in range(len(part))
    ]
    return visited, origins


def visited_positions(trajectory: Path, numbers: IntArray) -> FloatArray:
    """Return all positions of a trajectory, Å, shape (n_frames, n_atoms, 3).

    Parameters
    ----------
    trajectory
        A file, or the folder of a run.
    numbers
        Atomic numbers that it must have, shape (n_atoms,).

    Raises
    ------
    DataError
        If it is of other atoms.
    """
    universe = open_trajectory(trajectory, needs_times=False)
    if len(universe.atoms) != len(numbers):
        raise DataError(
            f"{trajectory}: {len(universe.atoms)} atoms, the model was trained on {len(numbers)}; name runs "
            "of this model"
        )
    if not np.array_equal(atomic_numbers(universe), numbers):
        raise DataError(
            f"{trajectory}: other elements, or in another order, than the model was trained on; name runs of "
            "this model"
        )
    # copied, because some readers reuse one array
    return np.array([frame.positions.copy() for frame in universe.trajectory], dtype=np.float64)
