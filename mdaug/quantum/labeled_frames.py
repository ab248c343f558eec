"""Frames with ab-initio energies: computed, written, compared with the data's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from mdaug.files import atomic_path
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.quantum.level import Level
from mdaug.quantum.mean_field import breaking_bonds
from mdaug.quantum.single_point_jobs import SinglePointJob, SinglePointResult


def frame_jobs(frames: FrameSet, bonds: IntArray) -> list[SinglePointJob]:
    """Return a site for each frame of a molecule with these `bonds` (n_bonds, 2)."""
    sites = []
    for positions in frames.positions:
        atoms = Atoms(frames.atomic_numbers, positions)
        sites.append(SinglePointJob(atoms, breaking_bonds(atoms, bonds)))
    return sites


def write_labeled(
    sites: Sequence[SinglePointJob], energies: Sequence[SinglePointResult], level: Level, path: Path
) -> int:
    """Write the known sites as extended xyz (eV, eV/Å) and return their number.

    The comment line holds the energy, the level, and where a bond breaks ``spin_square``,
    ``restricted_energy`` and ``unrestricted_energy``.
    """
    labelled = [
        _labelled(site, found, level)
        for site, found in zip(sites, energies, strict=True)
        if np.isfinite(found.energy_eV)
    ]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        write_extxyz(stream, labelled)
    return len(labelled)


def rms_difference_eV(energies: FloatArray, reference: FloatArray) -> float:
    """Return the root mean square of their difference after its mean is taken off; unknown ones left out."""
    difference = (energies - reference)[np.isfinite(energies)]
    return float(difference.std()) if len(difference) > 1 else float("nan")


def _labelled(site: SinglePointJob, found: SinglePointResult, level: Level) -> Atoms:
    atoms = site.atoms.copy()
    results: dict[str, Any] = {"energy": found.energy_eV}
    forces = [record["forces_eV_A"] for record in found.records if "forces_eV_A" in record]
    if len(forces) == 1:  # where a bond breaks there are two, and the energy is a mixture
        results["forces"] = np.array(forces[0])
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info = {"level_of_theory": level.name, "charge": level.charge, "multiplicity": level.multiplicity}
    if found.unrestricted is not None:
        atoms.info["spin_square"] = found.spin_square
        if np.isfinite(found.unrestricted_eV):
            atoms.info["unrestricted_energy"] = found.unrestricted_eV
        if np.isfinite(found.restricted_eV):
            atoms.info["restricted_energy"] = found.restricted_eV
    return atoms
