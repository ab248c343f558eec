"""Hardening: hot MD of a trained model finds spurious minima, and the training goes on with them.

After a training replicas run at several times the temperature of the frames, from validation frames. Visited
geometries whose energy is below that of the force-matched field by more than this field's own error are
labeled by it and trained on from the present weights. After Δ-learning the low-level method and its network
of differences judge and label them, too, and only what they confirm is trained on. Rounds end when nothing
is found. Of several systems the molecules are searched one by one, and the training goes on with what was
found of all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from mdaug.augmentation.explored import sound_field
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.deployment import export_model
from mdaug.errors import DataError
from mdaug.frames import FrameSet, as_frames, join_frames
from mdaug.geometry.molecules import count_molecules
from mdaug.models import SchNet
from mdaug.training import TrainResult, train
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.baseline import network_options
from mdaug.workflows.training.delta_learning import recorded_labels
from mdaug.workflows.training.hot_runs import HotRuns, Relabel, Search
from mdaug.workflows.training.network import n_steps, training_options
from mdaug.workflows.training.records import system_folder
from mdaug.workflows.training.sets import Sets
from mdaug.workflows.training.short_runs import why_no_md

FOLDER = "hardening"
"""Folder of the rounds in the run folder of a training."""

EPOCHS_OVER_A_ROUND = 5
"""Epochs of the training over those of a round."""

LOWER_RATE = 0.3
"""Factor on the learning rate of a round."""

DEFAULT_ROUNDS, LEAST_STEPS = 2, 8000
"""Rounds where none are set, and the shortest training that has them: a round without findings then takes at
most a third of the time of the training. (Ethanol, one core of a busy machine: 44 of 216 seconds.)"""

WORSE = 1.2
"""Largest validation force MAE after a round, over that before it, for its weights to be kept. A spurious
minimum that MD reaches is the larger harm. (Two waters: 90 frames as deep as 231 kcal/mol; force MAE 0.067
kcal/mol/Å before and 0.070 after.)"""


@dataclass(frozen=True)
class Round:
    """One round of hardening.

    Parameters
    ----------
    runs
        Runs of each system at each temperature.
    n_trained_on
        Frames in spurious minima that were trained on.
    force_mae_before_kcal_mol_A, force_mae_after_kcal_mol_A
        Force MAE of the validation frames before and after the training; None where nothing was found.
    kept
        Whether the weights after the round are used.
    """

    runs: tuple[HotRuns, ...]
    n_trained_on: int = 0
    force_mae_before_kcal_mol_A: float | None = None
    force_mae_after_kcal_mol_A: float | None = None
    kept: bool = False


@dataclass(frozen=True)
class Hardened:
    """The model after hardening.

    Parameters
    ----------
    model
        The model.
    rounds
        What was done.
    reason
        Why there was no hardening, or why it ended.
    """

    model: SchNet
    rounds: tuple[Round, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return ``"hardening"`` of results.json."""
        return {"reason": self.reason, "rounds": [asdict(each) for each in self.rounds]}


def n_rounds(systems: Sequence[Sets], config: RunConfig) -> int:
    """Return the number of rounds that is set, or the default for these frames and this training.

    Parameters
    ----------
    systems
        Frames of each system.
    config
        Settings of the training.
    """
    if config.hardening.rounds is not None:
        return config.hardening.rounds
    long_enough = n_steps(systems, config) >= LEAST_STEPS
    return DEFAULT_ROUNDS if long_enough and any(map(_has_labeling_field, systems)) else 0


def _has_labeling_field(sets: Sets) -> bool:
    """Whether the frames are of molecules with augmented frames, labeled by a sound force field."""
    has_field = sets.augmentation is not None and sets.augmentation.field is not None
    return sets.augmented is not None and has_field and not sets.train.periodic


def plan_of_hardening(systems: Sequence[Sets], config: RunConfig) -> str | None:
    """Return a sentence on the hardening that follows a training; None where nobody would expect any.

    Parameters
    ----------
    systems, config
        As for `n_rounds`.
    """
    if not n_rounds(systems, config):
        if config.hardening.rounds == 0 or (len(systems) == 1 and not _has_labeling_field(systems[0])):
            return None
        return (
            f"no hardening: it is for molecules with augmented frames in {LEAST_STEPS} steps or more; "
            "--harden N sets it"
        )
    reasons = {sets.label: _why_not(sets, config) for sets in systems}
    searched = ", ".join(label for label, reason in reasons.items() if reason is None)
    left_out = "; ".join(f"{label} is left out: {reason}" for label, reason in reasons.items() if reason)
    if not searched:
        return f"no hardening: {left_out}"
    return f"after the training: hardening of {searched}" + f" ({left_out})" * bool(left_out)


def harden(
    training: TrainResult,
    systems: Sequence[Sets],
    config: RunConfig,
    folder: Path,
    *,
    rounds: int,
    summary: dict[str, Any],
    device: str = "auto",
    stage: Callable[[str], None],
) -> Hardened:
    """Search a trained model for spurious minima and train on them, for a number of rounds.

    Each round has a folder, and a finished part of it is not computed again.

    Parameters
    ----------
    training
        The finished training.
    systems
        Frames of each system. Those that are periodic or have no sound force field are not searched.
    config
        Its settings.
    folder
        Its run folder.
    rounds
        Most rounds.
    summary
        Record of the training frames for the model files.
    device
        ``auto``, ``cpu`` or ``cuda``.
    stage
        Called with a line of text at each stage.
    """
    fields, failures = _fields(systems, config)
    if not fields:
        return Hardened(training.model, (), f"no hardening: {'; '.join(failures)}")
    relabel = {
        sets.label: _relabel(sets, systems, config, folder) for sets in systems if sets.label in fields
    }
    work = _Hardening(systems, config, device, stage, fields, relabel)
    model, before = training.model, _validation_force_mae(training)
    done: list[Round] = []
    frames = {sets.label: sets.all_training for sets in systems}
    for number in range(1, rounds + 1):
        place = folder / FOLDER / f"round-{number}"
        place.mkdir(parents=True, exist_ok=True)
        templates = systems[0].baseline.templates
        path = export_model(model, place / "model.pt", training=summary, templates=templates)
        runs, in_minima = work.search(path, number)
        if not in_minima:
            return Hardened(model, (*done, Round(runs)), _nothing_found(number, runs))
        n_frames = sum(map(len, in_minima.values()))
        stage(f"round {number}: training on {n_frames} frames in spurious minima")
        for label, explored in in_minima.items():
            frames[label] = join_frames([frames[label], explored])
        result = work.train_on(model, list(frames.values()), place)
        after = _validation_force_mae(result)
        done.append(Round(runs, n_frames, before, after, kept=after <= WORSE * before))
        if not done[-1].kept:
            return Hardened(model, tuple(done), _not_kept(number, done[-1]))
        model, before = result.model, after
    which = "the only round" if len(done) == 1 else f"all {len(done)} rounds"
    return Hardened(model, tuple(done), f"{which} found spurious minima")


@dataclass(frozen=True)
class _Hardening:
    """What the rounds of a hardening have in common: frames, settings, and by label the force-matched fields
    of the systems that are searched and what labels their frames better."""

    systems: Sequence[Sets]
    config: RunConfig
    device: str
    stage: Callable[[str], None]
    fields: Mapping[str, ForceField]
    relabel: Mapping[str, Relabel | None]

    def search(self, model: Path, number: int) -> tuple[tuple[HotRuns, ...], dict[str, FrameSet]]:
        """Return the runs of all systems with a field, and by label the frames in spurious minima of each."""
        runs: list[HotRuns] = []
        in_minima: dict[str, FrameSet] = {}
        for sets in self.systems:
            if sets.label not in self.fields:
                continue
            prefix = f"round {number}: " + (f"{sets.label}, " if len(self.systems) > 1 else "")
            search = Search(
                self.fields[sets.label],
                sets.train,
                sets.validation if len(sets.validation) else sets.train,
                self.config.hardening,
                _prefixed(self.stage, prefix),
                sets.label,
                self.relabel[sets.label],
            )
            place = system_folder(model.parent, sets, self.systems)
            place.mkdir(parents=True, exist_ok=True)
            own_runs, explored = search.run(model, number, place)
            runs += own_runs
            if explored is not None:
                in_minima[sets.label] = explored
        return tuple(runs), in_minima

    def train_on(self, model: SchNet, frames: Sequence[FrameSet], place: Path) -> TrainResult:
        """Go on with the training from the present weights, on the given frames of each system."""
        baselines = [sets.baseline for sets in self.systems]
        options = training_options(self.systems, self.config)
        epochs = self.config.hardening.epochs or max(1, options.n_epochs // EPOCHS_OVER_A_ROUND)
        rate = LOWER_RATE * options.rate
        held_out = [sets for sets in self.systems if len(sets.validation)]
        return train(
            as_frames([one.subtract(own) for one, own in zip(baselines, frames, strict=True)]),
            as_frames([sets.baseline.subtract(sets.validation) for sets in held_out]),
            network_options(baselines, self.config),
            options.model_copy(update={"epochs": epochs, "learning_rate": rate}),
            place,
            device=self.device,
            resume=True,
            initial=model,
        )


def _relabel(sets: Sets, systems: Sequence[Sets], config: RunConfig, folder: Path) -> Relabel | None:
    """Return what gives frames the labels of Δ-learning; None without. Its field is fitted at the first use,
    which most rounds do not need.

    Between several molecules the network of differences is as arbitrary as the model, and confirms its
    spurious minima: there the field decides.
    """
    if sets.delta is None or count_molecules(sets.train) > 1:
        return None
    labels = cache(partial(recorded_labels, sets, systems, config, folder))
    return lambda frames: labels().label(frames)


def _fields(systems: Sequence[Sets], config: RunConfig) -> tuple[dict[str, ForceField], list[str]]:
    """Return by label the fields that decide what is a spurious minimum, and why systems have none."""
    fields, failures = {}, []
    for sets in systems:
        try:
            fields[sets.label] = _field(sets, config)
        except DataError as error:
            failures.append(str(error))
    return fields, failures


def _why_not(sets: Sets, config: RunConfig) -> str | None:
    """Return why a system is not searched, as far as is known without a fit; None if it is."""
    no_md = why_no_md(sets, "hardening")
    if no_md is not None:
        return no_md
    if config.hardening.rounds is None and not _has_labeling_field(sets):
        return "it has no augmented frames with labels of a sound force field"
    return None


def _field(sets: Sets, config: RunConfig) -> ForceField:
    """Return the field that decides what is a spurious minimum, or raise DataError with the reason."""
    why_not = _why_not(sets, config)
    if why_not is not None:
        raise DataError(f"{sets.train.name}: {why_not}")
    if sets.augmentation is not None and sets.augmentation.field is not None:
        return sets.augmentation.field  # fitted to the same frames, and assessed
    return sound_field(sets.train, config.model.cutoff)


def _nothing_found(number: int, runs: tuple[HotRuns, ...]) -> str:
    text, n_early = f"round {number} found no spurious minimum", sum(each.n_ended_early for each in runs)
    if not n_early:
        return text
    why = next(why for each in runs for why in each.stopped_because if why)
    n_runs = sum(len(each.completed_ps) for each in runs)
    return f"{text}, although {n_early} of {n_runs} runs ended early ({why})"


def _not_kept(number: int, last: Round) -> str:
    return (
        f"round {number} raised the validation force MAE from {last.force_mae_before_kcal_mol_A:.3g} to "
        f"{last.force_mae_after_kcal_mol_A:.3g} kcal/mol/Å, so the model before it is kept, with the "
        "spurious minima that the round found"
    )


def _validation_force_mae(result: TrainResult) -> float:
    return result.history.epochs[result.best_epoch - 1].validation_force_mae_kcal_mol_A


def _prefixed(stage: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda text: stage(prefix + text)
