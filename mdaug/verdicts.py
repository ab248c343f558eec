"""Verdicts of checks: what was measured, the limit, and one sentence on what it means."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

Level = Literal["ok", "cannot tell", "warning", "error"]
"""Outcome of a check, from best to worst. ``"cannot tell"``: the data do not decide it either way."""

MARKS: dict[Level, str] = {"ok": "✓", "cannot tell": "?", "warning": "!", "error": "✗"}
"""One character for each outcome, for tables."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of one check.

    Parameters
    ----------
    name
        Short name of the check, the same in every run: ``"energy drift"``.
    verdict
        ``"ok"``, ``"warning"``, ``"error"`` or ``"cannot tell"``.
    value
        Measured value, in the unit in `text`; None if there is none.
    limit
        Limit of `value`, in the same unit; None if the check has no numerical limit.
    text
        One sentence in plain words: the value, the limit, and the conclusion.
    frames
        Indices of the frames that the verdict is about, 0-based and ascending; empty if it is about
        all frames or none.

    Raises
    ------
    ValueError
        If `verdict` is none of the four words.
    """

    name: str
    verdict: Level
    value: float | str | None
    limit: float | str | None
    text: str
    frames: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Level):
            raise ValueError(f"verdict {self.verdict!r}; expected one of {', '.join(get_args(Level))}")

    @property
    def mark(self) -> str:
        """The verdict as one character: ✓, ?, ! or ✗."""
        return MARKS[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"verdicts"`` in check.json, examination.json and the other result files.

        Numbers that are not finite become null, as JSON has no NaN.
        """
        return {
            "name": self.name,
            "verdict": self.verdict,
            "value": _finite(self.value),
            "limit": _finite(self.limit),
            "text": self.text,
            "frames": [int(frame) for frame in self.frames],
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Return the verdict of an entry of a result file.

        Parameters
        ----------
        entry
            From `to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is no such entry.
        """
        return cls(**entry | {"frames": tuple(entry["frames"])})


def worst(verdicts: Iterable[Verdict]) -> Level:
    """Return the worst outcome among `verdicts`; ``"ok"`` if there is none."""
    order = get_args(Level)
    return max((verdict.verdict for verdict in verdicts), key=order.index, default="ok")


def _finite(value: float | str | None) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None
