"""Checks of a force-matched field: held-out forces, parameters, bond curves, contacts."""

from typing import NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols

from mdaug.augmentation.force_matching.derivatives import errors_by_coordinate
from mdaug.augmentation.force_matching.fit import PLATEAU_LENGTHS, minimized
from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField, expanded_morse
from mdaug.augmentation.force_matching.intermolecular import SOFT_DECAY_PER_A
from mdaug.augmentation.stretches import stretched
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import moving_side
from mdaug.geometry.pairs import pair_lengths
from mdaug.springs.distances import pair_name
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

HELD_OUT_SHARE = 0.15
"""Largest rms error of held-out forces, in rms forces. (Measured with 120 frames of GFN2-xTB: nine
molecules 0.01 to 0.07; two with a shared proton 0.33 and 0.39.)"""

HELD_OUT_SHARE_OF_ATOM = 0.4
"""The same of the forces on one atom."""

N_DECOMPOSED = 20
"""Molecules whose errors are broken down by kind of coordinate, about."""

OVERFIT = 2.5
"""Largest ratio of held-out to training error, where the held-out error is above a third of its limit."""

DEPTH_FACTOR = 2.0
"""A well depth is between the tabulated energy over this and times this."""

SCAN_LENGTHS = np.linspace(0.6, 6.0, 181)
"""Lengths of the bond curves, in lengths at the minimum."""

CURVE_TOLERANCE = 3.0 / KCAL_MOL_PER_EV
"""Largest drop along a bond curve that must rise, eV."""

CONTACT_LENGTHS = (0.5, 0.75)
"""Distances, in sums of van der Waals radii, between which a pair of one molecule must repel."""

HYDROGEN_BOND = 10.0 / KCAL_MOL_PER_EV
"""How much the energy of a pair may fall, eV, from its shortest distance in the frames inwards, where that is
less than the longer one of these: there the frames show the attraction of a hydrogen bond."""


class HeldOut(NamedTuple):
    """A field fitted to some frames, and frames that it has not seen."""

    field: ForceField
    fitted: FrameSet
    others: FrameSet


Check = tuple[Verdict, list[int]]
"""A verdict, and the linear coefficients of the terms that are to blame."""


def check_held_out(held_out: HeldOut, frames: FrameSet) -> Check:
    """Compare forces of frames that were left out of the fit."""
    fitted, others = (
        some.forces - held_out.field.evaluate(some.positions, some.periodic_cells)[1]
        for some in (held_out.fitted, held_out.others)
    )
    forces, moving = held_out.others.forces, held_out.field.topology.changing
    error, training, spread = (float(np.sqrt(np.mean(some**2))) for some in (others, fitted, forces))
    of_atoms = np.sqrt(np.mean(others**2, axis=(0, 2)) / np.mean(forces**2, axis=(0, 2)).clip(1e-12))
    worst_atom, limit = int(of_atoms.argmax()), HELD_OUT_SHARE * spread
    symbol = f"{chemical_symbols[frames.atomic_numbers[worst_atom]]}{worst_atom}"
    measured = (
        f"the force-matched field predicts held-out forces to {error * KCAL_MOL_PER_EV:.2g} kcal/mol/Å rms "
        f"of {spread * KCAL_MOL_PER_EV:.3g} ({_where(held_out, others)})"
    )
    text, level = measured, "ok"
    if error > limit:
        level, text = "error", f"{measured}, more than {HELD_OUT_SHARE:.0%}: {_cause(frames, moving)}"
    elif of_atoms[worst_atom] > HELD_OUT_SHARE_OF_ATOM:
        share = (
            f"{of_atoms[worst_atom]:.0%} of the forces on {symbol}, more than {HELD_OUT_SHARE_OF_ATOM:.0%}"
        )
        level, text = "error", f"{measured}, but misses {share}"
    elif error > OVERFIT * training and error > limit / 3:
        ratio = f"{error / training:.2g} times the training error, more than {OVERFIT:g}"
        level, text = "warning", f"{measured}, {ratio}: more frames would make it better"
    value, allowed = error * KCAL_MOL_PER_EV, limit * KCAL_MOL_PER_EV
    return Verdict("held-out forces", level, value, allowed, text), []  # type: ignore[arg-type]


def _where(held_out: HeldOut, residual: FloatArray) -> str:
    """Return the errors by kind of coordinate, and the atom with the largest one, in kcal/mol/Å."""
    n_molecules = int(held_out.field.topology.molecule.max()) + 1
    few = slice(None, None, max(1, len(residual) // max(2, N_DECOMPOSED // n_molecules)))
    by_kind = errors_by_coordinate(held_out.field, held_out.others.select(few), residual[few])
    of_atoms = np.sqrt(np.mean(residual**2, axis=(0, 2)))
    atom = int(of_atoms.argmax())
    symbol = f"{chemical_symbols[held_out.others.atomic_numbers[atom]]}{atom}"
    parts = [f"{kind} {error * KCAL_MOL_PER_EV:.2g}" for kind, error in by_kind.items() if error > 1e-6]
    return f"{', '.join(parts)}; at most {of_atoms[atom] * KCAL_MOL_PER_EV:.2g}, on {symbol}"


def _cause(frames: FrameSet, changing: np.ndarray) -> str:
    """Return a likely cause of a field that does not describe the frames."""
    if not len(changing):
        return "its terms do not describe the forces between these atoms"
    numbers = frames.atomic_numbers
    protons = [atom for atom in np.unique(changing).tolist() if numbers[atom] == 1]
    if protons:
        names = ", ".join(f"H{atom}" for atom in protons)
        verb = "moves" if len(protons) == 1 else "move"
        return f"{names} {verb} between partners, and the field has no terms for that"
    names = ", ".join(pair_name(*numbers[[i, j]]) + f" ({i}-{j})" for i, j in changing.tolist()[:4])
    return f"bonds {names} are broken in some of the frames"


def check_parameters(field: ForceField) -> list[Check]:
    """Check well depths against the table, and stiffness."""
    depth = field.plateaus / field.tabulated
    wrong = (depth < 1 / DEPTH_FACTOR) | (depth > DEPTH_FACTOR)
    off = (
        int(np.abs(np.log(np.abs(depth).clip(1e-9))).argmax())
        if not (depth <= 0).any()
        else int(depth.argmin())
    )
    text = f"the well depth of {_bond_names(field, off)} is {depth[off]:.2g} times the tabulated energy"
    if wrong.any():
        text += f", expected {1 / DEPTH_FACTOR:g} to {DEPTH_FACTOR:g} times"
    level = "error" if wrong.any() else "ok"
    depths = Verdict("well depths", level, float(depth[off]), DEPTH_FACTOR, text)  # type: ignore[arg-type]
    own = _bond_parameters(field)
    stiffness = 2 * field.plateaus * (field.shapes[:, 0] + own[:, 1]) ** 2 * KCAL_MOL_PER_EV
    least = int(stiffness.argmin())
    soft = (stiffness <= 0) | (field.shapes[:, 0] + own[:, 1] <= 0)
    text = f"the least stiff bond is {_bond_names(field, least)}, with {stiffness[least]:.3g} kcal/mol/Å²"
    level = "error" if soft.any() else "ok"
    bonds = Verdict("bond stiffness", level, float(stiffness[least]), 0.0, text)  # type: ignore[arg-type]
    return [(depths, _terms_of_bonds(field, np.flatnonzero(wrong))), (bonds, [])]


def check_curves(field: ForceField, frames: FrameSet) -> Check:
    """Stretch every kind of bond from M's minimum out to dissociation, rigidly; in rings its own curve."""
    alone, topology = field.without_intermolecular(), field.topology
    lowest, cells = frames.energies.argmin(), frames.periodic_cells
    cell = None if cells is None else cells[lowest]
    minimum = minimized(alone, frames.positions[lowest], cell)
    all_bonds = np.concatenate([topology.bonds, topology.changing])
    failed, violation = [], ""
    for kind in np.flatnonzero(field.is_tabulated):
        number = int(np.flatnonzero(field.bond_kind == kind)[0])
        bond = (int(topology.bonds[number, 0]), int(topology.bonds[number, 1]))
        moving = moving_side(topology.atomic_numbers, all_bonds, bond)
        if moving is None:
            energies = _own_curve(field, int(kind))
        else:
            positions = np.array([stretched(minimum, bond, moving, f, cell) for f in SCAN_LENGTHS])
            many = None if cell is None else np.broadcast_to(cell, (len(positions), 3, 3)).copy()
            energies = alone.evaluate(positions, many)[0]
        fault = curve_fault(energies)
        if fault:
            failed.append(int(kind))
            violation = violation or f"the energy along {_bond_names(field, int(kind))} {fault}"
    if failed:
        verdict = Verdict("bond curves", "error", len(failed), 0, violation)
        return verdict, _terms_of_bonds(field, np.array(failed))
    n_kinds = int(field.is_tabulated.sum())
    return Verdict(
        "bond curves",
        "ok",
        0,
        0,
        f"the curves of {n_kinds} kind(s) of bonds have one minimum each and rise from it",
    ), []


def _own_curve(field: ForceField, kind: int) -> FloatArray:
    """Return the curve V of one kind of bond alone at `SCAN_LENGTHS`, eV."""
    own = torch.as_tensor(_bond_parameters(field)[kind])
    r = torch.as_tensor(SCAN_LENGTHS * own[0].item())
    plateau, shape = torch.as_tensor(field.plateaus[kind]), torch.as_tensor(field.shapes[kind])
    return np.asarray(expanded_morse(r, plateau, shape, own).numpy())


def curve_fault(energies: FloatArray) -> str:
    """Return what is wrong with energies at `SCAN_LENGTHS`; empty if nothing."""
    lowest = int(energies.argmin())
    at = SCAN_LENGTHS[lowest]
    if not 0.85 < at < 1.15:
        return f"is lowest at {at:.2g} times the bond's length"
    inner, outer = energies[: lowest + 1][::-1], energies[lowest:]
    drops = [float((np.maximum.accumulate(part) - part).max()) for part in (inner, outer)]
    if max(drops) > CURVE_TOLERANCE:
        side = "when it is compressed" if drops[0] > drops[1] else "on the way to dissociation"
        return f"falls again by {max(drops) * KCAL_MOL_PER_EV:.3g} kcal/mol {side}"
    if outer[-1] < 0.5 * np.interp(PLATEAU_LENGTHS, SCAN_LENGTHS, energies):
        return "does not stay up at dissociation"
    return ""


def check_contacts(field: ForceField, frames: FrameSet) -> Check:
    """Check that pairs three or more bonds apart repel each other at distances shorter than in the frames.

    Parameters
    ----------
    field
        The force field.
    frames
        The frames that it was fitted to.
    """
    terms, topology = field.terms, field.topology
    far = np.flatnonzero(topology.separation >= 3)
    shortest = pair_lengths(frames.positions, frames.periodic_cells, *topology.pairs[far].T).min(axis=0)
    first = field.n_primitives - len(far)
    log_strength = field.parameters[field.n_linear + N_BOND_PARAMETERS * len(field.plateaus) :]
    failed, names = [], []
    for place, (pair, sampled) in enumerate(zip(far.tolist(), shortest, strict=True)):
        rows = np.flatnonzero(terms.factors[:, 0] == first + place)
        soft = float(field.parameters[terms.parameter[rows[0]]]) if len(rows) else 0.0
        contact, steepness = field.contact[pair], field.steepness[pair]
        inner, outer = (length * contact for length in CONTACT_LENGTHS)
        beyond = np.linspace(inner, max(inner, min(outer, sampled)), 10) - contact
        wall = np.exp(log_strength[field.pair_kind[pair]] - steepness * beyond)
        energy = wall + soft * np.exp(-SOFT_DECAY_PER_A * beyond)
        lowest, limit = (energy.min(), HYDROGEN_BOND) if sampled < outer else (energy[0], 0.0)
        if lowest < energy[-1] - limit:
            failed += terms.parameter[rows].tolist()
            names.append(pair_name(*topology.atomic_numbers[topology.pairs[pair]]))
    if failed:
        text = f"{', '.join(dict.fromkeys(names))} pairs attract each other at contact"
        return Verdict("repulsion", "error", len(set(names)), 0, text), failed
    return Verdict("repulsion", "ok", 0, 0, "atoms that are not bonded repel each other at contact"), []


def _bond_parameters(field: ForceField) -> FloatArray:
    """Return r0, δ0, δ1, δ2 of each bond kind."""
    first = field.n_linear
    return field.parameters[first : first + N_BOND_PARAMETERS * len(field.plateaus)].reshape(
        -1, N_BOND_PARAMETERS
    )


def _bond_names(field: ForceField, kind: int) -> str:
    """Return for example ``C-H (0-3)``: the elements and the first bond of a kind."""
    i, j = field.topology.bonds[np.flatnonzero(field.bond_kind == kind)[0]].tolist()
    return f"{pair_name(*field.topology.atomic_numbers[[i, j]])} ({i}-{j})"


def _terms_of_bonds(field: ForceField, kinds: np.ndarray) -> list[int]:
    """Return the coefficients of the terms that depend on bonds of these kinds."""
    bonds = np.flatnonzero(np.isin(field.bond_kind, kinds))
    touched = field.terms.gates[:, bonds].any(axis=1) | np.isin(field.terms.factors, bonds).any(axis=1)
    return np.unique(field.terms.parameter[touched]).tolist()
