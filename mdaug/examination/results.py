"""What a part of an examination returns: checks, figures, and from them one verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from mdaug.verdicts import Level, Verdict

PartVerdict = Literal["passes", "fails", "cannot tell", "not run"]
"""Outcome of a part: whether all of its checks pass, or one of them fails, or they do not decide it."""

OF_CHECK: dict[Level, PartVerdict] = {
    "ok": "passes",
    "cannot tell": "cannot tell",
    "warning": "fails",
    "error": "fails",
}

LEVELS: dict[PartVerdict, Level] = {
    "passes": "ok",
    "cannot tell": "cannot tell",
    "not run": "cannot tell",
    "fails": "error",
}


IS_COMPLETE = "is_complete"
"""Key of figures: false if the time ended before the part did, so that it is continued by ``--resume``."""


@dataclass(frozen=True)
class PartResult:
    """Outcome of one part for one force field.

    Parameters
    ----------
    checks
        What was compared with which limit; empty for a part that was not run.
    figures
        Measured numbers, lists and texts, from which the report is drawn.
    reason
        Why the part was not run; None if it was.
    seconds
        Wall time.
    """

    checks: tuple[Verdict, ...]
    figures: dict[str, Any]
    reason: str | None = None
    seconds: float = 0.0

    @classmethod
    def not_run(cls, reason: str) -> Self:
        """Return the result of a part that was not run.

        Parameters
        ----------
        reason
            Why, as a sentence.
        """
        return cls((), {}, reason)

    @property
    def is_complete(self) -> bool:
        """Whether the part was run to its end."""
        return bool(self.checks) and bool(self.figures.get(IS_COMPLETE, True))

    @property
    def verdict(self) -> PartVerdict:
        """The worst of the checks."""
        if not self.checks:
            return "not run"
        outcomes = {OF_CHECK[check.verdict] for check in self.checks}
        order: Sequence[PartVerdict] = ("fails", "cannot tell", "passes")
        return next(verdict for verdict in order if verdict in outcomes)

    @property
    def why(self) -> str:
        """One sentence: the check that decides the verdict, of several the one farthest beyond its limit."""
        if not self.checks:
            return self.reason or ""
        deciding = self.deciding
        others = len(deciding) - 1
        more = f" (and {others} more check{'s' * (others > 1)})" if others else ""
        return f"{deciding[0].text.rstrip('.')}{more}."

    @property
    def deciding(self) -> list[Verdict]:
        """The checks with the verdict of the part, the one farthest beyond its limit first."""
        deciding = [check for check in self.checks if OF_CHECK[check.verdict] == self.verdict]
        return sorted(deciding, key=_in_limits, reverse=True)

    def to_verdict(self, name: str) -> Verdict:
        """Return the outcome as one entry of ``"verdicts"`` in examination.json.

        Parameters
        ----------
        name
            Name of the part, and of the force field if there are several.
        """
        first = self.deciding[0] if self.checks else None
        text = self.why if self.checks else f"Not run: {self.why}"
        value, limit = (first.value, first.limit) if first else (None, None)
        return Verdict(name, LEVELS[self.verdict], value, limit, text)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the part in ``examination.json``; numbers that are not finite become null."""
        return {
            "verdict": self.verdict,
            "why": self.why,
            "seconds": self.seconds,
            "checks": [check.to_json() for check in self.checks],
            "figures": _without_nonfinite(self.figures),
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Return the part of an entry of ``examination.json``.

        Parameters
        ----------
        entry
            From `to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is no such entry.
        """
        checks = tuple(map(Verdict.from_json, entry["checks"]))
        reason = None if checks else str(entry["why"])
        return cls(checks, dict(entry["figures"]), reason, float(entry["seconds"]))


def _without_nonfinite(content: Any) -> Any:
    """Return figures with None for each number that is not finite."""
    if isinstance(content, dict):
        return {key: _without_nonfinite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nonfinite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _in_limits(check: Verdict) -> float:
    """Return the value of a check as a multiple of its limit, 0 where there is none."""
    if not (isinstance(check.value, int | float) and isinstance(check.limit, int | float) and check.limit):
        return 0.0
    return abs(check.value / check.limit)


def limited(name: str, value: float, limit: float, text: str) -> Verdict:
    """Return a check that a value is at most a limit; a value that is not finite is above every limit.

    Parameters
    ----------
    name
        Name of the check.
    value, limit
        Measured value and its limit, in one unit.
    text
        One sentence with ``{value:.2g}`` and ``{limit:g}``.
    """
    level: Level = "ok" if value <= limit else "error"
    return Verdict(name, level, value, limit, text.format(value=value, limit=limit))
