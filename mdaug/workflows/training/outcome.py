"""A finished training: its results, results.json, and the content of its report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.analysis.accuracy import AccuracyResult, accuracy_verdict, joined_accuracy
from mdaug.analysis.extrapolation import extrapolation_verdict
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_verdicts
from mdaug.calculators.trained_systems import system_records
from mdaug.deployment import read_manifest
from mdaug.frames import FloatArray, structure_from_json
from mdaug.options import MANY_SYSTEMS
from mdaug.reports.model import data_text
from mdaug.reports.training import SystemReport, TrainingReport
from mdaug.text import some_of
from mdaug.training import TrainResult
from mdaug.verdicts import Level, Verdict
from mdaug.workflows.settings.config import CONFIG
from mdaug.workflows.training.baseline import summarize_baselines
from mdaug.workflows.training.delta_choice import DeltaChoice
from mdaug.workflows.training.hardening import Hardened
from mdaug.workflows.training.sets import Sets, kind_of_model
from mdaug.workflows.training.summary import frame_energies_kcal_mol


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training: its model file, settings and results.

    Parameters
    ----------
    folder
        The run folder.
    systems
        Frames of each system.
    training
        Model and history.
    tests
        Errors on the test frames of each system, None where it has none.
    extrapolations
        Largest extrapolation of an atom in each of its test frames, None where it has none.
    scans
        Scan of a bond to hydrogen of each system, None where it has none.
    references
        Description of the reference energies of the elements that were subtracted.
    hardened
        The rounds of hardening, None without any.
    deltas
        Whether each system has frames by Δ-learning.
    """

    folder: Path
    systems: tuple[Sets, ...]
    training: TrainResult
    tests: tuple[AccuracyResult | None, ...]
    extrapolations: tuple[FloatArray | None, ...]
    scans: tuple[ScanResult | None, ...]
    references: str
    hardened: Hardened | None = None
    deltas: tuple[DeltaChoice, ...] = ()

    @property
    def sets(self) -> Sets:
        """The frames of the only, or the first, system."""
        return self.systems[0]

    @property
    def test(self) -> AccuracyResult | None:
        """The errors on its test frames, or on those of the first system that has some."""
        return next((test for test in self.tests if test is not None), None)

    @property
    def scan(self) -> ScanResult | None:
        """Its scan, or that of the first system that has one."""
        return next((scan for scan in self.scans if scan is not None), None)

    @property
    def errors(self) -> dict[str, AccuracyResult]:
        """Errors on the test frames of each system that has some, by a name for tables.

        Of many systems those of all together, and of the ones with the largest errors of forces.
        """
        if len(self.systems) == 1:
            return {} if self.test is None else {"test frames": self.test}
        named = zip(self.systems, self.tests, strict=True)
        errors = {sets.label: test for sets, test in named if test is not None}
        if len(errors) <= MANY_SYSTEMS:
            return errors
        worst = sorted(errors, key=lambda label: -_force_mae(errors[label]))[:MANY_SYSTEMS]
        together = joined_accuracy(list(errors.values()))
        return {f"all {len(errors)} systems": together} | {label: errors[label] for label in worst}

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdicts on the errors and the extrapolation of test frames, and on the scans."""
        if len(self.systems) > MANY_SYSTEMS:
            return self._verdicts_of_all()
        verdicts = []
        columns = self.systems, self.tests, self.extrapolations, self.scans
        for sets, test, of_frames, scan in zip(*columns, strict=True):
            own = [accuracy_verdict(test), extrapolation_verdict(of_frames)]
            own += () if scan is None else scan_verdicts(scan)
            suffix = "" if len(self.systems) == 1 else f", {sets.label}"
            verdicts += [replace(verdict, name=verdict.name + suffix) for verdict in own]
        return verdicts

    def _verdicts_of_all(self) -> list[Verdict]:
        """Return verdicts on the test frames of all systems together, and on the scans by outcome."""
        tests = [test for test in self.tests if test is not None]
        of_frames = [values for values in self.extrapolations if values is not None]
        scans = [
            (sets.label, verdict)
            for sets, scan in zip(self.systems, self.scans, strict=True)
            if scan is not None
            for verdict in scan_verdicts(scan)
        ]
        return [
            accuracy_verdict(joined_accuracy(tests) if tests else None),
            extrapolation_verdict(np.concatenate(of_frames) if of_frames else None),
            *_alike_together(scans),
        ]

    @property
    def model_path(self) -> Path:
        """The model file of the run."""
        return self.folder / "model.pt"


def _alike_together(verdicts: Sequence[tuple[str, Verdict]]) -> list[Verdict]:
    """Return verdicts with the label of their system, those of one check with the same outcome as one."""
    alike: dict[tuple[str, Level], list[tuple[str, Verdict]]] = {}
    for label, verdict in verdicts:
        alike.setdefault((verdict.name, verdict.verdict), []).append((label, verdict))
    together = []
    for (label, first), *others in alike.values():
        text, which = first.text, label
        if others:
            which = f"{1 + len(others)} systems"
            text += f" (That is {label}; the same holds for {some_of([other for other, _ in others])}.)"
        together.append(replace(first, name=f"{first.name}, {which}", text=text))
    return together


def scanned_systems(tests: Sequence[AccuracyResult | None]) -> set[int]:
    """Return the systems of which a bond is scanned: of many, those with the largest errors of forces.

    Parameters
    ----------
    tests
        Errors on the test frames of each system, None where it has none.
    """
    order = sorted(range(len(tests)), key=lambda n: -_force_mae(tests[n]))
    return set(order if len(tests) <= MANY_SYSTEMS else order[:MANY_SYSTEMS])


def _force_mae(test: AccuracyResult | None) -> float:
    return -1.0 if test is None else float(np.abs(test.force_errors_kcal_mol_A).mean())


def describe_outcome(outcome: TrainingOutcome) -> dict[str, Any]:
    """Return the content of results.json.

    Parameters
    ----------
    outcome
        A finished training.
    """
    systems, training = outcome.systems, outcome.training
    best = training.history.epochs[training.best_epoch - 1]
    return {
        "test": _over_systems([test.to_json() for test in outcome.tests if test is not None]),
        "validation": {
            "energy_mae_kcal_mol": best.validation_energy_mae_kcal_mol,
            "force_mae_kcal_mol_A": best.validation_force_mae_kcal_mol_A,
            "n_frames": sum(len(sets.validation) for sets in systems),
        },
        "training": {
            "best_epoch": training.best_epoch,
            "epochs": len(training.history.epochs),
            "seconds": training.seconds,
            **{kind: sum(sets.counts[kind] for sets in systems) for kind in systems[0].counts},
        },
        **_extrapolation(outcome),
        "reference_energies": outcome.references,
        "baseline": summarize_baselines([sets.baseline for sets in systems]),
        **_of_each_system(outcome),
        **_delta(outcome),
        **({} if outcome.hardened is None else {"hardening": outcome.hardened.to_json()}),
    }


def _extrapolation(outcome: TrainingOutcome) -> dict[str, Any]:
    """Return ``"extrapolation"`` of results.json: of the test frames of all systems; nothing without any."""
    of_systems = [of_frames for of_frames in outcome.extrapolations if of_frames is not None]
    if not of_systems:
        return {}
    values = np.concatenate(of_systems)
    return {
        "extrapolation": {
            "test_median": float(np.median(values)),
            "test_largest": float(values.max()),
            "n_frames": len(values),
        }
    }


def _delta(outcome: TrainingOutcome) -> dict[str, Any]:
    """Return ``"delta"`` of results.json: by label for several systems; nothing where nothing was tried."""
    tried = {
        sets.label: asdict(choice)
        for sets, choice in zip(outcome.systems, outcome.deltas, strict=True)
        if choice.reason
    }
    if not tried:
        return {}
    return {"delta": tried if len(outcome.systems) > 1 else next(iter(tried.values()))}


def _over_systems(tests: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the errors over all systems: means, and largest values, over frames."""
    if len(tests) <= 1:
        return tests[0] if tests else None
    weights = [test["n_frames"] for test in tests]
    merged: dict[str, Any] = {"n_frames": sum(weights)}
    for key in ("energy_mae_kcal_mol", "force_mae_kcal_mol_A"):  # not stresses: not all systems have some
        merged[key] = float(np.average([test[key] for test in tests], weights=weights))
    for key in ("energy_rmse_kcal_mol", "force_rmse_kcal_mol_A"):
        merged[key] = float(np.sqrt(np.average([test[key] ** 2 for test in tests], weights=weights)))
    for key in ("energy_largest_error_kcal_mol", "force_largest_error_kcal_mol_A"):
        merged[key] = max(test[key] for test in tests)
    return merged


def _of_each_system(outcome: TrainingOutcome) -> dict[str, Any]:
    """Return the entries of results.json about augmentation and, for several systems, about each of them."""
    systems = outcome.systems
    if len(systems) == 1:
        return {} if systems[0].choice is None else {"augmentation": systems[0].choice.to_json()}
    return {
        "systems": {
            sets.label: {
                "test": None if test is None else test.to_json(),
                "n_validation_frames": len(sets.validation),
                **sets.counts,
                "baseline": {"used": sets.baseline.used, "reason": sets.baseline.reason},
                **({} if sets.choice is None else {"augmentation": sets.choice.to_json()}),
            }
            for sets, test in zip(systems, outcome.tests, strict=True)
        },
    }


def system_reports(outcome: TrainingOutcome) -> list[SystemReport]:
    """Return what the report says about each system.

    Parameters
    ----------
    outcome
        A finished training, its model written.
    """
    records = system_records(read_manifest(outcome.model_path))
    return [
        SystemReport(
            label=sets.label,
            structure=structure_from_json(record["reference_structure"]),
            bonds=record["bonds"],
            frame_energies_kcal_mol=frame_energies_kcal_mol(sets),
            springs=sets.springs,
            test=test,
            scan=scan,
        )
        for sets, record, test, scan in zip(
            outcome.systems, records, outcome.tests, outcome.scans, strict=True
        )
    ]


def training_report(outcome: TrainingOutcome) -> TrainingReport:
    """Return the content of report.html.

    Parameters
    ----------
    outcome
        A finished training, its files written.
    """
    training = read_manifest(outcome.model_path)["training"]
    return TrainingReport(
        data=str(data_text(training)),
        level_of_theory=training["level_of_theory"],
        name=kind_of_model(outcome.systems),
        model=outcome.model_path,
        systems=system_reports(outcome),
        history=outcome.training.history,
        verdicts=outcome.verdicts,
        results=describe_outcome(outcome),
        settings=(outcome.folder / CONFIG).read_text(encoding="utf-8"),
        errors=outcome.errors,
    )
