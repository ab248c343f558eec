"""Frames of a model's own MD that are unlike its training frames, labeled by any ASE calculator."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator

from mdaug.augmentation.options import ExploreOptions
from mdaug.calculators.predictions import predict_extrapolation
from mdaug.data import write_extxyz
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames
from mdaug.quantum.point_store import PointStore
from mdaug.quantum.stored_labels import stored_labels
from mdaug.units import EV_PER_KCAL_MOL, KCAL_MOL_PER_EV
from mdaug.workflows.explore import visited_by_runs
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.runs import find_model
from mdaug.workflows.settings.workflow_options import LabelOptions
from mdaug.workflows.use_calculator import CalculatorChoice, parse_arguments
from mdaug.workflows.use_model import own_frames

SAME_LEVEL_KCAL_MOL = 0.5
"""Largest difference of a calculator's energy and the label of a training frame at one level of theory."""

LABELS = "labels.jsonl"
"""File of the labels that are computed, one a line."""

WEIGHT = 1.0
"""Weight in training of frames labeled at the level of the training frames."""


@dataclass(frozen=True)
class LabeledExploration:
    """Visited frames that a calculator has labeled.

    Parameters
    ----------
    frames
        The labeled frames.
    n_visited, n_above
        Visited frames, and those of them with an extrapolation above the limit.
    failed
        Picked frames on which the calculator failed: trajectory, frame and extrapolation of each, and the
        reason.
    n_too_high
        Picked frames with an energy above the limit, which are left out.
    """

    frames: FrameSet
    n_visited: int
    n_above: int
    failed: list[dict[str, Any]]
    n_too_high: int

    def to_json(self) -> dict[str, Any]:
        """Return the content of explore.json."""
        return {
            "n_visited": self.n_visited,
            "n_above": self.n_above,
            "n_kept": len(self.frames),
            "n_too_high": self.n_too_high,
            "failed": self.failed,
        }


def label_unlike_frames(
    trajectories: Sequence[Path],
    model: Path | None,
    options: ExploreOptions,
    labels: LabelOptions,
    *,
    folder: Path,
    progress: Progress = ignore,
) -> LabeledExploration:
    """Label visited frames that are unlike the training frames; write explore.json and explored.xyz.

    Each label is in labels.jsonl as soon as it is computed; those that are there already are read.

    Parameters
    ----------
    trajectories
        Files, folders of `mdaug nve` and `mdaug nvt`, or such folders of several replicas.
    model
        A model.pt in the folder of its training, that folder, or None for the latest run.
    options
        Number of frames, highest energy, weight (1 unless it is set) and seed.
    labels
        The calculator, whose charge and multiplicity are those of the training frames, and the limit.
    folder
        Output folder.
    progress
        Called with the stage, "visited frames" or "labeled frames", and the numbers of frames done and in
        all.

    Raises
    ------
    DataError
        The model has no extrapolation or is not in the folder of its training, a trajectory is of other atoms
        or has a cell, or the calculator cannot be made or gives another energy for a training frame.
    """
    path = find_model(model).resolve()
    train = own_frames(path, "train")
    visited, origins = visited_by_runs(trajectories, path, train)
    extrapolation = predict_extrapolation(path, visited, progress=partial(progress, "visited frames"))
    above = np.flatnonzero(extrapolation > labels.above)
    drawn = np.random.default_rng(options.seed).permutation(above)[: options.n_kept]
    picked = visited.select(np.sort(drawn))
    origins = [origins[n] | {"extrapolation": float(extrapolation[n])} for n in np.sort(drawn)]
    calculator, level = _calculator(train, labels)
    store = PointStore(folder / LABELS, "remove the file")
    report = partial(progress, "labeled frames")
    energies, forces, failures = stored_labels(calculator, level, picked, origins, store, progress=report)
    converged = np.array([failure is None for failure in failures], dtype=bool)
    low = energies - train.energies.min() <= options.max_energy * EV_PER_KCAL_MOL
    weight = options.weight if "weight" in options.model_fields_set else WEIGHT
    kept = np.flatnonzero(converged & low)
    frames = replace(
        picked.select(kept),
        energies=energies[kept],
        forces=forces[kept],
        group=np.arange(len(kept)),
        weights=np.full(len(kept), weight),
        level_of_theory=train.level_of_theory,
    )
    failed = [origins[n] | {"reason": failures[n]} for n in np.flatnonzero(~converged)]
    n_too_high = int((converged & ~low).sum())
    exploration = LabeledExploration(frames, len(visited), len(above), failed, n_too_high)
    write_json(folder / "explore.json", {"label": labels.label, **exploration.to_json()})
    if len(frames):
        write_extxyz(frames, folder / "explored.xyz")
    return exploration


def _calculator(train: FrameSet, labels: LabelOptions) -> tuple[Calculator, str]:
    """Return the calculator, and the text that identifies it with its settings.

    Raises
    ------
    DataError
        Its energy of a training frame is not that of the frame.
    """
    name, arguments = str(labels.label), parse_arguments(labels.label_arguments or "{}")
    charge, multiplicity = int(train.charge or 0), train.multiplicity or 1
    calculator = CalculatorChoice(name, arguments, charge, multiplicity).make()
    lowest = train.select(np.array([train.energies.argmin()]))
    advice = "it must be able to label the training frames"
    difference = calculate_frames(calculator, lowest, advice=advice)[0][0] - lowest.energies[0]
    if abs(difference) * KCAL_MOL_PER_EV > SAME_LEVEL_KCAL_MOL:
        raise DataError(
            f"--label {name}: its energy of the lowest training frame differs from the label by "
            f"{difference * KCAL_MOL_PER_EV:+.4g} kcal/mol, so it is at another level of theory"
            f"{f' than {train.level_of_theory}' if train.level_of_theory else ''}; name the calculator and "
            "the settings that labeled the training frames"
        )
    return calculator, json.dumps([name, arguments, charge, multiplicity], sort_keys=True)
