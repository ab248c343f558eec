"""Hardening: hot MD of a trained model finds spurious minima, and the training goes on with them.

After a training replicas run at several times the temperature of the frames, from validation frames. Visited
geometries whose energy is below that of the force-matched field by more than this field's own error are
labeled by it and trained on from the present weights. Rounds end when nothing is found.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mdaug.augmentation.explored import sound_field
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.deployment import export_model
from mdaug.errors import DataError
from mdaug.frames import FrameSet, join_frames
from mdaug.models import SchNet
from mdaug.training import TrainResult, train
from mdaug.workflows.config import RunConfig
from mdaug.workflows.hot_runs import HotRuns, Search
from mdaug.workflows.training_sets import Sets

FOLDER = "hardening"

SHARE_OF_EPOCHS = 5
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
        At each temperature.
    n_trained_on
        Frames in spurious minima that were trained on.
    force_mae_before_kcal_mol_A, force_mae_after_kcal_mol_A
        Of the validation frames; None where nothing was found.
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


def n_rounds(config: RunConfig, systems: Sequence[Sets], training: TrainResult) -> int:
    """Return the number of rounds that is set, or the default for these frames and this training.

    Parameters
    ----------
    config
        Settings of the training.
    systems
        Frames of each system.
    training
        The finished training.
    """
    if config.hardening.rounds is not None:
        return config.hardening.rounds
    sets = systems[0]
    steps_per_epoch = -(-len(sets.all_training) // config.training.batch_size)
    long_enough = len(training.history.epochs) * steps_per_epoch >= LEAST_STEPS
    labeled = (
        sets.augmented is not None and sets.augmentation is not None and sets.augmentation.field is not None
    )
    is_molecule = len(systems) == 1 and not sets.train.periodic
    return DEFAULT_ROUNDS if long_enough and labeled and is_molecule else 0


def harden(
    training: TrainResult,
    sets: Sets,
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
    sets
        Its frames.
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
    model, before = training.model, _validation_force_mae(training)
    try:
        field = _field(sets, config)
    except DataError as error:
        return Hardened(model, (), f"no hardening: {error}")
    done: list[Round] = []
    found: list[FrameSet] = []
    for number in range(1, rounds + 1):
        place = folder / FOLDER / f"round-{number}"
        place.mkdir(parents=True, exist_ok=True)
        path = export_model(model, place / "model.pt", training=summary, templates=sets.baseline.templates)
        search = Search(
            field, sets.train, sets.validation, config.hardening, _prefixed(stage, f"round {number}: ")
        )
        runs, explored = search.run(path, number)
        if explored is None:
            return Hardened(model, (*done, Round(runs)), _nothing_found(number, runs))
        stage(f"round {number}: training on {len(explored)} frames in spurious minima")
        found.append(explored)
        result = _train_on(model, join_frames([sets.all_training, *found]), sets, config, place, device)
        after = _validation_force_mae(result)
        done.append(Round(runs, len(explored), before, after, kept=after <= WORSE * before))
        if not done[-1].kept:
            return Hardened(model, tuple(done), _not_kept(number, done[-1]))
        model, before = result.model, after
    return Hardened(model, tuple(done), f"all {len(done)} rounds found spurious minima")


def _field(sets: Sets, config: RunConfig) -> ForceField:
    """Return the field that decides what is a spurious minimum, or raise DataError with the reason."""
    if sets.train.periodic:
        raise DataError(f"{sets.train.name}: the frames have a cell, and hardening is for molecules")
    if sets.train.temperature_K is None:
        raise DataError(f"{sets.train.name}: the temperature of the frames is not known; give --temperature")
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


def _train_on(  # noqa: PLR0917
    model: SchNet, frames: FrameSet, sets: Sets, config: RunConfig, place: Path, device: str
) -> TrainResult:
    """Go on with the training from the present weights."""
    options = sets.baseline.training_options(config.training, len(sets.all_training))
    epochs = config.hardening.epochs or max(1, options.n_epochs // SHARE_OF_EPOCHS)
    rate = LOWER_RATE * options.learning_rate
    return train(
        sets.baseline.subtract(frames),
        sets.baseline.subtract(sets.validation),
        sets.baseline.network_options(config.model),
        options.model_copy(update={"epochs": epochs, "learning_rate": rate}),
        place,
        device=device,
        resume=True,
        initial=model,
    )
