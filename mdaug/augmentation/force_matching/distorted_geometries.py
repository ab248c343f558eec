"""Check of a force-matched field: no distorted geometry has an energy far below those of the frames."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mdaug.augmentation.displacements import Displacements, displace
from mdaug.augmentation.force_matching.checks import Check
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.impulses import apply_impulses
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.stretches import Stretcher
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import sides
from mdaug.geometry.pairs import minimum_image
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

N_GEOMETRIES, N_HOT = 400, 100
"""Geometries of each kind, and of hot MD, whose energies are looked at."""

HOT_ENERGY_PER_ATOM = 9.0
"""Highest energy of the hot MD, kcal/mol for each atom (half of it is kinetic: 3000 K)."""

SPURIOUS_SHARE = 0.005
"""Largest share of the geometries with an energy below all frames."""


def check_geometries(field: ForceField, frames: FrameSet, rng: np.random.Generator) -> Check:
    """Look for energies below all frames among distorted geometries."""
    cells = frames.periodic_cells
    energies = field.evaluate(frames.positions, cells)[0]
    lowest = float(energies.min() - max(np.ptp(frames.energies), np.ptp(energies)))
    n_low, n_all, deepest = 0, 0, 0.0
    for displaced in distorted(field, frames, rng):
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


def distorted(field: ForceField, frames: FrameSet, rng: np.random.Generator) -> list[Displacements]:
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
