"""One baseline for all systems of a training: templates in common, those of some molecules without energy."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mdaug.errors import DataError
from mdaug.frames import IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.matching import MoleculeGraph, match_molecules
from mdaug.geometry.molecules import frame_bonds
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.workflows.training.baseline import BaselineChoice
from mdaug.workflows.training.baseline_templates import (
    is_known,
    number_atom_types,
    templates_without_energy,
)
from mdaug.workflows.training.sets import Sets

MOST_FRAMES = 100
"""Frames of a system whose bonds are searched for other molecules, evenly spaced."""


def shared_baselines(
    own: Sequence[BaselineChoice], systems: Sequence[Sets], *, must_have: bool = False
) -> list[BaselineChoice]:
    """Return baselines with the same templates for all systems.

    Molecules of several systems have one template: that of the system with most of them. The molecules of
    systems whose field cannot be a baseline have templates without energy, by which a structure is known to
    be one of them: there the network stands alone. None has a baseline if the molecules of a system are not
    distinguished from their images, as in a crystal, or if its bonds change so that some frames are made of
    molecules with energy.

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
    if not any(choice.used for choice in own):
        return _none([f"{_label(own, systems)}{own[0].reason}"] * len(own))
    try:
        pool = number_atom_types(_pooled_templates(own, systems))
        molecules = _molecules(own, systems, pool)
    except DataError as error:
        if must_have:
            message = f'model.baseline = "force-field": {error}; set it to "auto" or "none"'
            raise DataError(message) from error
        return _none([str(error)] * len(own))
    cutoff = next(choice.cutoff for choice in own if choice.used)
    return [
        replace(choice, used=_has_energy(pool, of_system), templates=pool, molecules=of_system, cutoff=cutoff)
        for choice, of_system in zip(own, molecules, strict=True)
    ]


def _none(reasons: Sequence[str]) -> list[BaselineChoice]:
    return [BaselineChoice(False, reason) for reason in reasons]


def _label(own: Sequence[BaselineChoice], systems: Sequence[Sets]) -> str:
    """Return the name of the first system if the reasons of the systems differ."""
    return "" if len({choice.reason for choice in own}) == 1 else f"{systems[0].label}: "


def _pooled_templates(own: Sequence[BaselineChoice], systems: Sequence[Sets]) -> list[MoleculeTemplate]:
    """Return one template for each kind of molecule: the one that was fitted to most molecules.

    Raises
    ------
    DataError
        A system without baseline is not made of molecules.
    """
    fitted = [
        (len(atoms) * len(sets.train), template)
        for choice, sets in zip(own, systems, strict=True)
        for template, atoms in zip(choice.templates, choice.molecules, strict=True)
    ]
    kept: list[int] = []
    for n in sorted(range(len(fitted)), key=lambda n: -fitted[n][0]):
        if not is_known(fitted[n][1], [fitted[k][1] for k in kept]):
            kept.append(n)
    templates = [fitted[n][1] for n in sorted(kept)]
    for choice, sets in zip(own, systems, strict=True):
        if not choice.used:
            without_energy = templates_without_energy(sets.train)
            templates += [template for template in without_energy if not is_known(template, templates)]
    return templates


def _molecules(
    own: Sequence[BaselineChoice], systems: Sequence[Sets], pool: Sequence[MoleculeTemplate]
) -> list[tuple[IntArray, ...]]:
    """Return for each system the atoms of the molecules of each template.

    Raises
    ------
    DataError
        A molecule has no template, or frames of a system are matched in two ways.
    """
    graphs = [MoleculeGraph(template.atomic_numbers, template.bonds) for template in pool]
    of_systems = []
    for choice, sets in zip(own, systems, strict=True):
        of_frames = None if choice.used else frame_bonds(sets.train)  # bonds of a baseline last
        bonds = _bonds(choice) if of_frames is None else of_frames.all_bonds
        molecules = match_molecules(sets.train.atomic_numbers, bonds, graphs)
        if molecules is None:
            raise DataError(f"{sets.label}: not every molecule has the bonds of a template")
        if of_frames is not None and len(of_frames.changing):
            _refuse_other_matches(sets, molecules, graphs)
        of_systems.append(tuple(molecules))
    return of_systems


def _refuse_other_matches(sets: Sets, molecules: Sequence[IntArray], graphs: Sequence[MoleculeGraph]) -> None:
    """Refuse a system whose frames are, by their own bonds, made of other molecules: as H5O2+ of water and
    H3O+, whose energies would then be another model's."""
    frames = sets.train.evenly_spaced(MOST_FRAMES)
    for n in range(len(frames)):
        own = match_molecules(frames.atomic_numbers, find_bonds(frames.structure(n)), graphs)
        if own is not None and [len(atoms) for atoms in own] != [len(atoms) for atoms in molecules]:
            raise DataError(
                f"{sets.label}: bonds change, and some frames are made of other systems' molecules"
            )


def _bonds(choice: BaselineChoice) -> IntArray:
    """Return the bonds (n_bonds, 2) of all molecules of a system."""
    bonds = [
        atoms[:, template.bonds].reshape(-1, 2)
        for template, atoms in zip(choice.templates, choice.molecules, strict=True)
    ]
    return np.concatenate(bonds)


def _has_energy(pool: Sequence[MoleculeTemplate], molecules: Sequence[IntArray]) -> bool:
    """Return whether some molecule of a system has a template with energy."""
    return any(
        template.has_energy and len(atoms) > 0 for template, atoms in zip(pool, molecules, strict=True)
    )
