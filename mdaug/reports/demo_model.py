"""One of the two models of a demo, with the results of its training and validation."""

from dataclasses import dataclass
from typing import Any

from ase import Atoms

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.analysis.drift import DriftResult
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.stability import StabilityResult
from mdaug.analysis.survival import SurvivalResult
from mdaug.frames import FloatArray
from mdaug.reports.molecule import MoleculeView
from mdaug.springs import SpringAnalysis
from mdaug.training.history import History
from mdaug.verdicts import Verdict


@dataclass(frozen=True)
class DemoModel:
    """One model of the demo and its results.

    Parameters
    ----------
    name
        ``raw`` or ``augmented``.
    n_frames
        Frames trained on, augmented ones included.
    data
        Name of the frames.
    structure, bonds
        The training frame of lowest energy, and the entry ``"bonds"`` of the model's manifest.
    frame_energies_kcal_mol
        Kind of frames -> energies above the lowest raw frame.
    springs
        None for the raw model.
    history, seconds
        Of the training.
    test
        Errors on test frames, None without any.
    scan
        None if no hydrogen is bonded.
    drift
        None if the run at constant energy was stopped.
    stability
        Stability of the run at the temperature of the frames.
    survival
        Survival of the hot runs; None if several runs at once are not possible.
    nve_stopped, nvt_stopped
        Reason why the guard stopped a run; None for a complete run.
    failure
        The last frames of the hot run that failed first.
    verdicts
        Verdicts of all parts.
    has_baseline
        Whether the network is added to a force field.
    """

    name: str
    n_frames: int
    data: str
    structure: Atoms
    bonds: list[dict[str, Any]]
    frame_energies_kcal_mol: dict[str, FloatArray]
    springs: SpringAnalysis | None
    history: History
    seconds: float
    test: AccuracyResult | None
    scan: ScanResult | None
    drift: DriftResult | None
    stability: StabilityResult
    survival: SurvivalResult | None
    nve_stopped: str | None
    nvt_stopped: str | None
    failure: MoleculeView | None
    verdicts: list[Verdict]
    has_baseline: bool = False
