"""One of the two models of a demo, with the results of its training and of its MD."""

from dataclasses import dataclass

from mdaug.analysis.accuracy import accuracy_verdict
from mdaug.analysis.drift import DriftResult
from mdaug.analysis.scan_metrics import scan_verdicts
from mdaug.analysis.stability_result import StabilityResult
from mdaug.analysis.survival import SurvivalResult
from mdaug.reports.molecule import MoleculeView
from mdaug.reports.training import SystemReport
from mdaug.training.history import History
from mdaug.verdicts import Verdict


@dataclass(frozen=True)
class ModelDynamics:
    """Results of MD with a model: at constant energy, at the temperature of the frames, and hot.

    Parameters
    ----------
    drift
        Energy drift of the run at constant energy; None if it was stopped.
    stability
        Stability of the run at the temperature of the frames.
    survival
        Survival of the hot runs; None if several runs at once are not possible (periodic systems).
    nve_stopped, nvt_stopped
        Reason why the guard stopped the run at constant energy, and that with a thermostat; None for a
        complete run.
    failure
        The last frames of the hot run that failed first, None if none did.
    """

    drift: DriftResult | None
    stability: StabilityResult
    survival: SurvivalResult | None
    nve_stopped: str | None
    nvt_stopped: str | None
    failure: MoleculeView | None

    @property
    def drift_verdict(self) -> Verdict:
        """Verdict on the energy drift; a run that was stopped is an error."""
        if self.drift is not None:
            return self.drift.verdict
        text = f"The run was stopped: {self.nve_stopped}."
        return Verdict("energy drift", "error", None, None, text)


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
    system
        Molecule, springs, frames, errors on test frames and bond scan.
    history
        Errors of each epoch.
    seconds
        Wall time of the training.
    dynamics
        Results of MD.
    has_baseline
        Whether the network is added to a force field.
    """

    name: str
    n_frames: int
    data: str
    system: SystemReport
    history: History
    seconds: float
    dynamics: ModelDynamics
    has_baseline: bool = False

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdicts on errors, hot runs, bond scan, stability and energy drift."""
        scan, survival = self.system.scan, self.dynamics.survival
        return [
            accuracy_verdict(self.system.test),
            *([] if survival is None else [survival.verdict]),
            *([] if scan is None else scan_verdicts(scan)),
            *self.dynamics.stability.verdicts,
            self.dynamics.drift_verdict,
        ]
