"""Assessment of a force-matched field before it is used.

A field labels frames far from those that it was fitted to, so small errors on the frames are not enough. It
is used only if it predicts the forces of frames that were left out of the fit, its parameters are physical,
every bond has one minimum and dissociates upwards, atoms that are not bonded repel each other, and no
geometry out of some thousands has an energy below that of the frames by more than these differ.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols
from scipy.spatial.transform import Rotation

from mdaug.augmentation.displacements import Displacements, displace
from mdaug.augmentation.force_matching.fit import PLATEAU_LENGTHS, match_forces, minimized
from mdaug.augmentation.force_matching.force_field import (
    N_BOND_PARAMETERS,
    SOFT_DECAY_PER_A,
    ForceField,
    expanded_morse,
)
from mdaug.augmentation.impulses import apply_impulses
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.stretches import Stretcher, stretched
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import moving_side, sides
from mdaug.geometry.pairs import minimum_image
from mdaug.springs.distances import pair_name
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict, worst

TIGHTER = 0.25
"""Factor on the prior widths of terms that fail a check."""

FEW_FRAMES = 100
"""Of fewer frames than this, a sixth instead of half is held out if half is not enough for a fit."""

HELD_OUT_SHARE = 0.15
"""Largest rms error of held-out forces, in rms forces. (Measured with 120 frames of GFN2-xTB: nine
molecules 0.01 to 0.07; two with a shared proton 0.33 and 0.39.)"""

HELD_OUT_SHARE_OF_ATOM = 0.4
"""The same of the forces on one atom."""

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

N_GEOMETRIES, N_HOT = 400, 100
"""Geometries of each kind, and of hot MD, whose energies are looked at."""

HOT_ENERGY_PER_ATOM = 9.0
"""Highest energy of the hot MD, kcal/mol for each atom (half of it is kinetic: 3000 K)."""

SPURIOUS_SHARE = 0.005
"""Largest share of the geometries with an energy below all frames."""


@dataclass(frozen=True)
class FieldAssessment:
    """Verdicts on a force-matched field.

    Parameters
    ----------
    verdicts
        One for each check.
    changed
        Terms that were fitted with a tighter prior or left out.
    suspects
        Coefficients of the terms that failed a check; all, where no term is to blame.
    """

    verdicts: tuple[Verdict, ...]
    changed: tuple[str, ...] = ()
    suspects: tuple[int, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the field may be used."""
        return worst(self.verdicts) != "error"

    @property
    def reason(self) -> str:
        """One sentence: why the field is used or not."""
        failed = [verdict.text for verdict in self.verdicts if verdict.verdict == "error"]
        return failed[0] if failed else self.verdicts[0].text


class HeldOut(NamedTuple):
    """A field fitted to some frames, and frames that it has not seen."""

    field: ForceField
    fitted: FrameSet
    others: FrameSet


class UnsoundFieldError(DataError):
    """A force-matched field that failed its assessment.

    Parameters
    ----------
    name
        Of the frames.
    assessment
        Its verdicts.
    """

    def __init__(self, name: str, assessment: FieldAssessment) -> None:
        super().__init__(f"{name}: {assessment.reason}")
        self.assessment = assessment


def fit_and_assess(frames: FrameSet) -> tuple[ForceField, HeldOut, FieldAssessment]:
    """Fit a force field to `frames` and assess it; terms that fail are fitted again, then left out.

    Parameters
    ----------
    frames
        Frames of molecules near equilibrium.

    Raises
    ------
    DataError
        If no force field can be fitted to these frames, or they are fewer than 4.
    """
    fitted, others = frames.select(slice(0, None, 2)), frames.select(slice(1, None, 2))
    factors: FloatArray | None = None
    changed: tuple[str, ...] = ()
    for factor, words in ((TIGHTER, "fitted with a tighter prior"), (0.001, "left out"), (1.0, "")):
        field = match_forces(frames, factors)
        if len(np.unique(others.group)) < 2:
            raise DataError(f"{frames.name}: too few frames to assess a force field; expected at least 4")
        half = HeldOut(match_forces(fitted, factors), fitted, others)
        assessment = assess(field, frames, half)
        if not assessment.sound and len(frames) < FEW_FRAMES:  # half of them may be too few for a fit
            assessment = assess(field, frames, _one_of_six(frames, factors))
        assessment = replace(assessment, changed=changed)
        if assessment.sound or not assessment.suspects or not words:
            break
        if factors is None:
            factors = np.ones(field.terms.n_coefficients)
        factors[list(assessment.suspects)] = factor
        changed += (f"{len(assessment.suspects)} terms {words}: {assessment.reason}",)
    return field, half, assessment


def _one_of_six(frames: FrameSet, factors: FloatArray | None) -> HeldOut:
    """Return a field fitted to five of six frames, and the sixth ones."""
    index = np.arange(len(frames))
    fitted, others = frames.select(index[index % 6 != 0]), frames.select(index[index % 6 == 0])
    return HeldOut(match_forces(fitted, factors), fitted, others)


def assess(field: ForceField, frames: FrameSet, held_out: HeldOut, seed: int = 0) -> FieldAssessment:
    """Check a force field that was fitted to `frames`.

    Parameters
    ----------
    field
        The force field.
    frames
        The frames that it was fitted to.
    held_out
        The same kind of force field of half of the frames, and the other half.
    seed
        Seed of the geometries.
    """
    checks = [_held_out(held_out, frames), *_parameters(field)]
    if checks[0][0].verdict != "error":  # else no other prior mends it
        checks += [_curves(field, frames), _contacts(field)]
    if all(verdict.verdict != "error" for verdict, _ in checks):  # else its energies mean nothing
        checks.append(_geometries(field, frames, np.random.default_rng(seed)))
    suspects = sorted({coefficient for _, failed in checks for coefficient in failed})
    return FieldAssessment(tuple(verdict for verdict, _ in checks), suspects=tuple(suspects))


Check = tuple[Verdict, list[int]]
"""A verdict, and the linear coefficients of the terms that are to blame."""


def _held_out(held_out: HeldOut, frames: FrameSet) -> Check:
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
        f"of {spread * KCAL_MOL_PER_EV:.3g}"
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


def _parameters(field: ForceField) -> list[Check]:
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


def _curves(field: ForceField, frames: FrameSet) -> Check:
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
        fault = _curve_fault(energies)
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


def _curve_fault(energies: FloatArray) -> str:
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


def _contacts(field: ForceField) -> Check:
    """Check that pairs three or more bonds apart repel each other at short distance."""
    terms, topology = field.terms, field.topology
    far = np.flatnonzero(topology.separation >= 3)
    first = _n_primitives(field) - len(far)
    n_linear, n_bond = field.n_linear, N_BOND_PARAMETERS * len(field.plateaus)
    log_strength = field.parameters[n_linear + n_bond :]
    failed, names = [], []
    for place, pair in enumerate(far.tolist()):
        rows = np.flatnonzero(terms.factors[:, 0] == first + place)
        soft = float(field.parameters[terms.parameter[rows[0]]]) if len(rows) else 0.0
        contact, steepness = field.contact[pair], field.steepness[pair]
        beyond = (np.array(CONTACT_LENGTHS) - 1) * contact
        wall = np.exp(log_strength[field.pair_kind[pair]] - steepness * beyond)
        energy = wall + soft * np.exp(-SOFT_DECAY_PER_A * beyond)
        if energy[0] <= energy[1]:
            failed += terms.parameter[rows].tolist()
            names.append(pair_name(*topology.atomic_numbers[topology.pairs[pair]]))
    if failed:
        text = f"{', '.join(dict.fromkeys(names))} pairs attract each other at contact"
        return Verdict("repulsion", "error", len(set(names)), 0, text), failed
    return Verdict("repulsion", "ok", 0, 0, "atoms that are not bonded repel each other at contact"), []


def _geometries(field: ForceField, frames: FrameSet, rng: np.random.Generator) -> Check:
    """Look for energies below all frames among distorted geometries."""
    cells = frames.periodic_cells
    energies = field.evaluate(frames.positions, cells)[0]
    lowest = float(energies.min() - max(np.ptp(frames.energies), np.ptp(energies)))
    n_low, n_all, deepest = 0, 0, 0.0
    for displaced in _distorted(field, frames, rng):
        parents = displaced.parents
        moved = parents.positions + displaced.displacements
        valid = field.covers(parents.positions, moved, parents.periodic_cells)
        if not valid.any():
            continue
        below = lowest - field.evaluate(moved, parents.periodic_cells)[0][valid]
        n_low, n_all = n_low + int(np.sum(~(below <= 0))), n_all + int(valid.sum())
        deepest = max(deepest, float(np.nanmax(below)))
    share = n_low / max(1, n_all)
    level = "error" if share > SPURIOUS_SHARE else "warning" if n_low else "ok"
    text = f"{n_low} of {n_all} distorted geometries have energies below all frames"
    if n_low:
        text += f", by up to {deepest * KCAL_MOL_PER_EV:.3g} kcal/mol more than the frames differ"
    failed = list(range(field.terms.n_coefficients)) if level == "error" else []
    return Verdict("spurious minima", level, share, SPURIOUS_SHARE, text), failed  # type: ignore[arg-type]


def _distorted(field: ForceField, frames: FrameSet, rng: np.random.Generator) -> list[Displacements]:
    """Return frames displaced, stretched, turned, bent, compressed, and after hot MD on the field."""
    options = AugmentOptions(epsilon=0.5, stretch_range=(0.6, 4.0), min_distance_fraction=0.0)
    n_molecules = int(field.topology.molecule.max()) + 1
    parents = frames.select(rng.integers(len(frames), size=max(20, N_GEOMETRIES // n_molecules)))
    made = [displace(parents, {}, options, rng)]
    try:
        excluded = [(int(i), int(j)) for i, j in field.untabulated_bonds]
        made.append(Stretcher(frames, excluded).draw(parents, options, rng))
    except DataError:  # rings alone
        pass
    made.append(Displacements.of(parents, _turned(field, parents, rng), options.cutoff))
    if frames.periodic_cells is None:
        centered = parents.positions - parents.positions.mean(axis=1, keepdims=True)
        scale = rng.uniform(-0.25, 0.1, size=(len(parents), 1, 1))
        made.append(Displacements.of(parents, scale * centered, options.cutoff))
    few = parents.select(slice(0, max(10, N_HOT // n_molecules)))
    for time_fs in (25.0, 100.0):
        hot = AugmentOptions(impulse_time=time_fs, impulse_energy=HOT_ENERGY_PER_ATOM * frames.n_atoms)
        shift = apply_impulses(few, _Mover(field), hot, rng)
        made.append(Displacements.of(few, shift, options.cutoff))
    return made


@dataclass(frozen=True)
class _Mover:
    """The field as what moves atoms."""

    field: ForceField

    def forces_at(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        return self.field.evaluate(positions, cells)[1]


def _turned(field: ForceField, parents: FrameSet, rng: np.random.Generator) -> FloatArray:
    """Turn one side of a random bond of each parent about it, or bend it; Δr (n_frames, n_atoms, 3), Å."""
    topology, shift = field.topology, np.zeros_like(parents.positions)
    all_bonds = np.concatenate([topology.bonds, topology.changing])
    cells = [None] * len(parents) if parents.periodic_cells is None else parents.periodic_cells
    parts = [(bond, sides(parents.n_atoms, all_bonds, tuple(bond))) for bond in topology.bonds.tolist()]
    turning = [(bond, both[1]) for bond, both in parts if both is not None]
    if not turning:
        return shift
    for one, positions, cell in zip(shift, parents.positions, cells, strict=True):
        (i, j), side = turning[rng.integers(len(turning))]
        arms = minimum_image(positions[side] - positions[i], cell)
        along = minimum_image(positions[j] - positions[i], cell)
        if rng.random() < 0.5:
            axis, angle = along, rng.uniform(-np.pi, np.pi)
        else:
            axis, angle = np.cross(along, rng.standard_normal(3)), rng.uniform(-1.2, 1.2)
        turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
        one[side] = turn.apply(arms) - arms
    return shift


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


def _n_primitives(field: ForceField) -> int:
    """Return the index that stands for a factor 1."""
    topology = field.topology
    n_far = int(np.sum(topology.separation >= 3))
    return len(topology.bonds) + len(topology.angles) + 3 * len(topology.torsions) + n_far


def _terms_of_bonds(field: ForceField, kinds: np.ndarray) -> list[int]:
    """Return the coefficients of the terms that depend on bonds of these kinds."""
    bonds = np.flatnonzero(np.isin(field.bond_kind, kinds))
    touched = field.terms.gates[:, bonds].any(axis=1) | np.isin(field.terms.factors, bonds).any(axis=1)
    return np.unique(field.terms.parameter[touched]).tolist()
