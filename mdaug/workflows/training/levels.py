"""Whether the systems of a training are at one level of theory, as far as names and energies show it."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from mdaug.data.isolated_atoms import missing_elements
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.graph_hash import graph_hash
from mdaug.geometry.molecules import mean_bonds
from mdaug.training.references import binding_eV_per_atom, fit_residuals_eV_per_atom
from mdaug.units import KCAL_MOL_PER_EV

SAME_ATOMS_EV = 0.15
"""Largest difference of mean energies per atom between systems of the same composition: isomers differ by up
to 0.1 eV, levels of theory by 0.2 to 2 eV."""

ANY_ATOMS_EV = 0.5
"""Largest deviation of a mean energy per atom from a sum over elements; strained or weakly bound molecules
deviate by up to 0.3 eV."""

BINDING_EV = (-9.0, 0.3)
"""Mean energies per atom relative to isolated atoms: −8.9 eV (tungsten) to 0 (rare gases)."""


def check_levels(systems: Sequence[FrameSet]) -> None:
    """Refuse systems at different levels of theory by name, and warn of energies that do not fit together.

    Systems of the same composition must have similar energies, and those of others must be nearly sums of
    energies of the elements, which shows only where there are more systems than elements.

    Parameters
    ----------
    systems
        All systems.

    Raises
    ------
    DataError
        Two systems name different levels of theory, or are the same molecule with different charges or
        multiplicities.

    Warns
    -----
    UserWarning
        Energies of systems that do not fit together.
    """
    _refuse_other_names(systems)
    _refuse_other_charges(systems)
    if not _warn_of_same_atoms(systems):
        _warn_of_residuals(systems)


def check_isolated(
    energies: Mapping[str, float], atoms: Sequence[FrameSet], systems: Sequence[FrameSet]
) -> None:
    """Refuse isolated atoms at another level of theory by name, and warn of energies that cannot be theirs.

    Parameters
    ----------
    energies
        Energies (eV) of isolated atoms by symbol.
    atoms
        Their frames.
    systems
        Systems without isolated atoms.

    Raises
    ------
    DataError
        Isolated atoms and a system name different levels of theory.

    Warns
    -----
    UserWarning
        Systems that are less, or much more, bound than any.
    """
    if not energies:
        return
    _refuse_other_names([*systems, *atoms])
    for frames in systems:
        if missing_elements(energies, [frames]):
            continue
        binding = binding_eV_per_atom(frames, energies)
        if not BINDING_EV[0] < binding < BINDING_EV[1]:
            warnings.warn(
                f"{frames.name}: its mean energy is {binding:+.4g} eV per atom relative to isolated atoms; "
                f"expected {BINDING_EV[0]:g} to {BINDING_EV[1]:g}: are both at one level of theory, with "
                "absolute energies, in the same unit? --e0s states others",
                stacklevel=2,
            )


def _refuse_other_names(systems: Sequence[FrameSet]) -> None:
    named = [frames for frames in systems if frames.level_of_theory is not None]
    for frames in named[1:]:
        if frames.level_of_theory != named[0].level_of_theory:
            raise DataError(
                f"{frames.name} is at the level of theory {frames.level_of_theory}, {named[0].name} at "
                f"{named[0].level_of_theory}: one network cannot learn both; train one model for each level"
            )


def _refuse_other_charges(systems: Sequence[FrameSet]) -> None:
    """Refuse systems of the same atoms and bonds with different charges or multiplicities."""
    for k, frames in enumerate(systems):
        for other in systems[:k]:
            for key in ("charge", "multiplicity"):
                own, there = getattr(frames, key), getattr(other, key)
                if own is None or there is None or own == there or not _same_molecules(frames, other):
                    continue
                raise DataError(
                    f"{frames.name} has {key} {own:g}, {other.name} {there:g}, with the same atoms and "
                    "bonds: one network cannot distinguish them; train one model for each"
                )


def _same_molecules(one: FrameSet, other: FrameSet) -> bool:
    """Return whether frames have the same atoms and bonds, in any order of atoms."""
    if sorted(one.atomic_numbers) != sorted(other.atomic_numbers):
        return False
    first, second = (graph_hash(frames.atomic_numbers, mean_bonds(frames)[0]) for frames in (one, other))
    return first == second


def _warn_of_same_atoms(systems: Sequence[FrameSet]) -> bool:
    """Warn of systems of the same atoms whose energies are too different; return whether there are any."""
    differ = False
    for k, frames in enumerate(systems):
        for other in systems[:k]:
            if sorted(frames.atomic_numbers) != sorted(other.atomic_numbers):
                continue
            difference = float(frames.energies.mean() - other.energies.mean())
            if abs(difference) > SAME_ATOMS_EV * frames.n_atoms:
                differ = True
                warnings.warn(
                    f"{frames.name} and {other.name} have the same atoms, but their mean energies differ by "
                    f"{difference * KCAL_MOL_PER_EV:.4g} kcal/mol, which is more than isomers differ by: are "
                    "they at one level of theory, both with absolute energies, in the same unit?",
                    stacklevel=3,
                )
    return differ


def _warn_of_residuals(systems: Sequence[FrameSet]) -> None:
    """Warn of systems whose energies are far from sums over elements."""
    residuals = fit_residuals_eV_per_atom(systems)
    worst = int(np.argmax(np.abs(residuals)))
    if abs(residuals[worst]) <= ANY_ATOMS_EV:
        return
    off = ", ".join(
        f"{frames.name} {residual:+.2f}"
        for frames, residual in zip(systems, residuals, strict=True)
        if abs(residual) > ANY_ATOMS_EV
    )
    warnings.warn(
        "mean energies per atom minus a sum of energies of the elements are too large for one level of "
        f"theory (eV): {off}; expected less than {ANY_ATOMS_EV:g}: are all energies absolute, at one level "
        "of theory, in the same unit?",
        stacklevel=3,
    )
