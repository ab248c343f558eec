"""Examination of one or several force fields: examination.json, and the report drawn from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.archives import read_json
from mdaug.errors import DataError
from mdaug.examination.options import ExaminationOptions
from mdaug.examination.parts import Finished, chosen, examine
from mdaug.examination.results import PartResult
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.jobs import Where
from mdaug.reports.examination import write_examination_report
from mdaug.verdicts import Verdict
from mdaug.workflows.examination_jobs import examine_on_cluster
from mdaug.workflows.examined import ExaminedModels
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.use_model import Model

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

    @property
    def unexamined(self) -> list[str]:
        """Names of the force fields of which no part was run."""
        return [
            label
            for label, parts in self.content["force_fields"].items()
            if all(part["verdict"] == "not run" for part in parts.values())
        ]

    @property
    def has_failed(self) -> bool:
        """Whether a part fails, or a force field was not examined at all."""
        return bool(self.unexamined) or any(verdict.verdict == "error" for verdict in self.verdicts)


def examine_force_fields(
    examined: ExaminedModels,
    *,
    where: Where = Where(),
    resume: bool = False,
    progress: Progress = ignore,
) -> Examination:
    """Examine models and a calculator, and write examination.json and report.html into their folder.

    The file is written after every part, so that an interrupted examination can be resumed.

    Parameters
    ----------
    examined
        The force fields, and what they are examined with.
    where
        A cluster whose workers examine all parts of all force fields side by side; otherwise one part after
        the other is examined in this process.
    resume
        Keep the parts that an interrupted examination in the folder has finished.
    progress
        Called with the name of a force field and the numbers of parts done and in all.

    Raises
    ------
    DataError
        If a model or its start is not found, or the folder holds the examination of something else.
    """
    loaded, options, folder = examined.load(), examined.options, examined.folder
    about = _about(loaded, examined.frames, options)
    before = _before(folder / FILE, about) if resume else {}
    entries: dict[str, Finished] = {model.label: before.get(model.label, {}) for model in loaded}
    names = chosen(options)
    write = partial(_write, folder / FILE, about, entries)

    def report(label: str, name: str, result: PartResult) -> None:
        entries[label][name] = result
        write()
        progress(label, len(entries[label]), len(names))

    finished = {label: {k: v for k, v in parts.items() if v.is_complete} for label, parts in entries.items()}
    if where.scheduler is not None:
        results = examine_on_cluster(examined, names, finished, where, report)
    else:
        results = {
            model.label: examine(
                examined.force_field(loaded, model.label),
                names,
                60.0 * options.minutes,
                finished[model.label],
                partial(report, model.label),
            )
            for model in loaded
        }
    for label, parts in results.items():
        entries[label] = finished[label] | parts
    content = write()
    return Examination(content, write_examination_report(folder, content))


def _about(models: Sequence[Model], frames: FrameSet | None, options: ExaminationOptions) -> dict[str, Any]:
    """Return what is examined: a resumed examination must be of the same."""
    return {
        "force_fields": [model.name for model in models],
        "calculator": next((model.choice.to_json() for model in models if model.choice), None),
        "data": None if frames is None else frames.name,
        "temperature_K": None if frames is None else frames.temperature_K,
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
        # earlier versions have not recorded these
        unrecorded = ("sha256", "calculator", "temperature_K")
        earlier = {key: about[key] for key in unrecorded} | content["about"]
        different = [key for key, value in about.items() if earlier.get(key) != value]
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
