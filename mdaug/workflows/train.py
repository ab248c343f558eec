"""Augmented training: frames -> split -> springs -> augmented frames -> model -> errors on test frames."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mdaug.analysis.accuracy import AccuracyResult, accuracy, accuracy_verdict
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_verdicts
from mdaug.calculators.predictions import predict
from mdaug.data import Split, write_extxyz
from mdaug.deployment import export_model, read_manifest
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import structure_from_json
from mdaug.reports.training import TrainingReport, write_training_report
from mdaug.springs import write_springs
from mdaug.training import ProcessGroup, TrainResult, pick_device, train
from mdaug.verdicts import Verdict
from mdaug.workflows.baseline import BaselineChoice, record_baseline, recorded_baseline
from mdaug.workflows.config import RunConfig, save_config
from mdaug.workflows.hardening import Hardened, harden
from mdaug.workflows.options import ValidationOptions
from mdaug.workflows.runs import explain_folder
from mdaug.workflows.training_choice import (
    AugmentationChoice,
    TrainingChoice,
    augmented_frames,
    choose_training,
    record_choice,
    recorded_choice,
)
from mdaug.workflows.training_sets import Sets, TrainingCallbacks, prepare_sets
from mdaug.workflows.training_summary import frame_energies_kcal_mol, summarize_training
from mdaug.workflows.validation import scan_bond_to_hydrogen

CONFIG = "config.toml"


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training: its model file, settings and results."""

    folder: Path
    sets: Sets
    training: TrainResult
    test: AccuracyResult | None
    scan: ScanResult | None = None
    hardened: Hardened | None = None

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdicts on the errors on test frames and on the scan."""
        scan = () if self.scan is None else scan_verdicts(self.scan)
        return [accuracy_verdict(self.test), *scan]

    @property
    def model_path(self) -> Path:
        """The model file of the run."""
        return self.folder / "model.pt"


def train_force_field(
    config: RunConfig,
    folder: Path | str,
    *,
    device: str = "auto",
    resume: bool = False,
    callbacks: TrainingCallbacks | None = None,
    group: ProcessGroup | None = None,
) -> TrainingOutcome:
    """Train a force field and write model, errors, report and all intermediate files into `folder`.

    Parameters
    ----------
    config
        All settings, from `load_config`.
    folder
        The run folder; it is created if it does not exist.
    device
        ``auto``, ``cpu`` or ``cuda``.
    resume
        Continue from the checkpoint in `folder`.
    callbacks
        Functions that are called on the way.
    group
        The processes that train together, of which this is the first; the others call `train_as_worker`.

    Raises
    ------
    DataError
        If the frames or the settings cannot be used.

    Examples
    --------
    >>> config = load_config("ethanol", {"data": {"source": "frames.xyz", "temperature": 500.0}})
    >>> outcome = train_force_field(config, "runs/mine")
    >>> outcome.model_path, outcome.test.to_json()["force_mae_kcal_mol_A"]  # doctest: +SKIP
    (PosixPath('runs/mine/model.pt'), 0.42)
    """
    callbacks, group = callbacks or TrainingCallbacks(), group or ProcessGroup()
    folder = Path(folder)
    pick_device(device)  # before minutes of springs and labels
    sets = prepare_sets(config, callbacks)
    sets = _with_choice(sets, config, folder, group, device=device, resume=resume)
    if sets.choice is not None:
        callbacks.stage(sets.choice.reason)
    if sets.baseline.used:
        callbacks.stage(f"baseline: force field of {', '.join(t.formula for t in sets.baseline.templates)}")
    record_sets(sets, config, folder, resume=resume)
    callbacks.stage(
        f"training on {len(sets.all_training)} frames; validation errors E in kcal/mol, F in kcal/mol/Å"
    )
    training = _train(sets, config, folder, group, device=device, resume=resume, progress=callbacks.epoch)
    summary = summarize_training(sets.train, config.model.cutoff) | {"augmented": sets.augmented is not None}
    templates = sets.baseline.templates
    hardened = None
    if config.hardening.rounds:
        given: dict[str, Any] = {"summary": summary, "device": device, "stage": callbacks.stage}
        hardened = harden(training, sets, config, folder, **given)
        callbacks.stage(f"hardening: {hardened.reason}")
        training = replace(training, model=hardened.model)
    model = export_model(training.model, folder / "model.pt", training=summary, templates=templates)
    test = accuracy(partial(predict, model), sets.test) if len(sets.test) else None
    callbacks.stage("scanning a bond to hydrogen")
    scan = scan_bond_to_hydrogen(folder / "model.pt", folder, ValidationOptions(), label=_kind(sets))
    outcome = TrainingOutcome(folder, sets, training, test, scan, hardened)
    write_json(folder / "results.json", describe_outcome(outcome))
    write_training_report(folder, training_report(outcome))
    explain_folder(folder, "train")
    return outcome


def train_as_worker(
    config: RunConfig, folder: Path, group: ProcessGroup, *, device: str, resume: bool
) -> None:
    """Take part in the training that the first process of `group` runs in `folder`; writes nothing.

    Parameters
    ----------
    config
        The settings of the first process.
    folder
        Its run folder.
    group
        The processes that train together.
    device
        ``auto``, ``cpu`` or ``cuda``.
    resume
        Whether the first process continues from a checkpoint.
    """
    sets = prepare_sets(config, TrainingCallbacks())
    sets = _with_choice(sets, config, folder, group, device=device, resume=resume)
    _train(sets, config, folder, group, device=device, resume=resume)


def _train(sets: Sets, config: RunConfig, folder: Path, group: ProcessGroup, **options: Any) -> TrainResult:
    frames, validation = map(sets.baseline.subtract, (sets.all_training, sets.validation))
    network = sets.baseline.network_options(config.model)
    training = sets.baseline.training_options(config.training)
    return train(frames, validation, network, training, folder, group=group, **options)


def _with_choice(
    sets: Sets, config: RunConfig, folder: Path, group: ProcessGroup, *, device: str, resume: bool
) -> Sets:
    """Return the sets with the augmented frames and the baseline that are used; rank zero decides, or its
    records do."""
    text = ""
    if group.is_rank_zero:
        choice = _recorded(folder, sets) if resume else None
        if choice is None:
            choice = choose_training(sets.augmentation, sets.train, sets.validation, config, device=device)
        folder.mkdir(parents=True, exist_ok=True)
        record_baseline(choice.baseline, folder)
        if choice.augmentation is not None:
            record_choice(choice.augmentation, folder)
        text = json.dumps([choice.augmentation and choice.augmentation.to_json(), choice.baseline.to_json()])
    augmentation, baseline = json.loads(group.broadcast(text))
    sets = replace(sets, baseline=BaselineChoice.from_json(baseline))
    if augmentation is None or sets.augmentation is None:
        return sets
    chosen = AugmentationChoice.from_json(augmentation)
    frames = (
        augmented_frames(sets.augmentation, len(sets.train), sets.baseline, config) if chosen.used else None
    )
    return replace(sets, augmented=frames, choice=chosen)


def _recorded(folder: Path, sets: Sets) -> TrainingChoice | None:
    """Return the choice that a run recorded; None if it was stopped before."""
    baseline = recorded_baseline(folder)
    augmentation = None if sets.augmentation is None else recorded_choice(folder)
    if baseline is None or (augmentation is None) != (sets.augmentation is None):
        return None
    return TrainingChoice(augmentation, baseline)


def record_sets(sets: Sets, config: RunConfig, folder: Path, *, resume: bool) -> None:
    """Write config.toml, split.json and, for an augmented model, springs.json and augmented.xyz.

    Parameters
    ----------
    sets
        The frames of the training.
    config
        All settings.
    folder
        The run folder.
    resume
        Whether the run is continued: then its split must be the same.

    Raises
    ------
    DataError
        If the split of a resumed run is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_config(config, folder / CONFIG)
    _record_split(folder / "split.json", sets.split, resume=resume)
    if sets.springs is not None and sets.augmented is not None:
        write_springs(sets.springs.springs, sets.train, folder / "springs.json")
        write_extxyz(sets.augmented, folder / "augmented.xyz")


def describe_outcome(outcome: TrainingOutcome) -> dict[str, Any]:
    """Return the content of results.json.

    Parameters
    ----------
    outcome
        A finished training.
    """
    sets, training = outcome.sets, outcome.training
    best = training.history.epochs[training.best_epoch - 1]
    return {
        "test": outcome.test.to_json() if outcome.test else None,
        "validation": {
            "energy_mae_kcal_mol": best.validation_energy_mae_kcal_mol,
            "force_mae_kcal_mol_A": best.validation_force_mae_kcal_mol_A,
            "n_frames": len(sets.validation),
        },
        "training": {
            "best_epoch": training.best_epoch,
            "epochs": len(training.history.epochs),
            "seconds": training.seconds,
            "n_raw_frames": len(sets.train),
            "n_augmented_frames": sum(map(len, sets.added)),
        },
        "baseline": sets.baseline.summary(),
        **({} if sets.choice is None else {"augmentation": sets.choice.to_json()}),
        **({} if outcome.hardened is None else {"hardening": outcome.hardened.to_json()}),
    }


def _record_split(path: Path, split: Split, *, resume: bool) -> None:
    """Write the split, or check that a resumed run has the same frames."""
    if resume and path.exists() and Split.read(path).to_json() != split.to_json():
        raise DataError(f"{path}: the frames or the split are not those of this run; start a new one")
    write_json(path, split.to_json())


def _kind(sets: Sets) -> str:
    """Return the kind of model, which decides its color in figures."""
    return "raw" if sets.augmented is None else "augmented"


def training_report(outcome: TrainingOutcome) -> TrainingReport:
    """Return the content of report.html.

    Parameters
    ----------
    outcome
        A finished training, its files written.
    """
    summary = read_manifest(outcome.model_path)["training"]
    return TrainingReport(
        data=outcome.sets.train.name,
        level_of_theory=outcome.sets.train.level_of_theory,
        name=_kind(outcome.sets),
        model=outcome.model_path,
        structure=structure_from_json(summary["reference_structure"]),
        bonds=summary["bonds"],
        frame_energies_kcal_mol=frame_energies_kcal_mol(outcome.sets.train, outcome.sets.added),
        history=outcome.training.history,
        springs=outcome.sets.springs,
        test=outcome.test,
        scan=outcome.scan,
        verdicts=outcome.verdicts,
        results=describe_outcome(outcome),
        settings=(outcome.folder / CONFIG).read_text(encoding="utf-8"),
    )
