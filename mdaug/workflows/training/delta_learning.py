"""Δ-learning: more training frames, labeled by a low-level method and a network of its errors.

The network of a training has to learn what the baseline M leaves of the reference method E, from as many
frames as there are. A low-level method X, of which a frame costs milliseconds, leaves nearly the same beside
its own force-matched field M_X. So a first network learns the smaller (E - M) - (X - M_X) from the training
frames. MD of M plus this network gives more frames of the molecule; their labels are M plus the network plus
X - M_X. The model is trained on these beside the frames of the data, and costs as much as any other.

Without a baseline M and M_X are zero, and MD is of X plus the network.

Δ-learning: doi.org/10.1021/acs.jctc.5b00099.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.mixing import SumCalculator

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.predictions import predict
from mdaug.data import write_extxyz
from mdaug.deployment import export_model
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.md import DynamicsOptions
from mdaug.options import MANY_SYSTEMS
from mdaug.workflows.dynamics import ModelRun, new_run
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.settings.delta_options import DeltaSettings
from mdaug.workflows.training.augmented import augmented_frames
from mdaug.workflows.training.baseline import present_templates
from mdaug.workflows.training.delta_choice import (
    SHARE_OF_EPOCHS,
    DeltaChoice,
    assess,
    fitted_method,
    mean_force_kcal_mol_A,
    numbers_wanted,
    record_delta,
    recorded_delta,
)
from mdaug.workflows.training.delta_frames import FOLDER, FRAMES, recorded_frames
from mdaug.workflows.training.low_level import LowLevel
from mdaug.workflows.training.network import train_network
from mdaug.workflows.training.records import system_folder
from mdaug.workflows.training.sets import Sets
from mdaug.workflows.training.short_runs import TIMESTEP_FS, short_langevin, visited
from mdaug.workflows.training.summary import summarize_systems

N_STARTS, LEFT_OUT_FS = 8, 500.0
"""Runs at each temperature, each from another training frame; and the start of each, from which no frame is
taken."""

FRAMES_EVERY, FRAMES_EVERY_OF_METHOD = 80, 20
"""Steps between two frames that are taken: in MD of a model, and in MD of the method, a step of which takes
milliseconds."""

NO_FRAMES = "all runs of MD ended at once, or none of their frames could be labeled"
"""Reason why Δ-learning that was to be used is not."""

HIGHEST = 3.0
"""Largest energy of a frame above the lowest of the data, over the range of energies of the data times the
highest of the temperatures."""


@dataclass(frozen=True)
class DeltaLabels:
    """Labels by a low-level method and the network of its errors, at the level of the reference method.

    Parameters
    ----------
    method
        The low-level method.
    model
        The model.pt of the baseline and the network of differences.
    """

    method: LowLevel
    model: Path

    def label(
        self, frames: FrameSet, progress: Callable[[int, int], None] = ignore
    ) -> tuple[FrameSet, IntArray]:
        """Return frames with their labels, and their numbers among the given ones; those that fail are left
        out.

        Parameters
        ----------
        frames
            Frames of the molecule, whose labels are not read.
        progress
            Called with the numbers of frames done and in all.
        """
        residual, kept = self.method.residual(frames, progress)
        energies, forces = predict(self.model, residual)
        return replace(residual, energies=residual.energies + energies, forces=residual.forces + forces), kept


def recorded_labels(sets: Sets, systems: Sequence[Sets], config: RunConfig, folder: Path) -> DeltaLabels:
    """Return what labeled the frames that `make_delta_frames` recorded; its field is fitted again.

    Parameters
    ----------
    sets
        Frames of the system.
    systems
        All systems of the training.
    config
        Settings of the training.
    folder
        Its run folder.

    Raises
    ------
    DataError, MissingDependencyError
        The record is damaged, or its method cannot be used any more.
    """
    place = system_folder(folder, sets, systems) / FOLDER
    choice = recorded_delta(place)
    assert choice is not None  # written after the frames
    return DeltaLabels(fitted_method(choice.method, sets, config, place), folder / FOLDER / "model.pt")


def make_delta_frames(
    systems: Sequence[Sets],
    config: RunConfig,
    folder: Path,
    *,
    device: str,
    stage: Callable[[str], None],
    progress: Progress,
) -> list[DeltaChoice]:
    """Make the frames of each system for which Δ-learning is used, and record them and the choices.

    What a stopped run has finished is not computed again.

    Parameters
    ----------
    systems
        Frames and baseline of each system.
    config
        Settings of the training.
    folder
        Its run folder.
    device
        ``auto``, ``cpu`` or ``cuda``.
    stage
        Called with a line of text at each stage.
    progress
        Called with the name of a part and the numbers of items done and in all.

    Raises
    ------
    DataError, MissingDependencyError
        The settings name a method that cannot be used.
    """
    places = [system_folder(folder, sets, systems) / FOLDER for sets in systems]
    recorded = [choice for place in places if (choice := recorded_delta(place)) is not None]
    if len(recorded) == len(systems):
        _report(recorded, systems, stage)
        return recorded
    assessed = [
        assess(sets, systems, config, place, progress) for sets, place in zip(systems, places, strict=True)
    ]
    choices = [choice for choice, _ in assessed]
    _report(choices, systems, stage)
    methods = {n: method for n, (_, method) in enumerate(assessed) if method is not None}
    if methods:
        differences = [_differences(systems[n], method) for n, method in methods.items()]
        model, force_maes = _difference_network(differences, config, folder / FOLDER, device, progress)
        wanted = numbers_wanted([systems[n] for n in methods], config.delta)
        of_systems = zip(methods.items(), force_maes, wanted, strict=True)
        for (n, method), force_mae, n_frames in of_systems:
            labels = DeltaLabels(method, model)
            made, n_left_out = _made(systems[n], labels, n_frames, config.delta, progress)
            choice = replace(choices[n], force_mae_network_kcal_mol_A=force_mae, n_left_out=n_left_out)
            choices[n] = _with_number(choice, made)
            if len(made):
                write_extxyz(made, places[n] / FRAMES)
            if len(systems) <= MANY_SYSTEMS:
                stage(f"Δ-learning: {len(made)} frames" if len(made) else choices[n].reason)
    for place, choice in zip(places, choices, strict=True):
        record_delta(choice, place)
    return choices


def _with_number(choice: DeltaChoice, made: FrameSet) -> DeltaChoice:
    """Return a choice with the number of frames that were made; without any Δ-learning is not used."""
    if not len(made):
        return replace(choice, used=False, reason=f"no Δ-learning: {NO_FRAMES}")
    return replace(choice, n_frames=len(made))


def with_delta_frames(systems: Sequence[Sets], config: RunConfig, folder: Path) -> tuple[Sets, ...]:
    """Return the systems with the frames that `make_delta_frames` recorded, and with more augmented frames.

    Parameters
    ----------
    systems
        The systems.
    config
        Settings of the training.
    folder
        The run folder.
    """
    return tuple(
        _with_frames(sets, config, system_folder(folder, sets, systems) / FOLDER) for sets in systems
    )


def _with_frames(sets: Sets, config: RunConfig, place: Path) -> Sets:
    frames = recorded_frames(place, sets.train.temperature_K)
    if frames is None:
        return sets
    sets = replace(sets, delta=frames, n_without_delta=sets.n_training)
    if sets.augmented is None or sets.augmentation is None:
        return sets
    augmented = augmented_frames(sets.augmentation, sets.train, sets.baseline, config, n_delta=len(frames))
    return replace(sets, augmented=augmented)


def _report(choices: Sequence[DeltaChoice], systems: Sequence[Sets], stage: Callable[[str], None]) -> None:
    if len(systems) > MANY_SYSTEMS:
        n_used = sum(choice.used for choice in choices)
        if n_used or any(choice.reason for choice in choices):
            stage(f"Δ-learning is used for {n_used} of {len(systems)} systems; delta.json of each says why")
        return
    for choice, sets in zip(choices, systems, strict=True):
        if choice.reason:
            stage(f"{sets.label}: {choice.reason}" if len(systems) > 1 else choice.reason)


def _differences(sets: Sets, method: LowLevel) -> Sets:
    """Return the frames of the data less X - M_X."""
    return replace(
        sets,
        train=_less(sets.train, method),
        validation=_less(sets.validation, method),
        augmented=None,
        explored=None,
    )


def _less(frames: FrameSet, method: LowLevel) -> FrameSet:
    residual, kept = method.residual(frames, ignore)
    reference = frames.select(kept)
    return replace(
        reference,
        energies=reference.energies - residual.energies,
        forces=reference.forces - residual.forces,
        stresses=None,
    )


def _difference_network(
    systems: Sequence[Sets], config: RunConfig, folder: Path, device: str, progress: Progress
) -> tuple[Path, list[float]]:
    """Train the network of differences; return its model file and its force MAE on each system's validation
    frames, kcal/mol/Å. It has no prior: close atoms repel each other in both methods."""
    folder.mkdir(parents=True, exist_ok=True)
    result = train_network(
        systems,
        config.model_copy(update={"model": config.model.model_copy(update={"prior": "none"})}),
        folder,
        share=SHARE_OF_EPOCHS,
        device=device,
        resume=True,
        progress=lambda state: progress("Δ-learning", state.epoch, state.n_epochs),
    )
    summary = summarize_systems(
        [sets.train for sets in systems], [sets.label for sets in systems], config.model.cutoff
    )
    templates = present_templates([sets.baseline for sets in systems])
    model = export_model(result.model, folder / "model.pt", training=summary, templates=templates)
    errors = [predict(model, sets.validation)[1] - sets.validation.forces for sets in systems]
    return model, [mean_force_kcal_mol_A(each) for each in errors]


def _made(
    sets: Sets, labels: DeltaLabels, n_frames: int, settings: DeltaSettings, progress: Progress
) -> tuple[FrameSet, int]:
    """Return labeled frames from MD, and the number of those left out."""
    train = sets.train
    positions = _sampled(sets, labels, n_frames, settings, progress)
    if not len(positions):
        return train.select(slice(0)), 0
    unlabeled = replace(
        train.select(np.zeros(len(positions), dtype=np.int64)),
        positions=positions,
        group=np.arange(len(positions)),
        weights=np.full(len(positions), settings.weight),
        stresses=None,
        info={},
        name=f"{train.name}, Δ-learning",
    )
    labeled, _ = labels.label(unlabeled, partial(progress, f"{labels.method.name} of more frames"))
    lowest, highest = train.energies.min(), train.energies.max()
    low = np.flatnonzero(
        labeled.energies - lowest <= HIGHEST * max(settings.temperatures) * (highest - lowest)
    )
    return labeled.select(low), len(positions) - len(low)


def _sampled(
    sets: Sets, labels: DeltaLabels, n_frames: int, settings: DeltaSettings, progress: Progress
) -> FloatArray:
    """Return positions (n_sampled, n_atoms, 3), Å, from MD, each run from a training frame."""
    kelvin = sets.train.temperature_K
    assert kelvin is not None  # or there is no Δ-learning
    runs = [(factor, n) for factor in settings.temperatures for n in range(N_STARTS)]
    each = -(-n_frames // len(runs))
    every = FRAMES_EVERY if sets.baseline.used else FRAMES_EVERY_OF_METHOD
    left_out = round(LEFT_OUT_FS / TIMESTEP_FS / every)
    rng = np.random.default_rng(settings.seed)
    starts = rng.integers(len(sets.train), size=len(runs))
    parts = []
    for done, ((factor, n), start) in enumerate(zip(runs, starts, strict=True)):
        options = short_langevin(factor * kelvin, every * (left_out + each), every, settings.seed + n)
        atoms = Atoms(sets.train.atomic_numbers, sets.train.positions[start])
        _, (positions,) = visited(_run_of(labels, atoms, options))
        parts.append(positions[left_out:][-each:])
        progress("MD for Δ-learning", done + 1, len(runs))
    together = np.concatenate(parts)
    return together[np.linspace(0, len(together) - 1, min(n_frames, len(together))).round().astype(np.int64)]


def _run_of(labels: DeltaLabels, start: Atoms, options: DynamicsOptions) -> ModelRun:
    """Return MD of the baseline and the network of differences; without a baseline, of the method and that
    network."""
    if labels.method.field is not None:
        return new_run(labels.model, start, options)
    parts = [labels.method.calculator, MDAugCalculator(labels.model, strict=None)]
    both = cast(Calculator, SumCalculator(parts))  # of another base class, with the same methods
    return ModelRun(start, both, options, {"engine": "ase"}, resume=False)
