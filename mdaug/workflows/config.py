"""The configuration of a training run: a TOML file with one section for each room it passes through."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from mdaug.augmentation import AugmentOptions
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError, SettingsError
from mdaug.files import write_text
from mdaug.frames import FrameSet
from mdaug.models import SchNetOptions
from mdaug.options import Options
from mdaug.springs import SpringOptions
from mdaug.training import TrainOptions
from mdaug.workflows.data import DataOptions
from mdaug.workflows.inputs import find_config

Sections = Mapping[str, Mapping[str, Any]]


class DataSection(DataOptions):
    """Which frames, and how to read them."""

    source: str = "ethanol"
    """A file or a named set."""

    def load_frames(self) -> FrameSet:
        """Return the frames."""
        return self.load(self.source)


class TrainingAugmentOptions(AugmentOptions):
    """Augmentation of the training frames."""

    explored: Path | None = None
    """File of `mdaug explore`; its frames are trained on too, with their own weights."""


class AugmentSection(TrainingAugmentOptions):
    """Augmentation of the training frames, or none."""

    enabled: bool = True
    """Train on augmented frames too; false trains the raw model."""


class RunConfig(Options):
    """All settings of a training run. The defaults are those of ``inputs/ethanol.toml``."""

    data: DataSection = DataSection()
    split: SplitOptions = SplitOptions()
    springs: SpringOptions = SpringOptions()
    augment: AugmentSection = AugmentSection()
    model: SchNetOptions = SchNetOptions()
    training: TrainOptions = TrainOptions()

    def replace(self, changes: Sections) -> "RunConfig":
        """Return a validated copy with the keys in `changes` replaced."""
        return _validate(_merge(self.model_dump(), changes), "the given options")


def load_config(path: Path | str | None = None, changes: Sections | None = None) -> RunConfig:
    """Read a configuration: `changes` (such as command-line options) over the file's keys over the defaults.

    Parameters
    ----------
    path
        A TOML file or the name of a shipped one; None for the defaults alone.
    changes
        Section -> key -> value.

    Raises
    ------
    DataError
        For a missing file or broken TOML.
    SettingsError
        For an unknown section or key (with the nearest one), or a wrong value.

    Examples
    --------
    >>> config = load_config("demo", {"data": {"source": "frames.xyz", "temperature": 500.0}})
    >>> config.training.epochs
    300
    """
    if path is None:
        return _validate(_merge({}, changes or {}), "the given options")
    file = find_config(path)
    return _validate(_merge(_read_toml(file), changes or {}), str(file))


def save_config(config: RunConfig, path: Path) -> None:
    """Write every setting of `config` as TOML that `load_config` reads back equal."""
    write_text(path, tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from error
    for name, keys in sections.items():
        if not isinstance(keys, dict):
            raise SettingsError(f"{path}: key {name!r} stands outside the sections {_section_names()}")
    return sections


def _merge(sections: Mapping[str, Any], changes: Sections) -> dict[str, dict[str, Any]]:
    merged = {name: dict(keys) for name, keys in sections.items()}
    for name, keys in changes.items():
        merged.setdefault(name, {}).update(keys)
    return merged


def _validate(sections: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(sections)
    except ValidationError as error:
        raise SettingsError(f"{where}: {_complaint(error)}") from error


def _complaint(error: ValidationError) -> str:
    """Say in one line what the first wrong section, key or value is and what was expected."""
    first = error.errors(include_url=False)[0]
    section, *rest = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        if not rest:
            return f"unknown section [{section}]; {_nearest(section, list(RunConfig.model_fields), '[{}]')}"
        known = list(RunConfig.model_fields[section].default.__class__.model_fields)
        return f"[{section}] has no key {rest[0]!r}; {_nearest(rest[0], known, '{!r}')}"
    message = first["msg"].removeprefix("Value error, ")
    if not rest:
        return f"[{section}]: {message}"
    return f"[{section}] {'.'.join(rest)} = {first['input']!r}: {message}"


def _nearest(name: str, known: list[str], form: str) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {form.format(nearest[0])}?"
    return f"known are {', '.join(known)}"


def _section_names() -> str:
    return ", ".join(f"[{name}]" for name in RunConfig.model_fields)
