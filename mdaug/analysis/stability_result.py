"""What a comparison of a trajectory with its bonds found: verdicts, and the content of stability.json."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdaug.analysis.distributions import Sample, distance_histogram_error, populations
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import BoolArray, bond_name
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.verdicts import Level, Verdict

SHORTEST_PS = 10.0
"""Shortest run without a broken bond that is evidence of stability: bonds of raw models break after
picoseconds."""

HISTOGRAM_LIMIT = 0.2
"""Largest ∫ |h(r) − h_training(r)| dr of a run that agrees with the training frames; two halves of a set have
0.03 to 0.05."""


@dataclass(frozen=True)
class StabilityResult:
    """Broken bonds of a trajectory, and its distances and torsions before the first failure.

    Parameters
    ----------
    bonds
        Bonds with their mean lengths in the training frames.
    tolerance_A
        A bond is broken when it is farther than this from its mean, and farther than half of it outside its
        range in the training frames.
    times_ps
        Shape (n_frames,), as in the trajectory.
    deviation_A
        Largest |length − mean| of any bond per frame, shape (n_frames,); infinite where a position is not a
        finite number.
    failed
        Whether a bond is broken in each frame, shape (n_frames,).
    bond_max_deviation_A
        Largest finite |length − mean| of each bond, shape (n_bonds,).
    broken_bond
        Row of `bonds` with the largest deviation in the first failed frame; None if no frame has failed.
    torsions
        Rotatable torsions, shape (n_torsions, 4), atom indices.
    visited, expected
        Distances and torsions of the frames before failure, and of the training frames; None where no frames
        were given.
    parted_at_ps
        Time of the first frame in which several molecules without a cell are more than 6 Å apart; None if
        they stay together.
    """

    bonds: TrainingBonds
    tolerance_A: float
    times_ps: FloatArray
    deviation_A: FloatArray
    failed: BoolArray
    bond_max_deviation_A: FloatArray
    broken_bond: int | None
    torsions: IntArray
    visited: Sample | None
    expected: Sample | None
    parted_at_ps: float | None = None

    @property
    def time_to_failure_ps(self) -> float | None:
        """Time of the first failed frame, None if none has failed."""
        if self.broken_bond is None:
            return None
        return float(self.times_ps[np.flatnonzero(self.failed)[0]])

    @property
    def first_broken_bond(self) -> str | None:
        """Name of the first broken bond, for example ``O2-H8``."""
        return None if self.broken_bond is None else self.bonds.names[self.broken_bond]

    @property
    def distance_histogram_error(self) -> float | None:
        """∫ |h(r) − h_training(r)| dr, 0 to 2; None without training frames or good frames."""
        if self.visited is None or self.expected is None or self.visited.n_frames == 0:
            return None
        return distance_histogram_error(self.visited, self.expected)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Verdicts on broken bonds, separated molecules, and agreement of distances with the training
        frames."""
        duration = float(self.times_ps[-1] - self.times_ps[0])
        verdicts = [self._bonds_verdict(duration)]
        if self.parted_at_ps is not None:
            text = f"The molecules are more than 6 Å apart from {self.parted_at_ps:g} ps on."
            verdicts.append(Verdict("molecules together", "warning", self.parted_at_ps, None, text))
        error = self.distance_histogram_error
        if error is not None:
            alike, enough = error <= HISTOGRAM_LIMIT, duration >= SHORTEST_PS
            text = f"∫|h(r) − h_training(r)| dr is {error:.2g}; the limit is {HISTOGRAM_LIMIT:g}."
            if not alike and not enough:
                text += f" {duration:g} ps are too short to tell; expected {SHORTEST_PS:g} ps."
            level: Level = "ok" if alike else "warning" if enough else "cannot tell"
            verdicts.append(Verdict("distances as in the frames", level, error, HISTOGRAM_LIMIT, text))
        return tuple(verdicts)

    def _bonds_verdict(self, duration_ps: float) -> Verdict:
        """Return an error for a broken bond; otherwise an upper limit of the rate of breaking, by the rule of
        three."""
        name = "no broken bond"
        if self.time_to_failure_ps is not None:
            text = (
                f"{self.first_broken_bond} broke at {self.time_to_failure_ps:g} ps: more than "
                f"{self.tolerance_A:g} Å from {self.bonds.expected_lengths}, and outside its range there."
            )
            return Verdict(name, "error", self.time_to_failure_ps, None, text)
        if duration_ps < SHORTEST_PS:
            text = f"No bond broke; {duration_ps:g} ps are too short to tell, expected {SHORTEST_PS:g} ps."
            return Verdict(name, "cannot tell", duration_ps, SHORTEST_PS, text)
        text = (
            f"No bond broke in {duration_ps:g} ps; on average a break takes over {duration_ps / 3:.2g} ps, "
            "with 95 % confidence."
        )
        return Verdict(name, "ok", duration_ps, SHORTEST_PS, text)

    def torsion_populations(self) -> dict[str, dict[str, dict[str, float] | None]]:
        """Return the fraction of frames in each well, of trajectory and training frames, for each torsion."""
        return {
            bond_name(self.bonds.atomic_numbers, torsion): {
                "trajectory": _populations(self.visited, k),
                "training": _populations(self.expected, k),
            }
            for k, torsion in enumerate(self.torsions)
        }

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``stability.json``."""
        broken = None if self.broken_bond is None else self.bonds.bonds[self.broken_bond].tolist()
        per_bond = zip(self.bonds.names, self.bonds.mean_A, self.bond_max_deviation_A, strict=True)
        return {
            "time_to_failure_ps": self.time_to_failure_ps,
            "first_broken_bond": self.first_broken_bond,
            "max_bond_deviation_A": float(self.bond_max_deviation_A.max()),
            "first_broken_atoms": broken,
            "parted_at_ps": self.parted_at_ps,
            "tolerance_A": self.tolerance_A,
            "duration_ps": float(self.times_ps[-1] - self.times_ps[0]),
            "n_frames": len(self.times_ps),
            "n_frames_before_failure": self.n_frames_before_failure,
            "bonds": {
                name: {"training_mean_A": float(mean), "max_deviation_A": float(largest)}
                for name, mean, largest in per_bond
            },
            "distance_histogram_error": self.distance_histogram_error,
            "torsion_populations": self.torsion_populations(),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }

    @property
    def n_frames_before_failure(self) -> int:
        """Number of frames before the first failure, those of the distributions."""
        failed = np.flatnonzero(self.failed)
        return int(failed[0]) if len(failed) else len(self.failed)


def _populations(sample: Sample | None, torsion: int) -> dict[str, float] | None:
    if sample is None or sample.n_frames == 0:
        return None
    return populations(sample.angles[:, torsion])
