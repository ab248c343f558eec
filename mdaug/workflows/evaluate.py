"""Errors of a model on frames, with their file and figure."""

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.analysis.accuracy import AccuracyResult, accuracy
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.options import Device, Precision
from mdaug.quantum.calculators import calculate_frames
from mdaug.reports.accuracy import save_accuracy_figure
from mdaug.workflows.options import Part
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.use_model import differences_from_training, load_model, own_frames


@dataclass(frozen=True)
class Evaluation:
    """Errors of a model, with a caption that names the model and the frames."""

    result: AccuracyResult
    caption: str


def evaluate_model(
    model: Path | None,
    frames: FrameSet | None,
    folder: Path,
    *,
    part: Part = "test",
    device: Device = "cpu",
    dtype: Precision | None = None,
    strict: bool = False,
    progress: Progress = ignore,
) -> Evaluation:
    """Compare a model with frames and write evaluate.json and parity.png into `folder`.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for the latest run.
    frames
        The frames; None for those of the model's own training.
    folder
        Output folder.
    part
        Part of the training frames that is used without `frames`.
    device, dtype
        As for `MDAugCalculator`.
    strict
        Refuse frames that differ from the training frames (tested for the frame of lowest energy).
    progress
        Called with the stage "frames" and the numbers of frames done and in all.

    Raises
    ------
    DataError
        If the model or its frames cannot be had, or the model cannot evaluate the frames.

    Warns
    -----
    UserWarning
        If the frames are those that the model was trained on.
    """
    loaded = load_model(model, device=device, dtype=dtype)
    own = frames is None
    if frames is None:
        frames = own_frames(loaded.path, part)
    elif (loaded.manifest.get("training") or {}).get("data") == frames.name:
        warnings.warn(
            f"the model was trained on part of {frames.name}, so that these errors are too small; "
            "leave DATA out for its test frames",
            stacklevel=2,
        )
    lowest = frames.select(np.array([frames.energies.argmin()]))
    cell = None if lowest.cells is None else lowest.cells[0]
    structure = Atoms(frames.atomic_numbers, lowest.positions[0], cell=cell, pbc=frames.pbc)
    differences = differences_from_training(structure, loaded.manifest, strict=strict)
    result = accuracy(
        partial(calculate_frames, loaded.calculator, progress=partial(progress, "frames")), frames
    )
    about: dict[str, Any] = {"model": str(loaded.path), "data": frames.name, "part": part if own else None}
    about["unlike_training"] = differences
    write_json(folder / "evaluate.json", result.to_json() | about)
    save_accuracy_figure(result, folder / "parity.png")
    return Evaluation(result, f"{loaded.label} on {len(frames)} {f'{part} ' if own else ''}frames")
