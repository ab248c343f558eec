"""Whether the stated units can be true: bonds must be about as stiff as chemistry says.

The stiffness of a bond is how fast the force along it grows as it is stretched, k = −cov(f, d)/var(d) over
the frames. It needs no temperature, no equilibrium and no zero of energy; a wrong energy unit multiplies it
by a factor of 23 or more. What to expect is known from the bond's length by Badger's rule,
k = 1.86 mdyn/Å · (1 Å/(d − d_ij))³ (DOI 10.1063/1.1749433), within a factor of about two for bonds between
nonmetals. So a factor of more than √23.06 = 4.8 either way speaks for another unit, less for the stated one.

Frames without such bonds (metals, rare gases), or too few, are only asked for forces below `MAX_RMS_FORCE`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers as number_of
from ase.data import chemical_symbols, covalent_radii

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image, molecule_pairs, neighbor_pairs
from mdaug.units import EV_PER_ENERGY_UNIT, KCAL_MOL_PER_EV

FORCE_FACTOR = KCAL_MOL_PER_EV**0.5
"""Halfway (in the logarithm) between the stated unit and the nearest other one."""

FIT_FACTOR = 1.6
"""A unit is named in the advice if it brings bonds within this factor of Badger's rule."""

ENERGY_FACTOR = 10.0
"""Allowed factor between the spread of the energies and the spread that the forces imply."""

MAX_RMS_FORCE = 20.0
"""eV/Å per component: ten times that of a molecule at 2000 K."""

MIN_FRAMES, MAX_FRAMES = 20, 300
"""Fewer frames give no stiffness; more than this, evenly spaced, tell nothing new."""

BOND_LENGTH_FACTOR = 1.2
"""Atoms nearer than this times the sum of their covalent radii are bonded."""

BOND_SPREAD_A = (0.003, 0.2)
"""Standard deviation of a bond's length: below it is a constraint, above it is breaking."""

CLOSEST_A = 0.3
"""No two atoms of a molecule are nearer, however hot it is; in nm, all bonds would be."""

NONMETALS = np.array(
    [
        number_of[s]
        for s in ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Te", "I")
    ]
)

BADGER_EV_A = 1.86 * 6.241509
"""Badger's constant, mdyn Å² in eV Å."""

BADGER_CORE_A = (0.0, 0.34, 0.59, 0.65, 0.72)
"""d_ij as a sum over the two atoms' rows (H, Li–F, Na–Cl, …): within 0.03 Å of Badger's table."""


LAST_OF_ROW = (2, 10, 18, 36)
"""Atomic numbers of the noble gases that end the first rows."""


@dataclass(frozen=True)
class _Bonds:
    idx_i: IntArray
    idx_j: IntArray
    measured: FloatArray
    """eV/Å², from forces and distances."""
    expected: FloatArray
    """eV/Å², from lengths by Badger's rule."""


def warn_of_contacts(frames: FrameSet) -> None:
    """Warn of molecules with atoms nearer than `CLOSEST_A`: the numbers are no positions in Å.

    Some 300 frames are looked at, evenly spaced.
    """
    if frames.cells is not None or frames.n_atoms < 2:
        return
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    for n in np.unique(np.linspace(0, len(frames) - 1, MAX_FRAMES).astype(int)):
        d_ij = np.linalg.norm(frames.positions[n, idx_j] - frames.positions[n, idx_i], axis=1)
        nearest = int(d_ij.argmin())
        if d_ij[nearest] < CLOSEST_A:
            warnings.warn(
                f"{frames.name}: frame {n}: atoms {idx_i[nearest]} and {idx_j[nearest]} are "
                f"{d_ij[nearest]:.3g} Å apart, nearer than atoms can be: are lengths in Å, and are "
                "positions and forces what they are said to be?",
                stacklevel=4,
            )
            return


def check_units(frames: FrameSet, stated: str) -> None:
    """Refuse forces whose unit cannot be the stated one; warn of energies that do not fit the forces.

    Raises
    ------
    DataError
        Naming the unit that would fit, and ``--units``.
    """
    some = frames.evenly_spaced(MAX_FRAMES)
    rms_force = float(np.sqrt(np.mean(some.forces**2)))
    bonds = _bonds(some) if len(some) >= MIN_FRAMES else None
    if bonds is None:
        if rms_force > MAX_RMS_FORCE:
            raise DataError(
                f"{frames.name}: forces of {rms_force:.3g} eV/Å rms per component when read in {stated}; "
                f"expected below {MAX_RMS_FORCE:g}: state the file's unit with --units or remove bad frames"
            )
        return
    factor = float(np.median(bonds.measured / bonds.expected))
    if not 1 / FORCE_FACTOR < factor < FORCE_FACTOR:
        raise DataError(f"{frames.name}: {_complaint(frames, bonds, factor, stated)}")
    _compare_energies(some, float(np.median(bonds.expected)), rms_force)


def _bonds(frames: FrameSet) -> _Bonds | None:
    """Return the bonds between nonmetals that vibrate, or None."""
    idx_i, idx_j = _bonded_pairs(frames)
    if len(idx_i) == 0:
        return None
    vectors = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    vectors = minimum_image(vectors, frames.periodic_cells, _farthest_bond(frames))
    d_ij = np.linalg.norm(vectors, axis=2)
    along = np.einsum("fpx,fpx->fp", frames.forces[:, idx_j] - frames.forces[:, idx_i], vectors) / (2 * d_ij)
    spread = d_ij.std(axis=0)
    use = (spread > BOND_SPREAD_A[0]) & (spread < BOND_SPREAD_A[1])
    if not use.any():
        return None
    d_ij, along, idx_i, idx_j = d_ij[:, use], along[:, use], idx_i[use], idx_j[use]
    stretch = d_ij - d_ij.mean(axis=0)
    stiffness = -np.sum(stretch * along, axis=0) / np.sum(stretch**2, axis=0)
    core = np.array(BADGER_CORE_A)[np.searchsorted(LAST_OF_ROW, frames.atomic_numbers)]
    expected = BADGER_EV_A / np.maximum(d_ij.mean(axis=0) - core[idx_i] - core[idx_j], 0.3) ** 3
    return _Bonds(idx_i, idx_j, np.maximum(stiffness, 1e-6), expected)


def _bonded_pairs(frames: FrameSet) -> tuple[IntArray, IntArray]:
    """Return pairs of nonmetals within bonding distance in the first frame."""
    radii = covalent_radii[frames.atomic_numbers]
    first, cell = frames.positions[0], None
    if frames.cells is None:
        idx_i, idx_j = molecule_pairs(frames.n_atoms)
        vectors = first[idx_j] - first[idx_i]
    else:
        cell = frames.cells[0]
        idx_i, idx_j, shifts = neighbor_pairs(first, cell, frames.pbc, _farthest_bond(frames))
        vectors = first[idx_j] - first[idx_i] + shifts
    near = np.linalg.norm(vectors, axis=1) < BOND_LENGTH_FACTOR * (radii[idx_i] + radii[idx_j])
    nonmetal = np.isin(frames.atomic_numbers, NONMETALS)
    use = near & nonmetal[idx_i] & nonmetal[idx_j] & (idx_i != idx_j)
    return idx_i[use], idx_j[use]


def _farthest_bond(frames: FrameSet) -> float:
    """Return the distance (Å) beyond which no two atoms are bonded."""
    return BOND_LENGTH_FACTOR * 2 * float(covalent_radii[frames.atomic_numbers].max())


def _complaint(frames: FrameSet, bonds: _Bonds, factor: float, stated: str) -> str:
    typical = int(np.argsort(bonds.measured / bonds.expected)[len(bonds.measured) // 2])
    pair = "-".join(
        chemical_symbols[frames.atomic_numbers[idx[typical]]] for idx in (bonds.idx_i, bonds.idx_j)
    )
    times = f"{factor:.3g} times too large" if factor > 1 else f"{1 / factor:.3g} times too small"
    fits = _unit_that_fits(factor, stated)
    advice = (
        f"state --units {fits}, which fits" if fits else "check the file's unit and state it with --units"
    )
    return (
        f"implausible units: forces read in {stated}/Å are about {times} (bond {pair} would have a stiffness "
        f"of {bonds.measured[typical]:.3g} eV/Å²; expected about {bonds.expected[typical]:.2g}): {advice}"
    )


def _unit_that_fits(factor: float, stated: str) -> str | None:
    """Return the unit in which forces `factor` times too large for the `stated` one would be about right."""
    off = {
        unit: abs(np.log(EV_PER_ENERGY_UNIT[stated] / ev / factor)) for unit, ev in EV_PER_ENERGY_UNIT.items()
    }
    nearest = min(off, key=lambda unit: off[unit])
    return nearest if off[nearest] < np.log(FIT_FACTOR) else None


def _compare_energies(frames: FrameSet, stiffness: float, rms_force: float) -> None:
    """Warn if energies spread ten times more or less than in a harmonic system with these forces.

    A mode has the mean energy ⟨F²⟩/2k, and ν modes in equilibrium spread by √(2/ν) of their sum.
    """
    dof = 3 * frames.n_atoms
    implied = dof * rms_force**2 / (2 * stiffness) * np.sqrt(2 / max(dof - 6, 1))
    factor = float(frames.energies.std() / implied)
    if not 1 / ENERGY_FACTOR < factor < ENERGY_FACTOR:
        warnings.warn(
            f"{frames.name}: energies spread by {frames.energies.std():.3g} eV, the forces imply about "
            f"{implied:.2g} eV; are energies and forces in the same unit and of the same level of theory?",
            stacklevel=2,
        )
