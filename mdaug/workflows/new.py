"""A commented configuration for given frames, with a JSON schema of all keys for editors."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdaug.augmentation.numbers import AugmentedNumbers, augmented_numbers
from mdaug.augmentation.options import AugmentSettings
from mdaug.augmentation.stretches import RANGE
from mdaug.data.datasets import is_named_set
from mdaug.files import write_json, write_text
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import count_molecules
from mdaug.text import in_one_line
from mdaug.training.options import MOST_STEPS, STEPS_WITH_BASELINE
from mdaug.workflows.settings.config import RunConfig

SCHEMA = "mdaug.schema.json"


@dataclass(frozen=True)
class Suggestion:
    """Settings for a set of frames.

    Parameters
    ----------
    system
        What the frames are, in one line.
    numbers
        Numbers of augmented frames; None for several systems, each of which has its own.
    """

    system: str
    numbers: AugmentedNumbers | None


TEMPLATE = Suggestion("", AugmentedNumbers(200, 500, 400, True, "for a molecule of about a dozen atoms"))
"""Settings without frames."""


def suggest(systems: Sequence[FrameSet]) -> Suggestion:
    """Return the numbers of augmented frames that `mdaug train` uses by default, and what the frames are.

    Parameters
    ----------
    systems
        Checked frames of each system; none for the default numbers.
    """
    if not systems:
        return TEMPLATE
    each = [_suggest(frames) for frames in systems]
    if len(each) == 1:
        return each[0]
    names = "; ".join(suggestion.system for suggestion in each)
    return Suggestion(f"{len(each)} systems: {names}", None)


def _suggest(frames: FrameSet) -> Suggestion:
    n_molecules = count_molecules(frames)
    molecules = "" if n_molecules == 1 else f" ({n_molecules} molecules)"
    system = frames.description + molecules
    return Suggestion(
        in_one_line(system), augmented_numbers(frames, round(RunConfig().split.train * len(frames)))
    )


def write_config(path: Path, systems: Sequence[FrameSet], data: str | None, reading: dict[str, Any]) -> None:
    """Write a commented TOML file, and the schema of all keys beside it.

    Parameters
    ----------
    path
        TOML file to write.
    systems
        Checked frames of each system in `data`; none for a configuration with the default numbers.
    data
        The file or set; None for a placeholder.
    reading
        Options with which the frames were read, as keys of ``[data]``.
    """
    write_json(path.with_name(SCHEMA), config_schema())
    write_text(path, config_text(systems, source_beside(path, data or "frames.xyz"), reading))


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


def config_text(systems: Sequence[FrameSet], source: str, reading: dict[str, Any]) -> str:
    """Return a commented configuration.

    Parameters
    ----------
    systems
        Checked frames of each system; none for the default numbers.
    source
        The file or set, relative to the configuration.
    reading
        Further keys of ``[data]``.
    """
    made, default = suggest(systems), RunConfig()
    split = default.split
    lines = [
        f"#:schema ./{SCHEMA}",
        "# Settings of `mdaug train --config THIS_FILE`. Keys that are not here have their defaults;",
        "# `mdaug train --help-all` explains every key.",
        "",
        "[data]",
        f"source = {json.dumps(source)}" + (f"  # {made.system}" if made.system else "  # your frames"),
        *(f"{key} = {json.dumps(value)}" for key, value in reading.items()),
        *_temperature(systems, reading),
        "",
        "[split]  # counts, or fractions with a decimal point",
        f"train = {split.train}",
        f"validation = {split.validation}  # select the best epoch",
        f"test = {split.test}         # are evaluated once, at the end",
        f"seed = {split.seed}",
        "",
        *_augment_lines(made.numbers, default.augment),
        "",
        "[model]",
        f"cutoff = {default.model.cutoff}       # Å",
        f'baseline = "{default.model.baseline}"  # network added to a force field matched to the frames, '
        "where that is sound",
        "",
        "[delta]  # more frames, labeled by a low-level method and a network of its errors",
        f'method = "{default.delta.method}"  # where it helps; "none" for no Δ-learning',
        "",
        "[training]",
        f"# epochs = 300     # default: {STEPS_WITH_BASELINE} steps with a baseline; without, 800 epochs or "
        f"{MOST_STEPS} steps",
        f"batch_size = {default.training.batch_size}",
        f"seed = {default.training.seed}",
    ]
    return "\n".join(lines) + "\n"


def _augment_lines(made: AugmentedNumbers | None, default: AugmentSettings) -> list[str]:
    if made is None:
        return ["[augment]  # numbers of augmented frames by the atoms and bonds of each system"]
    enabled = [f"[augment]  # {made.reason}", f"enabled = {json.dumps(made.recommended)}"]
    if not made.recommended:
        return enabled
    return [
        *enabled,
        f"n_frames = {made.displaced}     # all atoms displaced by up to epsilon",
        f"epsilon = {default.epsilon}      # Å",
        f"n_stretched = {made.stretched}  # one bond at {RANGE[0]:g} times its length to the cutoff",
        f"n_impulses = {made.impulses}   # after an impulse to some atoms",
        f"weight = {default.weight}      # of an augmented frame in the loss; a frame of the data has 1",
    ]


def _temperature(systems: Sequence[FrameSet], reading: dict[str, Any]) -> list[str]:
    if "temperature" in reading:
        return []
    stated = {frames.temperature_K for frames in systems}
    if len(stated) > 1 and None not in stated:
        return ["# temperature: each system has its own, as the frames state"]
    if len(stated) == 1 and None not in stated:
        return [f"temperature = {stated.pop()!r}  # K, as the frames state"]
    return ["# temperature = 300.0  # K, of the sampling; springs need it"]
