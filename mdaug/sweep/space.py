"""Search space of a sweep (keys of the configuration with lists of values or ranges), and its settings.

The results of a sweep depend on its settings: a sweep that is resumed must be given the same ones.
"""

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from mdaug.archives import read_json
from mdaug.errors import MDAugError, SettingsError
from mdaug.files import write_json
from mdaug.workflows.settings.config import RunConfig

SETTINGS = "settings.json"
Settings = Mapping[str, str | int | float | bool | None]

Value = str | int | float | bool

_RANGE = re.compile(r"(?P<low>[^:,]+):(?P<high>[^:,]+)(?P<log>:log)?")


@dataclass(frozen=True)
class Choices:
    """A key that takes one of several values.

    Attributes
    ----------
    key
        SECTION.KEY of the configuration.
    values
        Its values.
    """

    key: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A key that takes any value in an interval.

    Attributes
    ----------
    key
        SECTION.KEY of the configuration.
    low, high
        Ends of the interval, included; if both are integers, only integers are tried.
    log
        Whether values are drawn uniformly on a logarithmic scale.
    """

    key: str
    low: float
    high: float
    log: bool

    @property
    def is_integer(self) -> bool:
        """Whether only integers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Dimension = Choices | Range


def parse_space(texts: Sequence[str], config: RunConfig) -> list[Dimension]:
    """Return the dimensions in texts like ``augment.epsilon=0.01,0.1`` or ``augment.epsilon=0.01:0.5:log``.

    Parameters
    ----------
    texts
        Values of the option ``--vary``.
    config
        The configuration that is varied.

    Raises
    ------
    SettingsError
        For a text of another form, a repeated key, or a key or value that `config` does not accept.
    """
    space = [_parse(text) for text in texts]
    names = [dimension.key for dimension in space]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--vary {name}: given twice; give all its values at once")
    for dimension in space:
        values = dimension.values if isinstance(dimension, Choices) else (dimension.low, dimension.high)
        for value in values:
            config.replace(changes_of({dimension.key: value}, config))
    return space


def grid(space: Sequence[Dimension]) -> list[dict[str, Value]] | None:
    """Return all points of a space without ranges, None for a space with a range.

    Parameters
    ----------
    space
        The dimensions.
    """
    choices = [dimension for dimension in space if isinstance(dimension, Choices)]
    if len(choices) < len(space):
        return None
    keys = [dimension.key for dimension in choices]
    return [
        dict(zip(keys, values, strict=True))
        for values in itertools.product(*(dimension.values for dimension in choices))
    ]


def changes_of(parameters: Mapping[str, Value], config: RunConfig) -> dict[str, dict[str, Any]]:
    """Return the parameters as sections for `RunConfig.replace`.

    ``springs.components.H-C`` sets the number of one element pair and keeps the others.

    Parameters
    ----------
    parameters
        Values by SECTION.KEY.
    config
        The configuration that is varied.
    """
    changes: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        section, _, option = name.partition(".")
        key, _, entry = option.partition(".")
        keys = changes.setdefault(section, {})
        if entry:
            before = getattr(getattr(config, section, None), key, ())
            keys[key] = (*keys.get(key, before), f"{entry}={value}")  # the last entry of a pair counts
        else:
            keys[key] = value
    return changes


def _parse(text: str) -> Dimension:
    key, equals, values = text.partition("=")
    if not equals or "." not in key or not values:
        raise SettingsError(f"--vary {text}: expected SECTION.KEY=V1,V2,… or SECTION.KEY=LOW:HIGH[:log]")
    match = _RANGE.fullmatch(values)
    if match is None:
        return Choices(key, tuple(_value(part) for part in values.split(",")))
    low, high = _value(match["low"]), _value(match["high"])
    if not _is_number(low) or not _is_number(high) or not low < high:  # type: ignore[operator]
        raise SettingsError(f"--vary {text}: expected numbers LOW < HIGH")
    log = match["log"] is not None
    if log and low <= 0:  # type: ignore[operator]
        raise SettingsError(f"--vary {text}: a logarithmic range must start above zero")
    return Range(key, low, high, log)  # type: ignore[arg-type]


def _is_number(value: Value) -> bool:
    return not isinstance(value, str | bool) and isfinite(value)


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def settings_of(
    config: RunConfig, space: Sequence[Dimension], objective: str, reference: Path | None
) -> Settings:
    """Return all settings of a sweep by the names that users see; files by their content.

    Parameters
    ----------
    config
        The configuration that is varied.
    space
        The dimensions.
    objective
        ``scan`` or ``forces``.
    reference
        Reference curve of the scan.
    """
    sections = config.model_dump(mode="json")
    settings = {f"{name}.{key}": value for name, keys in sections.items() for key, value in keys.items()}
    for file in map(Path, config.data.files):
        if file.is_file():
            settings["data.source" if str(file) == config.data.source else f"data.{file}"] = _content(file)
    return settings | {
        "--vary": " ".join(sorted(_text(dimension) for dimension in space)),
        "--objective": objective,
        "--reference": None if reference is None else _content(reference),
    }


def record_settings(folder: Path, settings: Settings) -> None:
    """Write settings.json into the folder of a new sweep, or compare it with that of a sweep that is resumed.

    Parameters
    ----------
    folder
        Folder of the sweep.
    settings
        From `settings_of`.
    """
    path = folder / SETTINGS
    if path.exists():
        check_settings(settings, read_json(path, "the settings of a sweep"), str(folder))
    else:
        write_json(path, settings)


def check_settings(settings: Settings, previous: Settings, where: str) -> None:
    """Refuse to resume a sweep with other settings.

    Parameters
    ----------
    settings
        The present settings.
    previous
        The settings with which the sweep was started. Keys that exist in only one of the two (from another
        version of mdaug) are ignored.
    where
        Folder or storage of the sweep.

    Raises
    ------
    MDAugError
        A setting differs.
    """
    for key, value in settings.items():
        if key in previous and previous[key] != value:
            raise MDAugError(
                f"the sweep in {where} was started with {key} = {previous[key]}, now it is {value}; "
                "give the same options, or start another sweep"
            )


def _content(file: Path) -> str:
    with file.open("rb") as stream:
        return f"file with SHA-256 {hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}…"


def _text(dimension: Dimension) -> str:
    if isinstance(dimension, Choices):
        return f"{dimension.key}={','.join(map(str, dimension.values))}"
    return f"{dimension.key}={dimension.low}:{dimension.high}{':log' if dimension.log else ''}"
