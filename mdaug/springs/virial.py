"""Whether frames were sampled with the forces that they carry: virial temperature and mean bond forces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import bond_name, moving_side
from mdaug.geometry.molecules import mean_bonds
from mdaug.springs.springs import Springs
from mdaug.units import BOLTZMANN_EV_K, KCAL_MOL_PER_EV

AGREEMENT = 0.25
"""Sampling and forces disagree when the virial temperature is off that of the frames by more than this
share of it and by more than four standard errors (made as if frames were independent)."""


@dataclass(frozen=True)
class BondForce:
    """The force along a bond, averaged over the frames, kcal/mol/Å: positive pushes its atoms apart."""

    name: str
    mean_kcal_mol_A: float
    standard_error_kcal_mol_A: float


@dataclass(frozen=True)
class Consistency:
    """Sampling against forces.

    Parameters
    ----------
    virial_temperature_K, standard_error_K
        −⟨Σ r·F⟩/((3N − 3) k_B) and the standard error of the mean over frames (as if independent).
    temperature_K
        At which the frames were sampled.
    bonds
        Mean forces along the bonds.
    """

    virial_temperature_K: float
    standard_error_K: float
    temperature_K: float
    bonds: list[BondForce]

    @property
    def text(self) -> str:
        """Say in one line what was found, and what it means if sampling and forces disagree."""
        forces = [bond.mean_kcal_mol_A for bond in self.bonds]
        bonds = (
            f", mean forces along bonds {min(forces):.1f} to {max(forces):.1f} kcal/mol/Å" if forces else ""
        )
        found = f"virial temperature {self.virial_temperature_K:.0f} ± {self.standard_error_K:.0f} K{bonds}"
        if self.agrees:
            return f"{found}: sampling at {self.temperature_K:g} K and forces agree"
        stated = f"as the frames are said to be of {self.temperature_K:g} K"
        return (
            f"{found}: sampling and forces disagree, {stated}. Either the forces are of another level of "
            "theory than the dynamics that made the geometries (then springs are those of the dynamics, not "
            "of the forces), or temperature or units are wrong, or the frames are not of equilibrium"
        )

    @property
    def agrees(self) -> bool:
        off = abs(self.virial_temperature_K - self.temperature_K)
        return off <= max(AGREEMENT * self.temperature_K, 4 * self.standard_error_K)

    def to_json(self) -> dict[str, Any]:
        """Return the keys that springs.json has besides those of its contract."""
        return {
            "virial_temperature_K": self.virial_temperature_K,
            "virial_standard_error_K": self.standard_error_K,
            "sampling_and_forces_agree": self.agrees,
            "mean_bond_forces_kcal_mol_A": {bond.name: bond.mean_kcal_mol_A for bond in self.bonds},
        }


def consistency(frames: FrameSet) -> Consistency | None:
    """Compare the sampling of molecular `frames` with their forces; None where no virial can be had.

    In the canonical ensemble of the forces ⟨Σ r·F⟩ = −(3N − 3) k_B T for a free molecule, as the centre of
    mass carries no force (R. Clausius; D. Frenkel, B. Smit, DOI 10.1016/B978-0-12-267351-1.X5000-7). Forces
    of another potential than the one that drove the sampling, or in other units, give another temperature.
    A periodic cell has no such virial, as its positions are not unique.
    """
    if frames.periodic or frames.temperature_K is None or len(frames) < 2 or frames.n_atoms < 2:
        return None
    centred = frames.positions - frames.positions.mean(axis=1, keepdims=True)
    virial = -np.sum(centred * frames.forces, axis=(1, 2)) / ((3 * frames.n_atoms - 3) * BOLTZMANN_EV_K)
    mean, error = _mean(virial)
    return Consistency(mean, error, frames.temperature_K, bond_forces(frames))


def write_springs(springs: Springs, frames: FrameSet, path: Path) -> Consistency | None:
    """Write the springs.json of `frames`, with the keys of `consistency`, and return the latter."""
    found = consistency(frames)
    springs.write(path, found.to_json() if found else None)
    return found


def bond_forces(frames: FrameSet) -> list[BondForce]:
    """Return the mean force along each bond outside rings, on the side that moves when it is stretched."""
    bonds, _ = mean_bonds(frames)
    found = []
    for bond in bonds.tolist():
        moving = moving_side(frames.atomic_numbers, bonds, bond)
        if moving is None:
            continue
        fixed_atom, moving_atom = bond if bond[1] in moving else bond[::-1]
        vector = frames.positions[:, moving_atom] - frames.positions[:, fixed_atom]
        unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
        along = np.sum(frames.forces[:, moving].sum(axis=1) * unit, axis=1) * KCAL_MOL_PER_EV
        found.append(BondForce(bond_name(frames.atomic_numbers, bond), *_mean(along)))
    return found


def _mean(values: FloatArray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
