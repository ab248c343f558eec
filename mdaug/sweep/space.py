"""What a sweep varies: keys of the configuration with lists of values or ranges."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mdaug.errors import SettingsError
from mdaug.workflows.config import RunConfig

Value = str | int | float | bool

_RANGE = re.compile(r"(?P<low>[^:,]+):(?P<high>[^:,]+)(?P<log>:log)?")


@dataclass(frozen=True)
class Choices:
    """A key that takes one of some values."""

    key: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A key that takes any value from `low` to `high`, whole numbers if both are."""

    key: str
    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Dimension = Choices | Range


def parse_space(texts: Sequence[str], config: RunConfig) -> list[Dimension]:
    """Return the dimensions in texts like ``augment.epsilon=0.01,0.1`` or ``augment.epsilon=0.01:0.5:log``.

    Raises
    ------
    SettingsError
        For a text of another form, a key named twice, or a key or value that `config` does not take.
    """
    space = [_parse(text) for text in texts]
    names = [dimension.key for dimension in space]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--vary {name}: named twice; give all its values at once")
    for dimension in space:
        tried = dimension.values if isinstance(dimension, Choices) else (dimension.low, dimension.high)
        for value in tried:
            config.replace(changes_of({dimension.key: value}, config))
    return space


def grid(space: Sequence[Dimension]) -> list[dict[str, Value]] | None:
    """Return every point of a space of choices alone, None if it has a range."""
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
    """
    changes: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        section, _, rest = name.partition(".")
        key, _, entry = rest.partition(".")
        keys = changes.setdefault(section, {})
        if entry:
            before = getattr(getattr(config, section, None), key, ())
            keys[key] = (*keys.get(key, before), f"{entry}={value}")  # the last of a pair counts
        else:
            keys[key] = value
    return changes


def _parse(text: str) -> Dimension:
    key, equals, values = text.partition("=")
    if not equals or "." not in key or not values:
        raise SettingsError(f"--vary {text}: expected SECTION.KEY=V1,V2,… or SECTION.KEY=LOW:HIGH[:log]")
    found = _RANGE.fullmatch(values)
    if found is None:
        return Choices(key, tuple(_value(part) for part in values.split(",")))
    low, high = _value(found["low"]), _value(found["high"])
    if not _is_number(low) or not _is_number(high) or not low < high:  # type: ignore[operator]
        raise SettingsError(f"--vary {text}: expected numbers LOW < HIGH")
    log = found["log"] is not None
    if log and low <= 0:  # type: ignore[operator]
        raise SettingsError(f"--vary {text}: a logarithmic range starts above zero")
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
