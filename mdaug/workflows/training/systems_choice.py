"""Decide on baseline and augmented frames for all systems of a training together."""

from collections.abc import Sequence
from dataclasses import replace

from mdaug.errors import DataError
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.baseline import (
    BaselineChoice,
    choose_baseline,
    has_baseline,
    rough_baseline,
)
from mdaug.workflows.training.choice import (
    ComparedSystem,
    Comparison,
    TrainingChoice,
    by_assessment,
    by_comparison,
    choose_training,
    epochs_of_comparison,
)
from mdaug.workflows.training.sets import Sets
from mdaug.workflows.training.shared_baselines import shared_baselines


def choose_for_systems(
    systems: Sequence[Sets], config: RunConfig, *, device: str = "auto"
) -> list[TrainingChoice]:
    """Decide for each system about augmented frames, and for all together about a baseline.

    Labels are assessed for each system; the comparisons are short trainings on all systems together. Those
    systems have a baseline whose force-matched field can be one.

    Parameters
    ----------
    systems
        The systems, at least one.
    config
        Settings of the training.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    DataError
        The settings ask for a baseline, and the force-matched field of a system cannot be one.
    """
    if len(systems) == 1:
        sets = systems[0]
        return [choose_training(sets.augmentation, sets.train, sets.validation, config, device=device)]
    baselines = shared_baselines(
        _own_baselines(systems, config),
        systems,
        must_have=config.model.baseline == "force-field",
    )
    assessed = [
        None if sets.augmentation is None else by_assessment(sets.augmentation, config) for sets in systems
    ]
    choices = [TrainingChoice(*each) for each in zip(assessed, baselines, strict=True)]
    any_used = any(choice is not None and choice.used for choice in assessed)
    if config.augment.rule != "force-matched" or not any_used:
        return choices
    epochs, why_not = epochs_of_comparison(sum(len(sets.train) for sets in systems), config)
    if why_not is not None:
        return [
            TrainingChoice(choice and replace(choice, reason=f"{choice.reason}; {why_not}"), baseline)
            for choice, baseline in choices
        ]
    compared = [
        ComparedSystem(
            sets.train, sets.validation, sets.augmentation if own is not None and own.used else None, baseline
        )
        for sets, (own, baseline) in zip(systems, choices, strict=True)
    ]
    return _compared(Comparison(compared, config, epochs, device), assessed)


def _own_baselines(systems: Sequence[Sets], config: RunConfig) -> list[BaselineChoice]:
    """Return the baseline of each system; where some have one, others have one from an inaccurate field."""
    own = [_own_baseline(sets, config) for sets in systems]
    if not has_baseline(own):
        return own
    return [
        choice if choice.used else rough_baseline(sets.augmentation, sets.train, config) or choice
        for choice, sets in zip(own, systems, strict=True)
    ]


def _own_baseline(sets: Sets, config: RunConfig) -> BaselineChoice:
    """Return the baseline of one system; an error names the system."""
    try:
        return choose_baseline(sets.augmentation, sets.train, config)
    except DataError as error:
        raise DataError(f"{sets.label}: {error}") from error


def _compared(compared: Comparison, assessed: Sequence[AugmentationChoice | None]) -> list[TrainingChoice]:
    """Return the first of the recommended ways to train that does no harm to the errors of all systems."""
    n_sound = sum(system.augmentation is not None for system in compared.systems)
    reason = f"the force fields of {n_sound} of {len(compared.systems)} systems are sound"
    joint = AugmentationChoice(True, reason, "force-matched")
    must_have = compared.config.model.baseline == "force-field"
    baselines = [system.baseline for system in compared.systems]
    one = next((baseline for baseline in baselines if baseline.used), baselines[0])
    augmentation, baseline = by_comparison(compared, joint, one, must_have_baseline=must_have)
    assert augmentation is not None
    choices = []
    for own, system in zip(assessed, compared.systems, strict=True):
        judged = own
        if own is not None and own.used:
            judged = replace(
                augmentation,
                reason=f"{own.reason}; {augmentation.reason}",
                verdicts=own.verdicts,
                changed=own.changed,
            )
        choices.append(TrainingChoice(judged, system.baseline if baseline.used else baseline))
    return choices
