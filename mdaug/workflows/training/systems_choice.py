"""Decide on baseline and augmented frames for all systems of a training together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mdaug.errors import DataError
from mdaug.frames import IntArray
from mdaug.geometry.matching import MoleculeGraph, match_molecules
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.baseline import BaselineChoice, choose_baseline
from mdaug.workflows.training.baseline_templates import number_atom_types
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


def choose_for_systems(
    systems: Sequence[Sets], config: RunConfig, *, device: str = "auto"
) -> list[TrainingChoice]:
    """Decide for each system about augmented frames, and for all together about a baseline.

    Labels are assessed for each system; the comparisons are short trainings on all systems together. A model
    has a baseline if the force-matched fields of all its systems can be one.

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
        [_own_baseline(sets, config) for sets in systems],
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


def _own_baseline(sets: Sets, config: RunConfig) -> BaselineChoice:
    """Return the baseline of one system; an error names the system."""
    try:
        return choose_baseline(sets.augmentation, sets.train, config)
    except DataError as error:
        raise DataError(f"{sets.label}: {error}") from error


def shared_baselines(
    own: Sequence[BaselineChoice], systems: Sequence[Sets], *, must_have: bool = False
) -> list[BaselineChoice]:
    """Return baselines with the same templates for all systems; none if one of the systems has none.

    Molecules of several systems have one template: that of the system with most of them.

    Parameters
    ----------
    own
        The baseline of each system.
    systems
        The systems.
    must_have
        Refuse systems without a baseline.

    Raises
    ------
    DataError
        `must_have`, and the molecules of a system cannot be matched.
    """
    missing = next((n for n, choice in enumerate(own) if not choice.used), None)
    if missing is not None:
        label = f"{systems[missing].label}: " if own[missing].reason != own[missing - 1].reason else ""
        return [BaselineChoice(False, f"{label}{own[missing].reason}")] * len(own)
    pool = number_atom_types(_pooled_templates(own, [len(sets.train) for sets in systems]))
    graphs = [MoleculeGraph(template.atomic_numbers, template.bonds) for template in pool]
    shared = []
    for choice, sets in zip(own, systems, strict=True):
        molecules = match_molecules(sets.train.atomic_numbers, _bonds(choice), graphs)
        if molecules is None:
            reason = f"{sets.label}: not every molecule has the bonds of a template"
            if must_have:
                raise DataError(f'model.baseline = "force-field": {reason}; set it to "auto" or "none"')
            return [BaselineChoice(False, reason)] * len(own)
        shared.append(replace(choice, templates=pool, molecules=tuple(molecules)))
    return shared


def _pooled_templates(own: Sequence[BaselineChoice], n_frames: Sequence[int]) -> list[MoleculeTemplate]:
    """Return one template for each kind of molecule: the one that was fitted to most molecules."""
    candidates = [
        (len(atoms) * n, template)
        for choice, n in zip(own, n_frames, strict=True)
        for template, atoms in zip(choice.templates, choice.molecules, strict=True)
    ]
    order = sorted(range(len(candidates)), key=lambda n: -candidates[n][0])
    kept: list[int] = []
    for n in order:
        template = candidates[n][1]
        graphs = [MoleculeGraph(candidates[k][1].atomic_numbers, candidates[k][1].bonds) for k in kept]
        if not graphs or match_molecules(template.atomic_numbers, template.bonds, graphs) is None:
            kept.append(n)
    return [candidates[n][1] for n in sorted(kept)]


def _bonds(choice: BaselineChoice) -> IntArray:
    """Return the bonds (n_bonds, 2) of all molecules of a system."""
    bonds = [
        atoms[:, template.bonds].reshape(-1, 2)
        for template, atoms in zip(choice.templates, choice.molecules, strict=True)
    ]
    return np.concatenate(bonds)


def _compared(compared: Comparison, assessed: Sequence[AugmentationChoice | None]) -> list[TrainingChoice]:
    """Return the first of the recommended ways to train that does no harm to the errors of all systems."""
    n_sound = sum(system.augmentation is not None for system in compared.systems)
    reason = f"the force fields of {n_sound} of {len(compared.systems)} systems are sound"
    joint = AugmentationChoice(True, reason, "force-matched")
    must_have = compared.config.model.baseline == "force-field"
    augmentation, baseline = by_comparison(
        compared, joint, compared.systems[0].baseline, must_have_baseline=must_have
    )
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
