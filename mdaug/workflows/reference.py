"""Ab-initio energies of frames or of the scans of a structure, with files and figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.errors import DataError
from mdaug.files import write_json, write_text
from mdaug.frames import IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.jobs import Where
from mdaug.quantum import Level, PointStore, SinglePointJob, SinglePointResult, compute
from mdaug.quantum.calculators import check_spin
from mdaug.quantum.labeled_frames import frame_jobs, rms_difference_eV, write_labeled
from mdaug.quantum.mean_field import median_bonds, pyscf
from mdaug.quantum.scans import parse_scan, scan_energies, scan_jobs
from mdaug.reports.reference_scans import save_reference_figure
from mdaug.sampling.structures import formal_charge, starting_structures
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.environment import command_line
from mdaug.workflows.settings.options import DataOptions


@dataclass(frozen=True)
class ReferenceResult:
    """Results of `mdaug reference`.

    Parameters
    ----------
    files
        Files with energies.
    n_points, n_unknown
        Number of energies, and number of those that could not be computed.
    failures
        Reasons of the failures.
    core_seconds
        Computation time of all points.
    rms_difference_kcal_mol
        Rms difference from the energies of the frames, after subtraction of the means; None for scans, or if
        unknown.
    """

    files: list[Path]
    n_points: int
    n_unknown: int
    failures: list[str]
    core_seconds: float
    rms_difference_kcal_mol: float | None = None

    def counts(self) -> dict[str, Any]:
        """Return the counts for reference.json."""
        names = ("n_points", "n_unknown", "failures", "core_seconds")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class _Work:
    """Settings of the computation of frames and scans, and the output folder."""

    level: Level
    store: PointStore
    where: Where
    out: Path
    progress: Progress

    def without_forces(self) -> "_Work":
        return replace(self, level=self.level.model_copy(update={"forces": False}))

    def energies(self, jobs: list[SinglePointJob], bonds: IntArray) -> list[SinglePointResult]:
        report = partial(self.progress, "ab-initio energies")
        return compute(jobs, bonds, self.level, self.store, where=self.where, progress=report)

    def record(self, result: ReferenceResult, **more: Any) -> None:
        """Write reference.json, with further entries."""
        about = {"command": command_line(), "level": self.level.name, **self.level.model_dump()}
        write_json(self.out / "reference.json", about | more | result.counts())


def compute_scans(
    structure: str,
    scans: Sequence[str],
    level: Level,
    folder: Path,
    *,
    where: Where = Where(None),
    points: Path | None = None,
    progress: Progress = ignore,
) -> ReferenceResult:
    """Compute scans of a structure; write a CSV and an xyz file of each, start.xyz, scan.png, reference.json.

    Parameters
    ----------
    structure
        A structure file or SMILES string.
    scans
        As ``bond:0-1=0.8:1.8:0.05``.
    level
        Method and basis sets.
    folder
        Output folder.
    where
        Processes that compute [default: one on each core].
    points
        File of finished points [default: points.jsonl in `folder`].
    progress
        Called with the stage and the numbers of points done and in all.

    Raises
    ------
    DataError
        If a scan is not possible, or charge and multiplicity are not those of the structure.
    MissingDependencyError
        If PySCF is not installed.
    """
    work = _prepare(level, folder, where, points, progress)
    start = starting_structures(structure, 1)[0]
    _check_electrons(structure, level, formal_charge(structure))
    check_spin(start, level.charge, level.multiplicity)
    parsed = [parse_scan(text, start) for text in scans]
    jobs = scan_jobs(parsed, start)
    results = work.energies(jobs, find_bonds(start))
    curves = scan_energies(parsed, results)
    write_labeled(jobs[:1], results[:1], level, folder / "start.xyz")
    files, first = [], 1
    for curve in curves:
        last = first + len(curve.scan.points)
        files.append(folder / f"{curve.scan.name}.csv")
        write_text(files[-1], curve.to_csv())
        write_labeled(jobs[first:last], results[first:last], level, folder / f"{curve.scan.name}.xyz")
        first = last
    save_reference_figure(curves, folder / "scan.png")
    result = _count(results, files)
    work.record(result, scans=dict(zip(scans, (curve.scan.name for curve in curves), strict=True)))
    return result


def compute_frames(
    data: str,
    source: DataOptions,
    level: Level,
    folder: Path,
    *,
    forces_first: int | None = None,
    restricted: bool = False,
    where: Where = Where(None),
    points: Path | None = None,
    progress: Progress = ignore,
) -> ReferenceResult:
    """Compute energies (and forces) of frames and write frames.xyz and reference.json.

    Parameters
    ----------
    data, source
        The frames.
    level
        Method and basis sets.
    folder
        Output folder.
    forces_first
        Forces of the first so many frames only.
    restricted
        Restricted orbitals also where a bond breaks.
    where
        Processes that compute [default: one on each core].
    points
        File of finished points [default: points.jsonl in `folder`].
    progress
        Called with the stage and the numbers of points done and in all.

    Raises
    ------
    DataError
        If the frames have a cell, or their charge or multiplicity is not that of `level`.
    MissingDependencyError
        If PySCF is not installed.
    """
    work = _prepare(level, folder, where, points, progress)
    frames = source.load(data)
    if frames.periodic:
        raise DataError(
            f"{data}: periodic, and ab-initio energies are for molecules only; give frames without a cell"
        )
    _check_electrons(data, level, frames.charge, frames.multiplicity)
    bonds = median_bonds(frames)
    jobs = frame_jobs(frames, bonds)
    if restricted:
        jobs = [SinglePointJob(job.atoms) for job in jobs]
    n_first = len(jobs) if forces_first is None else forces_first
    results = work.energies(jobs[:n_first], bonds)
    results += work.without_forces().energies(jobs[n_first:], bonds)
    write_labeled(jobs, results, level, folder / "frames.xyz")
    energies = np.array([result.energy_eV for result in results])
    difference = KCAL_MOL_PER_EV * float(rms_difference_eV(energies, frames.energies))
    rms = difference if np.isfinite(difference) else None
    result = replace(_count(results, [folder / "frames.xyz"]), rms_difference_kcal_mol=rms)
    work.record(result, rms_difference_kcal_mol=rms)
    return result


def _prepare(level: Level, folder: Path, where: Where, points: Path | None, progress: Progress) -> _Work:
    pyscf("gto")  # raises at once if it is not installed
    if level.forces and not level.has_forces:
        raise DataError(f"{level.name} has no forces; use --method hf, mp2, df-mp2 or a density functional")
    return _Work(level, PointStore(points or folder / "points.jsonl"), where, folder, progress)


def _check_electrons(name: str, level: Level, charge: float | None, multiplicity: int | None = None) -> None:
    """Refuse a level whose charge or multiplicity is not that of the frames or the SMILES string."""
    stated = {"charge": charge, "multiplicity": multiplicity}
    for key, value in stated.items():
        if value is not None and value != getattr(level, key):
            raise DataError(
                f"{name} has {key} {value:g}, the level {getattr(level, key):g}; add --{key}={value:g}"
            )


def _count(results: list[SinglePointResult], files: list[Path]) -> ReferenceResult:
    records = [record for result in results for record in result.records]
    return ReferenceResult(
        files,
        len(results),
        sum(not np.isfinite(result.energy_eV) for result in results),
        sorted({record["error"] for record in records if "error" in record}),
        round(sum(record.get("seconds", 0.0) for record in records), 1),
    )
