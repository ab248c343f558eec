"""A commented configuration for given frames, with a JSON schema of all keys for editors."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdaug.augmentation.stretches import Stretcher
from mdaug.data.datasets import is_named_set
from mdaug.errors import DataError
from mdaug.files import write_json, write_text
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import count_molecules
from mdaug.text import in_one_line
from mdaug.training.options import TrainOptions
from mdaug.workflows.config import RunConfig

SCHEMA = "mdaug.schema.json"

DISPLACED_PER_ATOM, STRETCHED_PER_BOND, IMPULSES_PER_ATOM = 22, 60, 44
"""Augmented frames; for ethanol (9 atoms, 8 bonds) about the 200, 500 and 400 with which it was tested."""

MANY_MOLECULES = 8
"""Least number of molecules of a liquid, which is better trained without augmented frames."""

STEPS = 30_000
"""Optimization steps: those of ethanol with the default settings and a baseline."""

MIN_EPOCHS, MAX_EPOCHS = 50, 2000


@dataclass(frozen=True)
class Suggestion:
    """Settings for a set of frames.

    Parameters
    ----------
    system
        What the frames are, in one line.
    augment
        Whether to train on augmented frames.
    numbers
        Displaced, stretched and impulse frames.
    epochs
        Passes over all training frames.
    reason
        How the numbers follow from the frames, in one line.
    """

    system: str
    augment: bool
    numbers: tuple[int, int, int]
    epochs: int
    reason: str


TEMPLATE = Suggestion("", True, (200, 500, 400), 300, "for a molecule of about a dozen atoms")
"""Settings without frames."""


def suggest(frames: FrameSet) -> Suggestion:
    """Return the numbers of augmented frames by the size of the molecule, and epochs for `STEPS` steps.

    Parameters
    ----------
    frames
        Checked frames.
    """
    n_molecules = count_molecules(frames)
    try:
        n_bonds = len(Stretcher(frames).bonds)
    except DataError:  # rings only, an atom, a crystal
        n_bonds = 0
    atoms = f"{frames.n_atoms} atoms, {n_bonds} bonds outside rings"
    augment = n_molecules < MANY_MOLECULES and not (frames.periodic and n_bonds == 0)
    if augment:
        sizes = (
            DISPLACED_PER_ATOM * frames.n_atoms,
            STRETCHED_PER_BOND * n_bonds,
            IMPULSES_PER_ATOM * frames.n_atoms,
        )
        displaced, stretched, impulses = (round(size, -1) for size in sizes)
        reason = f"{atoms}: {DISPLACED_PER_ATOM} and {IMPULSES_PER_ATOM} an atom, {STRETCHED_PER_BOND} a bond"
    else:
        displaced = stretched = impulses = 0
        reason = "in crystals and liquids augmented frames cost accuracy"
    n_training = round(RunConfig().split.train * len(frames)) + displaced + stretched + impulses
    steps_per_epoch = -(-n_training // TrainOptions().batch_size)
    epochs = min(max(round(STEPS / steps_per_epoch), MIN_EPOCHS), MAX_EPOCHS)
    molecules = "" if n_molecules == 1 else f" ({n_molecules} molecules)"
    system = f"{frames!r}"[len("FrameSet(") : -1] + molecules
    return Suggestion(in_one_line(system), augment, (displaced, stretched, impulses), epochs, reason)


def write_config(path: Path, frames: FrameSet | None, data: str | None, reading: dict[str, Any]) -> None:
    """Write a commented TOML file, and the schema of all keys beside it.

    Parameters
    ----------
    path
        TOML file to write.
    frames
        Checked frames of `data`; None for a configuration with the default numbers.
    data
        The file or set; None for a placeholder.
    reading
        Options with which the frames were read, as keys of ``[data]``.
    """
    write_json(path.with_name(SCHEMA), config_schema())
    write_text(path, config_text(frames, source_beside(path, data or "frames.xyz"), reading))


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration; editors show its descriptions and check keys and values."""
    schema = RunConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "mdaug train"}


def source_beside(path: Path, data: str) -> str:
    """Return `data` relative to the folder of a configuration; the names of sets stay as they are.

    Parameters
    ----------
    path
        The configuration.
    data
        A file, folder or pattern, relative to the working folder, or the name of a set.
    """
    if is_named_set(data) or Path(data).is_absolute():
        return data
    return Path(os.path.relpath(data, path.parent)).as_posix()


def config_text(frames: FrameSet | None, source: str, reading: dict[str, Any]) -> str:
    """Return a commented configuration.

    Parameters
    ----------
    frames
        Checked frames; None for the default numbers.
    source
        The file or set, relative to the configuration.
    reading
        Further keys of ``[data]``.
    """
    made = TEMPLATE if frames is None else suggest(frames)
    lines = [
        f"#:schema ./{SCHEMA}",
        "# Settings of `mdaug train --config THIS_FILE`. Keys that are not here have their defaults;",
        "# `mdaug train --help-all` explains every key.",
        "",
        "[data]",
        f"source = {json.dumps(source)}" + (f"  # {made.system}" if made.system else "  # your frames"),
        *(f"{key} = {json.dumps(value)}" for key, value in reading.items()),
        *_temperature(frames, reading),
        "",
        "[split]  # counts, or fractions with a decimal point",
        "train = 0.85",
        "validation = 0.05  # select the best epoch",
        "test = 0.1         # are evaluated once, at the end",
        "seed = 0",
        "",
        f"[augment]  # {made.reason}",
        f"enabled = {json.dumps(made.augment)}",
        *(_augment_lines(made) if made.augment else []),
        "",
        "[model]",
        "cutoff = 5.0       # Å",
        'baseline = "auto"  # network added to a force field matched to the frames, where that is sound',
        "",
        "[training]",
        f"epochs = {made.epochs}       # about {STEPS} steps; two to three times as many without a baseline",
        "batch_size = 20",
        "seed = 0",
    ]
    return "\n".join(lines) + "\n"


def _augment_lines(made: Suggestion) -> list[str]:
    displaced, stretched, impulses = made.numbers
    return [
        f"n_frames = {displaced}     # all atoms displaced by up to epsilon",
        "epsilon = 0.3      # Å",
        f"n_stretched = {stretched}  # one bond at 0.6 to 2.5 times its length",
        f"n_impulses = {impulses}   # after an impulse to some atoms",
        "weight = 0.02      # of an augmented frame in the loss; a frame of the data has 1",
    ]


def _temperature(frames: FrameSet | None, reading: dict[str, Any]) -> list[str]:
    if "temperature" in reading:
        return []
    if frames is not None and frames.temperature_K is not None:
        return [f"temperature = {frames.temperature_K!r}  # K, as the frames state"]
    return ["# temperature = 300.0  # K, of the sampling; springs need it"]
