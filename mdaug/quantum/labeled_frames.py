"""Frames with ab-initio energies: their jobs, the labeled extended xyz, comparison with other energies."""

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
    """Return a job for each frame.

    Parameters
    ----------
    frames
        Molecules.
    bonds
        Bonds of the molecule, shape (n_bonds, 2); a stretched one is treated as breaking.
    """
    jobs = []
    for positions in frames.positions:
        atoms = Atoms(frames.atomic_numbers, positions)
        jobs.append(SinglePointJob(atoms, breaking_bonds(atoms, bonds)))
    return jobs


def write_labeled(
    jobs: Sequence[SinglePointJob], results: Sequence[SinglePointResult], level: Level, path: Path
) -> int:
    """Write the geometries with a known energy as extended xyz (eV, eV/Å).

    The comment line contains the energy and the level of theory; where a bond breaks, also ``spin_square``,
    ``restricted_energy`` and ``unrestricted_energy``.

    Parameters
    ----------
    jobs
        The geometries.
    results
        The result of each job.
    level
        Level of theory of the results.
    path
        File to write.

    Returns
    -------
    n_written
        Number of geometries written.
    """
    labeled = [
        _labeled(job, result, level)
        for job, result in zip(jobs, results, strict=True)
        if np.isfinite(result.energy_eV)
    ]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        write_extxyz(stream, labeled)
    return len(labeled)


def rms_difference_eV(energies: FloatArray, reference: FloatArray) -> float:
    """Return the root mean square difference after subtraction of its mean, eV.

    Parameters
    ----------
    energies
        Shape (n,), eV; NaN where unknown, which is left out.
    reference
        Shape (n,), eV.
    """
    difference = (energies - reference)[np.isfinite(energies)]
    return float(difference.std()) if len(difference) > 1 else float("nan")


def _labeled(job: SinglePointJob, result: SinglePointResult, level: Level) -> Atoms:
    atoms = job.atoms.copy()
    properties: dict[str, Any] = {"energy": result.energy_eV}
    forces = [record["forces_eV_A"] for record in result.records if "forces_eV_A" in record]
    if len(forces) == 1:  # where a bond breaks there are two energies, and the result is a mixture of both
        properties["forces"] = np.array(forces[0])
    atoms.calc = SinglePointCalculator(atoms, **properties)
    atoms.info = {"level_of_theory": level.name, "charge": level.charge, "multiplicity": level.multiplicity}
    if result.unrestricted is not None:
        atoms.info["spin_square"] = result.spin_square
        if np.isfinite(result.unrestricted_eV):
            atoms.info["unrestricted_energy"] = result.unrestricted_eV
        if np.isfinite(result.restricted_eV):
            atoms.info["restricted_energy"] = result.restricted_eV
    return atoms
