"""Survival of several runs of one model, and the causes of failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mdaug.analysis.stability import TOLERANCE_A, stability
from mdaug.analysis.thermo_log import thermo_rows
from mdaug.analysis.trajectory import open_trajectory
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

FALL_KCAL_MOL = 5.0
"""Distance of the potential energy below the model's minimum at which a run is in a spurious minimum; other
conformers are hardly ever so far below that of the lowest training frame."""

CONFIDENCE = 0.95

Z = 1.959964
"""Quantile of the normal distribution for a two-sided interval of that confidence."""

Cause = Literal["bond", "contact", "below minimum", "heating", "calculator"]
"""Kind of failure of a run: a bond broke, atoms collided, the energy fell below the minimum, the temperature
or the energy exploded, the calculator failed."""


@dataclass(frozen=True)
class Life:
    """Length of one run, and its failure.

    Parameters
    ----------
    lived_ps
        Time of the failure, or the length of the run.
    failure
        Description of the failure; None for a run that survived to its end.
    broken_bond
        The two atoms of the bond with the largest deviation at the failure, if a bond was broken.
    """

    lived_ps: float
    failure: str | None = None
    broken_bond: tuple[int, int] | None = None

    @property
    def cause(self) -> Cause | None:
        """Kind of failure, from its description; None for a run that survived."""
        if self.failure is None:
            return None
        kinds: dict[str, Cause] = {
            "its energy fell": "below minimum",
            "temperature is": "heating",
            "energy or positions are not finite": "heating",
            "atoms ": "contact",
            "the calculator failed": "calculator",
        }
        return next((kind for start, kind in kinds.items() if self.failure.startswith(start)), "bond")


@dataclass(frozen=True)
class SurvivalResult:
    """Results of several runs of one model under the same conditions.

    Parameters
    ----------
    temperature_K
        Of the thermostat.
    duration_ps
        Length of a run without failure.
    lives
        One for each run.
    """

    temperature_K: float
    duration_ps: float
    lives: tuple[Life, ...]

    @property
    def n_survived(self) -> int:
        """Number of runs without failure."""
        return sum(life.failure is None for life in self.lives)

    @property
    def survived_interval(self) -> tuple[float, float]:
        """95 % interval of the share of runs that survive (Wilson, DOI 10.1080/01621459.1927.10502953)."""
        n, share = len(self.lives), self.n_survived / len(self.lives)
        center = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
        return max(0.0, float(center - half)), min(1.0, float(center + half))

    @property
    def first_failure(self) -> int | None:
        """Index of the run that failed first, None if none has."""
        failed = [k for k, life in enumerate(self.lives) if life.failure is not None]
        return min(failed, key=lambda k: self.lives[k].lived_ps, default=None)

    @property
    def verdict(self) -> Verdict:
        """Verdict on the survival of all runs."""
        n, n_runs = self.n_survived, len(self.lives)
        name = f"survival at {self.temperature_K:g} K"
        text = f"{n} of {n_runs} runs lived {self.duration_ps:g} ps"
        if self.first_failure is not None:
            first = self.lives[self.first_failure]
            text += f"; the first to fail, after {first.lived_ps:.2g} ps: {first.failure}."
            return Verdict(name, "error", n_runs - n, 0, text)
        at_least = (1.0 - CONFIDENCE) ** (1.0 / n_runs)
        text += f"; with {CONFIDENCE:.0%} confidence at least {at_least:.0%} of all such runs do."
        return Verdict(name, "ok", 0, 0, text)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``survival.json``."""
        return {
            "temperature_K": self.temperature_K,
            "duration_ps": self.duration_ps,
            "n_runs": len(self.lives),
            "n_survived": self.n_survived,
            "lived_ps": [life.lived_ps for life in self.lives],
            "failures": [life.failure for life in self.lives],
            "causes": [life.cause for life in self.lives],
            "survived_interval95": list(self.survived_interval),
            "verdicts": [self.verdict.to_json()],
        }


def survival(
    folders: Sequence[Path],
    stopped: Sequence[str | None],
    bonds: TrainingBonds,
    *,
    temperature_K: float,
    duration_ps: float,
    minimum_eV: float | None,
    frames_temperature_K: float | None = None,
) -> SurvivalResult:
    """Find the time at which each run failed: stopped by the guard, a broken bond, or an energy far below the
    model's minimum.

    Amplitudes of bonds grow with the root of the temperature, and so does the deviation from its mean at
    which a bond is broken: it is 0.5 Å at the temperature of the training frames (`stability`), and more in
    hotter runs.

    Parameters
    ----------
    folders
        Run folders with ``thermo.csv`` and ``trajectory.dcd``.
    stopped
        Reason why each run was stopped early, None for a complete run.
    bonds
        Bonds of the training frames.
    temperature_K, duration_ps
        Of the runs.
    minimum_eV
        Energy of the minimum next to the start, eV; None if there is none to compare with.
    frames_temperature_K
        Temperature of the training frames; None where unknown: that of the runs.
    """
    ratio = 1.0 if frames_temperature_K is None else max(1.0, temperature_K / frames_temperature_K)
    tolerance_A = TOLERANCE_A * ratio**0.5
    lives = [
        _life(folder, reason, bonds, duration_ps, minimum_eV, tolerance_A)
        for folder, reason in zip(folders, stopped, strict=True)
    ]
    return SurvivalResult(temperature_K, duration_ps, tuple(lives))


def _life(  # noqa: PLR0917
    folder: Path,
    stopped: str | None,
    bonds: TrainingBonds,
    duration_ps: float,
    minimum_eV: float | None,
    tolerance_A: float,
) -> Life:
    """Return the first failure of one run."""
    thermo = thermo_rows(folder)
    times_ps, potential_eV = thermo["time_fs"] / 1000.0, thermo["potential_eV"]
    ends = [Life(duration_ps)]
    result = stability(open_trajectory(folder), bonds, tolerance_A=tolerance_A)
    broken = None if result.broken_bond is None else tuple(map(int, bonds.bonds[result.broken_bond]))
    if result.time_to_failure_ps is not None:
        failure = f"{result.first_broken_bond} broke"
        ends.append(Life(result.time_to_failure_ps, failure, (broken[0], broken[1]) if broken else None))
    if stopped is not None:
        last = float(times_ps[-1]) if len(times_ps) else 0.0
        ends.append(Life(last, stopped, (broken[0], broken[1]) if broken else None))
    if minimum_eV is not None:
        below = (minimum_eV - potential_eV) * KCAL_MOL_PER_EV
        fallen = np.flatnonzero(below > FALL_KCAL_MOL)
        if len(fallen):
            failure = f"its energy fell {FALL_KCAL_MOL:g} kcal/mol below the minimum (a spurious minimum)"
            ends.append(Life(float(times_ps[fallen[0]]), failure))
    return min(ends, key=lambda life: life.lived_ps)
