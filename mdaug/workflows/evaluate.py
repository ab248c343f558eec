"""Errors of models and calculators on frames, with their file and figures."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mdaug.analysis.accuracy import AccuracyResult, accuracy, joined_accuracy
from mdaug.calculators.applicability import check_applicability
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.options import MANY_SYSTEMS, Device, Precision
from mdaug.quantum.calculators import calculate_with_stresses
from mdaug.reports.accuracy import save_accuracy_figure
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.options import CalculatorOptions, Part
from mdaug.workflows.training.data import labels_of
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import Model, load_model, load_models, own_systems


@dataclass(frozen=True)
class Evaluation:
    """Errors of a model or calculator, with a caption that names it and the frames."""

    result: AccuracyResult
    caption: str
    figure: Path


def evaluate_models(
    model: Path | None,
    frames: Sequence[FrameSet] | None,
    folder: Path,
    *,
    calculator: CalculatorOptions = CalculatorOptions(),
    part: Part = "test",
    device: Device = "cpu",
    dtype: Precision | None = None,
    strict: bool = False,
    progress: Progress = ignore,
) -> list[Evaluation]:
    """Compare a model, a calculator or both with frames, and write evaluate.json and figures into `folder`.

    Of many systems there is one figure, and one result for each model, of all systems together; evaluate.json
    has the errors of each. Energies of a calculator are then without the mean error of each system.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for the latest run (for a calculator alone: none).
    frames
        The frames of each system; None for those of the model's own training.
    folder
        Output folder.
    calculator
        A calculator that is evaluated instead of the model or beside it.
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
        If the model or its frames are not found, or the model cannot evaluate the frames.

    Warns
    -----
    UserWarning
        If the frames have the name of those that the model was trained on.
    """
    choice = CalculatorChoice.from_options(calculator, None)
    if choice is None:
        loaded = [load_model(model, device=device, dtype=dtype)]
    else:
        loaded = load_models([model] if model else [], choice, device=device, dtype=dtype)
    if frames is None:
        systems = {label: own for label, own in _own_systems(loaded[0], part).items() if len(own)}
    else:
        systems = dict(zip(labels_of(frames), frames, strict=True))
        _warn_of_own_data(loaded[0], frames)
    own_part = None if frames is not None else part
    evaluations, entries = [], []
    many = len(systems) > MANY_SYSTEMS
    of_models: dict[str, list[AccuracyResult]] = {one.label: [] for one in loaded}
    for label, of_system in systems.items():
        for one in loaded:
            name = label if len(systems) > 1 else None
            figure = folder / _figure(one.label * (len(loaded) > 1), name)
            result, differences = _errors(one, of_system, strict, progress)
            shown = result if one.choice is None else result.centered()
            if many:
                of_models[one.label].append(shown)
            else:
                save_accuracy_figure(shown, figure)
                evaluations.append(Evaluation(result, _caption(one, of_system, own_part, name), figure))
            about = _about(one, of_system, own_part, name)
            entries.append(result.to_json() | about | {"unlike_training": differences})
    for one in loaded if many else ():
        figure = folder / _figure(one.label * (len(loaded) > 1))
        result = joined_accuracy(of_models[one.label])
        save_accuracy_figure(result, figure)
        caption = f"{one.label} on {len(result.energies_eV)} frames of {len(systems)} systems"
        evaluations.append(Evaluation(result, caption, figure))
    write_json(folder / "evaluate.json", _content(entries, len(loaded)))
    return evaluations


def _warn_of_own_data(model: Model, frames: Sequence[FrameSet]) -> None:
    """Warn of frames of the files on part of which the model was trained."""
    data = str(model.training.get("data", ""))
    trained_on = {data, *data.split(", ")}
    own = [system.name for system in frames if system.name in trained_on]
    if own:
        warnings.warn(
            f"the model was trained on part of a file of the same name, {', '.join(own)}; if it is this one, "
            "these errors are too small: leave DATA out for the test frames",
            stacklevel=3,
        )


def _caption(model: Model, frames: FrameSet, part: Part | None, system: str | None) -> str:
    of_part = f"{part} " if part else ""
    return f"{model.label} on {len(frames)} {of_part}frames" + (f" of {system}" if system else "")


def _about(model: Model, frames: FrameSet, part: Part | None, system: str | None) -> dict[str, Any]:
    """Return what an entry of evaluate.json is about."""
    about: dict[str, Any] = {"data": frames.name, "part": part}
    about |= {"model": model.name} if model.choice is None else model.choice.to_json()
    return about | ({"system": system} if system is not None else {})


def _figure(*labels: str | None) -> str:
    return "-".join(["parity", *filter(None, labels)]) + ".png"


def _content(entries: list[dict[str, Any]], n_models: int) -> dict[str, Any]:
    """Return the content of evaluate.json: one entry, or lists of models, of systems or of both."""
    if len(entries) == 1:
        return entries[0]
    return {"models" if n_models > 1 else "systems": entries}


def _own_systems(model: Model, part: Part) -> dict[str, FrameSet]:
    """Return frames of the model's own training; a calculator has none."""
    if model.path is None:
        raise DataError(
            f"--calculator {model.name}: a calculator has no test frames of its own; name frames as DATA"
        )
    return own_systems(model.path, part)


def _errors(
    model: Model, frames: FrameSet, strict: bool, progress: Progress
) -> tuple[AccuracyResult, list[str]]:
    """Return the errors, and how the frame of lowest energy differs from the training frames."""
    lowest = frames.structure(int(frames.energies.argmin()))
    differences = check_applicability(lowest, model.manifest, strict=strict)
    predict = partial(calculate_with_stresses, model.calculator, progress=partial(progress, "frames"))
    return accuracy(predict, frames), differences
