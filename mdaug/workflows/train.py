"""Training of a force field, from frames to a tested model.

Frames are split. Springs and a force field are fitted to the training frames, and label augmented frames.
Where the field is sound and helps, it is the baseline of the model. Δ-learning adds more frames. The network
is trained, and hardened by its own MD. The model is tested on frames and along a bond.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mdaug.analysis.accuracy import AccuracyResult, errors_of
from mdaug.analysis.scan import ScanResult
from mdaug.augmentation.label_rules import NO_RULE
from mdaug.calculators.predictions import predict_all
from mdaug.deployment import export_model, last_layer_statistics, model_bytes
from mdaug.files import write_json
from mdaug.frames import FloatArray
from mdaug.options import MANY_SYSTEMS
from mdaug.reports.training import write_training_report
from mdaug.text import some_of
from mdaug.training import ProcessGroup, TrainResult, pick_device
from mdaug.workflows.run_folders.runs import explain_folder
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.settings.workflow_options import ValidationOptions
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.augmented import augmented_frames
from mdaug.workflows.training.baseline import BaselineChoice, summarize_baselines
from mdaug.workflows.training.committee import committee_members
from mdaug.workflows.training.delta_learning import make_delta_frames, with_delta_frames
from mdaug.workflows.training.hardening import Hardened, harden, n_rounds, plan_of_hardening
from mdaug.workflows.training.network import train_network
from mdaug.workflows.training.outcome import (
    TrainingOutcome,
    describe_outcome,
    scanned_systems,
    training_report,
)
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.records import (
    record_augmented,
    record_choices,
    record_sets,
    recorded_choices,
    system_folder,
)
from mdaug.workflows.training.reference_choice import describe_references, with_isolated_atoms
from mdaug.workflows.training.scan import scan_bond_to_hydrogen
from mdaug.workflows.training.sets import Sets, TrainingCallbacks, kind_of_model
from mdaug.workflows.training.summary import summarize_systems
from mdaug.workflows.training.systems_choice import choose_for_systems


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
    folder, given = Path(folder), config
    pick_device(device)  # before minutes of springs and labels
    systems = prepare_systems(given, callbacks)
    config, references = with_isolated_atoms(given, systems), describe_references(given, systems)
    systems = _with_choices(systems, config, folder, group, device=device, resume=resume)
    _report_choices(systems, references, callbacks)
    record_sets(systems, given, folder, resume=resume)
    deltas = make_delta_frames(
        systems, config, folder, device=device, stage=callbacks.stage, progress=callbacks.part
    )
    group.broadcast("")  # the other processes read the frames now
    systems = with_delta_frames(systems, config, folder)
    record_augmented(systems, folder)
    _report_training(systems, config, callbacks)
    how: dict[str, Any] = {"group": group, "device": device, "resume": resume, "progress": callbacks.epoch}
    training = train_network(systems, config, folder, **how)
    summary = _summary_of(systems, config) | {"reference_energies": references}
    hardened = _hardened(training, systems, config, folder, summary, device=device, stage=callbacks.stage)
    training = training if hardened is None else replace(training, model=hardened.model)
    model, content = folder / "model.pt", _content(training, systems, summary)
    export_model(path=model, **content)
    committee = _train_committee(systems, config, folder, summary, stage=callbacks.stage, **how)
    if committee:
        export_model(path=model, committee=committee, **content)
    tested = _tested(model, systems)
    tests = tuple(errors for errors, _ in tested)
    scanned = scanned_systems(tests)
    which = "" if len(scanned) == len(systems) else f" of {len(scanned)} systems, those of the largest errors"
    callbacks.stage(f"scanning a bond to hydrogen{which}")
    outcome = TrainingOutcome(
        folder,
        systems,
        training,
        tests=tests,
        extrapolations=tuple(extrapolation for _, extrapolation in tested),
        scans=tuple(_scan(sets, systems, folder) if n in scanned else None for n, sets in enumerate(systems)),
        references=references,
        hardened=hardened,
        deltas=tuple(deltas),
    )
    write_json(folder / "results.json", describe_outcome(outcome))
    write_training_report(folder, training_report(outcome))
    explain_folder(folder, "train")
    return outcome


def _tested(model: Path, systems: Sequence[Sets]) -> list[tuple[AccuracyResult | None, FloatArray | None]]:
    """Return the errors on the test frames of each system and their extrapolations, from one evaluation; None
    without frames."""
    predicted = iter(predict_all(model, [sets.test for sets in systems if len(sets.test)]))
    tested: list[tuple[AccuracyResult | None, FloatArray | None]] = []
    for sets in systems:
        if len(sets.test):
            of_system = next(predicted)
            tested.append((errors_of(of_system.labels, sets.test), of_system.extrapolation))
        else:
            tested.append((None, None))
    return tested


def _hardened(
    training: TrainResult,
    systems: Sequence[Sets],
    config: RunConfig,
    folder: Path,
    summary: dict[str, Any],
    *,
    device: str,
    stage: Callable[[str], None],
) -> Hardened | None:
    """Return the model after its rounds of hardening; None for a training without."""
    rounds = n_rounds(systems, config)
    if not rounds:
        return None
    hardened = harden(
        training, systems, config, folder, rounds=rounds, summary=summary, device=device, stage=stage
    )
    stage(f"hardening: {hardened.reason}")
    return hardened


def _train_committee(
    systems: Sequence[Sets],
    config: RunConfig,
    folder: Path,
    summary: dict[str, Any],
    *,
    stage: Callable[[str], None],
    **how: Any,
) -> list[bytes]:
    """Train the other networks of a committee, and return their model files."""
    networks = []
    for place, member in committee_members(config, folder):
        stage(f"committee: training {place.name}")
        place.mkdir(parents=True, exist_ok=True)
        training = train_network(systems, member, place, **how)
        networks.append(model_bytes(**_content(training, systems, summary)))
    return networks


def _content(training: TrainResult, systems: Sequence[Sets], summary: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `model_bytes` for a trained network."""
    frames = [sets.baseline.with_atom_types(sets.all_training) for sets in systems]
    return {
        "model": training.model,
        "training": summary,
        "templates": systems[0].baseline.templates,
        "statistics": last_layer_statistics(training.model, frames),
    }


def _report_choices(systems: Sequence[Sets], references: str, callbacks: TrainingCallbacks) -> None:
    for sets in systems if len(systems) <= MANY_SYSTEMS else ():
        label = f"{sets.label}: " if len(systems) > 1 else ""
        if sets.choice is not None and sets.choice.rule != NO_RULE:  # which was said when none were made
            callbacks.stage(label + sets.choice.reason)
    baseline = summarize_baselines([sets.baseline for sets in systems])
    if baseline["used"]:
        without = f"; none for {some_of(baseline['without'])}" if "without" in baseline else ""
        callbacks.stage(f"baseline: force field of {some_of(baseline['molecules'])}{without}")
    if len(systems) > 1 or systems[0].isolated_atoms:
        callbacks.stage(f"reference energies: {references}")


def _report_training(systems: Sequence[Sets], config: RunConfig, callbacks: TrainingCallbacks) -> None:
    hardening = plan_of_hardening(systems, config)
    if hardening is not None:
        callbacks.stage(hardening)
    n_frames = sum(sets.n_training for sets in systems)
    callbacks.stage(f"training on {n_frames} frames; validation errors E in kcal/mol, F in kcal/mol/Å")


def _summary_of(systems: Sequence[Sets], config: RunConfig) -> dict[str, Any]:
    """Return the summary of the training for the model file."""
    raw, labels = [sets.train for sets in systems], [sets.label for sets in systems]
    augmented = any(sets.augmented is not None for sets in systems)
    return summarize_systems(raw, labels, config.model.cutoff) | {"augmented": augmented}


def _scan(sets: Sets, systems: Sequence[Sets], folder: Path) -> ScanResult | None:
    place = system_folder(folder, sets, systems)
    system = None if len(systems) == 1 else sets.label
    return scan_bond_to_hydrogen(
        folder / "model.pt", place, ValidationOptions(), label=kind_of_model(systems), system=system
    )


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
    systems = prepare_systems(config, TrainingCallbacks())
    config = with_isolated_atoms(config, systems)
    systems = _with_choices(systems, config, folder, group, device=device, resume=resume)
    group.broadcast("")  # the frames by Δ-learning are written
    systems = with_delta_frames(systems, config, folder)
    train_network(systems, config, folder, group=group, device=device, resume=resume)
    for place, member in committee_members(config, folder):
        train_network(systems, member, place, group=group, device=device, resume=resume)


def _with_choices(
    systems: tuple[Sets, ...],
    config: RunConfig,
    folder: Path,
    group: ProcessGroup,
    *,
    device: str,
    resume: bool,
) -> tuple[Sets, ...]:
    """Return the systems with the augmented frames and the baseline that are used; rank zero decides, or its
    records do."""
    text = ""
    if group.is_rank_zero:
        choices = recorded_choices(folder, systems) if resume else None
        if choices is None:
            choices = choose_for_systems(systems, config, device=device)
        record_choices(choices, systems, folder)
        text = json.dumps(
            [[c.augmentation and c.augmentation.to_json(), c.baseline.to_json()] for c in choices]
        )
    records = json.loads(group.broadcast(text))
    return tuple(_with_choice(sets, record, config) for sets, record in zip(systems, records, strict=True))


def _with_choice(sets: Sets, record: tuple[dict[str, Any] | None, dict[str, Any]], config: RunConfig) -> Sets:
    augmentation, baseline = record
    sets = replace(sets, baseline=BaselineChoice.from_json(baseline))
    if augmentation is None or sets.augmentation is None:
        return sets
    chosen = AugmentationChoice.from_json(augmentation)
    frames = augmented_frames(sets.augmentation, sets.train, sets.baseline, config) if chosen.used else None
    return replace(sets, augmented=frames, choice=chosen)
