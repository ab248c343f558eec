"""model.pt from the checkpoint of a training, finished or not."""

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdaug.data import load_frames
from mdaug.deployment import export_model, last_layer_statistics, read_manifest
from mdaug.errors import DataError
from mdaug.files import remove_leftovers
from mdaug.frames import FrameSet
from mdaug.locks import locked
from mdaug.options import Precision
from mdaug.training.checkpoint import restore_model
from mdaug.workflows.baseline import NO_BASELINE, BaselineChoice, network_options, recorded_baseline
from mdaug.workflows.config import CONFIG, load_recorded_config
from mdaug.workflows.training_records import SYSTEMS
from mdaug.workflows.training_summary import summarize_systems
from mdaug.workflows.use_model import own_systems


def export_run(run: Path, path: Path | None = None, *, dtype: Precision | None = None) -> Path:
    """Write the best weights so far of the training in folder `run` as a model file and return its path.

    Temporary files of an interrupted export to the same path are removed.

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
    model = restore_model(checkpoint, network_options(baselines, config), sorted(numbers))
    summary = summarize_systems([*systems.values()], [*systems], config.model.cutoff)
    summary["augmented"] = config.augment.enabled
    finished = run / "model.pt"
    references = read_manifest(finished)["training"].get("reference_energies") if finished.is_file() else None
    summary |= {} if references is None else {"reference_energies": references}
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock"), what=str(path), advice="wait for its end"):
        remove_leftovers(path.parent, [glob.escape(path.name)])
        return export_model(
            model,
            path,
            training=summary,
            dtype=dtype,
            templates=baselines[0].templates,
            statistics=last_layer_statistics(model, _training_frames(systems, baselines, folders)),
        )


def _training_frames(
    systems: Mapping[str, FrameSet], baselines: Sequence[BaselineChoice], folders: Sequence[Path]
) -> list[FrameSet]:
    """Return the frames of the training, raw ones and those in augmented.xyz, with their atom types."""
    frames = []
    for raw, baseline, folder in zip(systems.values(), baselines, folders, strict=True):
        augmented = folder / "augmented.xyz"
        own = [raw, load_frames(augmented, units="eV")] if augmented.is_file() else [raw]
        frames += [baseline.with_atom_types(part) for part in own]
    return frames


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
