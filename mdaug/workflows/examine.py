"""Examination of one or several force fields: examination.json, and the report drawn from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.archives import read_json
from mdaug.calculators.trained_systems import label_for, manifest_for
from mdaug.errors import DataError
from mdaug.examination.force_field import ExaminedForceField
from mdaug.examination.options import ExaminationOptions
from mdaug.examination.parts import Finished, chosen, examine
from mdaug.examination.results import PartResult
from mdaug.examination.runs import RUNS
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.reports.examination import write_examination_report
from mdaug.verdicts import Verdict
from mdaug.workflows.options import CalculatorOptions
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import Model, load_models, own_frames

FILE = "examination.json"


@dataclass(frozen=True)
class Examination:
    """Results of all force fields.

    Parameters
    ----------
    content
        Content of examination.json.
    report
        The HTML page.
    """

    content: dict[str, Any]
    report: Path

    @property
    def verdicts(self) -> list[Verdict]:
        """One verdict for each part of each force field."""
        return [Verdict.from_json(entry) for entry in self.content["verdicts"]]


def examine_force_fields(
    models: Sequence[Path],
    frames: FrameSet | None,
    options: ExaminationOptions,
    folder: Path,
    *,
    calculator: CalculatorOptions = CalculatorOptions(),
    resume: bool = False,
    progress: Progress = ignore,
) -> Examination:
    """Examine models and a calculator, and write examination.json and report.html into `folder`.

    The file is written after every part, so that an interrupted examination can be resumed.

    Parameters
    ----------
    models
        Files model.pt or run folders; empty for the calculator alone, or else for the latest run.
    frames
        Held-out frames; None for the test frames of each model's own training.
    options
        Parts, time and start structure.
    folder
        Output folder.
    calculator
        A calculator that is examined instead of a model or beside the models.
    resume
        Keep the parts that an interrupted examination in `folder` has finished.
    progress
        Called with the name of a force field and the numbers of parts done and in all.

    Raises
    ------
    DataError
        If a model or its start cannot be had, or the folder holds the examination of something else.
    """
    choice = CalculatorChoice.from_options(calculator, options.structure)
    loaded = load_models(models, choice, dtype="float64")
    about = _about(loaded, frames, options)
    before = _before(folder / FILE, about) if resume else {}
    entries: dict[str, Finished] = {model.label: before.get(model.label, {}) for model in loaded}
    names = chosen(options)
    write = partial(_write, folder / FILE, about, entries)
    known = next((T for model in loaded if (T := model.training.get("temperature_K"))), None)
    for model in loaded:
        force_field = _force_field(model, frames, options, folder, known)
        finished = {k: v for k, v in entries[model.label].items() if v.checks}

        def report(name: str, result: PartResult, model: Model = model) -> None:
            entries[model.label][name] = result
            write()
            progress(model.label, len(entries[model.label]), len(names))

        results = examine(force_field, names, 60.0 * options.minutes, finished, report)
        entries[model.label] = finished | results
    content = write()
    return Examination(content, write_examination_report(folder, content))


def _about(models: Sequence[Model], frames: FrameSet | None, options: ExaminationOptions) -> dict[str, Any]:
    """Return what is examined: a resumed examination must be of the same."""
    return {
        "force_fields": [model.name for model in models],
        "data": None if frames is None else frames.name,
        "structure": options.structure,
        "seed": options.seed,
        "sha256": {
            "force_fields": [model.manifest.get("weights_sha256") for model in models],
            "data": None if frames is None else _sha256(frames),
        },
    }


def _sha256(frames: FrameSet) -> str:
    """Return a hash of the atoms, positions and energies of frames."""
    digest = hashlib.sha256()
    for array in (frames.atomic_numbers, frames.positions, frames.energies):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _write(path: Path, about: dict[str, Any], entries: dict[str, Finished]) -> dict[str, Any]:
    """Write examination.json and return its content."""
    several = len(entries) > 1
    content = {
        "about": about,
        "verdicts": [
            result.to_verdict(f"{name} ({label})" if several else name).to_json()
            for label, parts in entries.items()
            for name, result in parts.items()
        ],
        "force_fields": {
            label: {name: result.to_json() for name, result in parts.items()}
            for label, parts in entries.items()
        },
    }
    write_json(path, content)
    return content


def _before(path: Path, about: dict[str, Any]) -> dict[str, Finished]:
    """Return the parts that an earlier examination of the same force fields finished."""
    if not path.exists():
        return {}
    content = read_json(path, "an examination")
    try:
        different = [key for key, value in about.items() if content["about"].get(key) != value]
        entries = content["force_fields"]
        before = {
            label: {name: PartResult.from_json(entry) for name, entry in parts.items()}
            for label, parts in entries.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not an examination ({error!r}); examine without --resume") from error
    if different:
        key = different[0]
        before, now = content["about"].get(key), about[key]
        what = "other contents of the model or DATA" if key == "sha256" else f"{key} {before!r}, not {now!r}"
        raise DataError(
            f"{path}: an examination with {what}; resume with the same, or examine into another folder"
        )
    return before


def _force_field(
    model: Model, frames: FrameSet | None, options: ExaminationOptions, folder: Path, known_K: float | None
) -> ExaminedForceField:
    """Return what is examined; where the frames state no temperature, that of a model's training is used."""
    model, label = _of_system(model, frames, options.structure)
    held_out, may_be_trained_on = _held_out(model, frames, label)
    start, training = _start(model, held_out, options.structure), model.training
    if held_out is not None and not np.array_equal(start.numbers, held_out.atomic_numbers):
        if frames is not None:
            raise DataError(
                f"{options.structure}: {start.get_chemical_formula()} has other atoms, or another order of "
                f"them, than the frames of {frames.name}; examine it without DATA, or with frames of its own"
            )
        held_out = None  # another molecule than that of the training
    temperature = None if held_out is None else held_out.temperature_K
    return ExaminedForceField(
        label=model.label,
        calculator=model.calculator,
        start=start,
        folder=folder / RUNS / model.label,
        manifest=model.manifest,
        model=model.path,
        frames=held_out,
        may_be_trained_on=may_be_trained_on,
        temperature_K=temperature or training.get("temperature_K") or known_K,
        charge=int(training.get("charge") or 0),
        multiplicity=int(training.get("multiplicity") or 1),
        seed=options.seed,
    )


def _of_system(model: Model, frames: FrameSet | None, structure: str | None) -> tuple[Model, str | None]:
    """Return the model with the records of the system that is examined, and its label; None for one system.

    Of several systems it is that of `structure`, else that of the frames, else the first.
    """
    if not model.training.get("systems"):
        return model, None
    if frames is not None and structure is None:
        atoms = Atoms(frames.atomic_numbers, pbc=frames.pbc)
    else:
        atoms = model.start(structure)
    manifest = manifest_for(model.manifest, atoms)
    return replace(model, manifest=manifest), label_for(manifest, atoms)


def _held_out(model: Model, frames: FrameSet | None, label: str | None) -> tuple[FrameSet | None, bool]:
    """Return the frames, and whether the model may have been trained on them.

    Of a set that it was trained on, those that its training left out are returned.
    """
    if model.path is None or (frames is not None and model.training.get("data") != frames.name):
        return frames, False
    try:
        own = own_frames(model.path, "test", label)
    except DataError:
        return frames, True
    return (own, False) if len(own) else (frames, True)


def _start(model: Model, frames: FrameSet | None, structure: str | None) -> Atoms:
    """Return the start structure: the one named, or the frame of lowest energy."""
    if structure is not None or frames is None:
        return model.start(structure)
    lowest = int(np.argmin(frames.energies))
    cell = None if frames.cells is None else frames.cells[lowest]
    return Atoms(frames.atomic_numbers, frames.positions[lowest], cell=cell, pbc=frames.pbc)
