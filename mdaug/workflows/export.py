"""model.pt from the checkpoint of a training, finished or not."""

import glob
import os
from itertools import takewhile
from pathlib import Path
from typing import Any

from mdaug.data import load_frames
from mdaug.deployment import export_model, last_layer_statistics, model_bytes, read_manifest
from mdaug.errors import DataError
from mdaug.files import remove_leftovers
from mdaug.frames import FrameSet
from mdaug.locks import locked
from mdaug.options import Precision
from mdaug.training.checkpoint import restore_model
from mdaug.workflows.settings.config import CONFIG, RunConfig, load_recorded_config
from mdaug.workflows.training.baseline import NO_BASELINE, network_options, recorded_baseline
from mdaug.workflows.training.committee import committee_members
from mdaug.workflows.training.delta_frames import FOLDER as DELTA
from mdaug.workflows.training.delta_frames import recorded_frames
from mdaug.workflows.training.preparation import read_explored
from mdaug.workflows.training.records import AUGMENTED, SYSTEMS
from mdaug.workflows.training.summary import summarize_systems
from mdaug.workflows.use_model import own_systems


def export_run(run: Path, path: Path | None = None, *, dtype: Precision | None = None) -> Path:
    """Write the best weights so far of the training in folder `run` as a model file and return its path.

    The file contains the other networks of a committee whose training has begun. Temporary files of an
    interrupted export to the same path are removed.

    Parameters
    ----------
    run
        Folder of a training.
    path
        File to write [default: model.pt in `run`].
    dtype
        Default precision of the model when it is evaluated [default: that of the training].

    Raises
    ------
    DataError
        If `run` contains no checkpoint of a training, or a file at `path` is no model.
    BusyError
        If another process writes to `path`.
    """
    path, checkpoint = path or run / "model.pt", run / "checkpoint.pt"
    _refuse_other_files(path)
    if not checkpoint.is_file():
        raise DataError(f"no checkpoint in {run}; name the folder of a `mdaug train`")
    config = load_recorded_config(run / CONFIG)
    systems = own_systems(run / "model.pt", "train")
    folders = [run] if len(systems) == 1 else [run / SYSTEMS / label for label in systems]
    baselines = [recorded_baseline(folder) or NO_BASELINE for folder in folders]
    numbers = {number for frames in systems.values() for number in frames.atomic_numbers.tolist()}
    members = [checkpoint, *_member_checkpoints(run, config)]
    options = network_options(baselines, config)
    models = [restore_model(path, options, sorted(numbers)) for path in members]
    summary = summarize_systems([*systems.values()], [*systems], config.model.cutoff)
    summary["augmented"] = any((folder / AUGMENTED).is_file() for folder in folders)
    finished = run / "model.pt"
    references = read_manifest(finished)["training"].get("reference_energies") if finished.is_file() else None
    summary |= {} if references is None else {"reference_energies": references}
    frames = [
        baseline.with_atom_types(part)
        for raw, baseline, folder in zip(systems.values(), baselines, folders, strict=True)
        for part in _training_frames(folder, raw, config)
    ]
    content: list[dict[str, Any]] = [
        {
            "model": model,
            "training": summary,
            "dtype": dtype,
            "templates": baselines[0].templates,
            "statistics": last_layer_statistics(model, frames),
        }
        for model in models
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock"), what=str(path), advice="wait for its end"):
        remove_leftovers(path.parent, [glob.escape(path.name)])
        return export_model(path=path, committee=[model_bytes(**one) for one in content[1:]], **content[0])


def _member_checkpoints(run: Path, config: RunConfig) -> list[Path]:
    """Return the checkpoints of the other networks of a committee; they are trained one after another."""
    checkpoints = [place / "checkpoint.pt" for place, _ in committee_members(config, run)]
    return list(takewhile(Path.is_file, checkpoints))


def _training_frames(folder: Path, raw: FrameSet, config: RunConfig) -> list[FrameSet]:
    """Return the frames on which the network of a system was trained: raw, augmented, explored, and by
    Δ-learning."""
    frames = [raw]
    if (folder / AUGMENTED).is_file():
        frames.append(load_frames(folder / AUGMENTED, units="eV"))
    if config.augment.explored is not None:
        frames.append(read_explored(config.augment.explored, raw))
    delta = recorded_frames(folder / DELTA, raw.temperature_K)
    return frames if delta is None else [*frames, delta]


def _refuse_other_files(path: Path) -> None:
    """Refuse to replace what is no model."""
    if not os.path.lexists(path):
        return
    try:
        read_manifest(path)
    except DataError as error:
        raise DataError(
            f"{path} is no model.pt, and would be replaced; name another file ({error})"
        ) from error
