"""Options of `mdaug sweep`."""

from pathlib import Path
from typing import Literal

from mdaug.options import Options, Positive, Seed, TrainingDevice

PAPER = "augment.epsilon=0.01,0.03,0.05,0.07,0.09,0.11,0.2,0.5"
"""The grid of the paper's Fig. 3, in Å."""


class SweepOptions(Options):
    """Options of a sweep."""

    objective: Literal["scan", "forces"] = "scan"
    """Quantity that is minimized: the rms error of the X-H scan below 150 kcal/mol, or the MAE of the
    validation forces."""

    trials: Positive = 30
    """Number of trainings of a search; a grid has one for each of its points."""

    workers: Positive | None = None
    """Number of trainings at the same time, each on one core, or all on one GPU [default: 1; on a cluster all
    points of a grid, and 10 of a search]."""

    device: TrainingDevice = "auto"
    """Device of the trainings; auto is the GPU if there is one."""

    reference: Path | None = None
    """Reference curve of the scan, a CSV file as for `mdaug scan` [default: GFN2-xTB if it labeled the
    frames]."""

    storage: str | None = None
    """Optuna storage, such as postgresql://…, that workers on several machines share [default: study.db in
    the run folder]."""

    prune: bool = False
    """Stop trainings whose validation force error is above the median of the others (with --objective
    forces)."""

    seed: Seed = 0
    """Seed of the search."""
