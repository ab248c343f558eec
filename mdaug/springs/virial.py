"""Consistency of sampling and forces: virial temperature and mean forces along bonds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import bond_name, moving_side
from mdaug.geometry.molecules import mean_bonds
from mdaug.sampling.statistics import temperature_verdict
from mdaug.springs.springs import Springs
from mdaug.units import BOLTZMANN_EV_K, KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

MEANING = {
    "ok": "the frames were sampled with these forces at this temperature",
    "warning": "either the forces are of another level of theory than the dynamics that made the geometries "
    "(then springs are those of the dynamics, not of the forces), or temperature or units are wrong, or the "
    "frames are not of equilibrium",
    "cannot tell": "more or longer sampled frames are needed",
}


@dataclass(frozen=True)
class BondForce:
    """The force along a bond, averaged over the frames.

    Parameters
    ----------
    name
        Name of the bond, for example ``O2-H8``.
    mean_kcal_mol_A, standard_error_kcal_mol_A
        Positive pushes the atoms apart.
    """

    name: str
    mean_kcal_mol_A: float
    standard_error_kcal_mol_A: float


@dataclass(frozen=True)
class Consistency:
    """Comparison of the sampling with the forces.

    Parameters
    ----------
    virial_temperature_K, standard_error_K
        −⟨Σ r·F⟩/((3N − 3) k_B) and the standard error of the mean, under the assumption that frames are
        independent.
    temperature_K
        Temperature at which the frames were sampled.
    n_frames
        Number of frames.
    bonds
        Mean forces along the bonds.
    """

    virial_temperature_K: float
    standard_error_K: float
    temperature_K: float
    n_frames: int
    bonds: list[BondForce]

    @property
    def verdict(self) -> Verdict:
        """The `temperature_verdict` of the virial temperature, with its interpretation and the bond
        forces."""
        verdict = temperature_verdict(
            "virial temperature",
            self.virial_temperature_K,
            self.standard_error_K,
            self.temperature_K,
            n_samples=self.n_frames,
        )
        forces = [bond.mean_kcal_mol_A for bond in self.bonds]
        bonds = (
            f"; mean forces along bonds {min(forces):.1f} to {max(forces):.1f} kcal/mol/Å" if forces else ""
        )
        text = f"{verdict.text}: {MEANING[verdict.verdict]}{bonds}"
        return Verdict(verdict.name, verdict.verdict, verdict.value, verdict.limit, text)

    def to_json(self) -> dict[str, Any]:
        """Return the keys that springs.json has besides those of its contract."""
        return {
            "virial_temperature_K": self.virial_temperature_K,
            "virial_standard_error_K": self.standard_error_K,
            "sampling_and_forces": self.verdict.to_json(),
            "mean_bond_forces_kcal_mol_A": {bond.name: bond.mean_kcal_mol_A for bond in self.bonds},
        }


def consistency(frames: FrameSet) -> Consistency | None:
    """Compare the sampling of molecules with their forces.

    In the canonical ensemble of the forces ⟨Σ r·F⟩ = −(3N − 3) k_B T for a free molecule, because no force
    acts on the center of mass (R. Clausius; D. Frenkel, B. Smit, DOI 10.1016/B978-0-12-267351-1.X5000-7). If
    the frames were sampled with another potential, or the forces are in other units, the temperature differs.

    Parameters
    ----------
    frames
        Molecules.

    Returns
    -------
    consistency
        None without a virial: periodic frames, whose positions are not unique, frames of unknown temperature,
        a single frame or a single atom.
    """
    if frames.periodic or frames.temperature_K is None or len(frames) < 2 or frames.n_atoms < 2:
        return None
    centered = frames.positions - frames.positions.mean(axis=1, keepdims=True)
    virial = -np.sum(centered * frames.forces, axis=(1, 2)) / ((3 * frames.n_atoms - 3) * BOLTZMANN_EV_K)
    mean, error = _mean(virial)
    return Consistency(mean, error, frames.temperature_K, len(frames), bond_forces(frames))


def write_springs(springs: Springs, frames: FrameSet, path: Path) -> Consistency | None:
    """Write the springs.json of some frames, with the keys of their consistency.

    Parameters
    ----------
    springs
        Fitted to the frames.
    frames
        The frames.
    path
        File to write.

    Returns
    -------
    consistency
        That of `frames`, or None.
    """
    compared = consistency(frames)
    springs.write(path, compared.to_json() if compared else None)
    return compared


def bond_forces(frames: FrameSet) -> list[BondForce]:
    """Return the mean force along each bond outside rings, on the side that moves when it is stretched.

    Parameters
    ----------
    frames
        Molecules; bonds are those of the mean distances.
    """
    bonds, _ = mean_bonds(frames)
    forces = []
    for bond in bonds.tolist():
        moving = moving_side(frames.atomic_numbers, bonds, bond)
        if moving is None:
            continue
        fixed_atom, moving_atom = bond if bond[1] in moving else bond[::-1]
        vector = frames.positions[:, moving_atom] - frames.positions[:, fixed_atom]
        unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
        along = np.sum(frames.forces[:, moving].sum(axis=1) * unit, axis=1) * KCAL_MOL_PER_EV
        forces.append(BondForce(bond_name(frames.atomic_numbers, bond), *_mean(along)))
    return forces


def _mean(values: FloatArray) -> tuple[float, float]:
    """Return the mean and its standard error, under the assumption that the values are independent."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
