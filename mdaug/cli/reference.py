"""`mdaug reference`: ab-initio energies of frames or scans, by PySCF."""

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.errors import DataError
from mdaug.files import write_json, write_text
from mdaug.frames import IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.quantum import Level, PointStore, SinglePointJob, SinglePointResult, compute
from mdaug.quantum.calculators import check_spin
from mdaug.quantum.labeled_frames import frame_jobs, rms_difference_eV, write_labeled
from mdaug.quantum.mean_field import median_bonds, pyscf
from mdaug.quantum.scans import parse_scan, scan_energies, scan_jobs
from mdaug.reports.reference_scans import save_reference_figure
from mdaug.sampling.structures import formal_charge, starting_structures
from mdaug.units import KCAL_MOL_PER_EV


def reference(
    data: str,
    /,
    *,
    scan: Annotated[list[str] | None, Parameter(negative="")] = None,
    workers: Annotated[int | None, Field(ge=0)] = None,
    points: Path | None = None,
    level: Annotated[Level, Parameter(name="*")] = Level(),
    forces_first: Annotated[int | None, Field(ge=1)] = None,
    restricted: bool = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compute ab-initio energies of frames, or of scans of a structure, by PySCF.

    Frames: writes frames.xyz. Scans: for each a CSV that `mdaug scan --reference` reads and an xyz of its
    points, and scan.png. Where a bond breaks, the energy goes over from the restricted one to that of a
    stable broken-symmetry unrestricted solution; both stand beside it. Every finished point is kept in
    points.jsonl at once: started again, the command goes on where it was.

    Parameters
    ----------
    data
        Frames (a file or the name of a set); with --scan a structure file or SMILES.
    scan
        What to scan, as often as wanted, the most important first: bond:i-j, angle:i-j-k, torsion:i-j-k-l
        or approach:i-j, each with =first:last:step if not the default; two joined by + make a grid.
    workers
        Processes of one thread each [default: all cores]; 0 writes what points.jsonl holds.
    points
        File of finished points [default: points.jsonl in the output folder].
    forces_first
        With --forces, compute forces of so many frames only, the first ones.
    restricted
        Of frames, use restricted orbitals everywhere, also where a bond breaks: quick, and too high far out.
    """
    n_workers = (os.cpu_count() or 1) if workers is None else workers
    _check(level)
    with open_run(output, command="reference") as run:
        store = PointStore(points or run.path / "points.jsonl")
        work = Work(level, store, n_workers, run.path)
        if scan:
            report = _scans(data, scan, work)
        else:
            report = _frames(data, source, work, forces_first=forces_first, restricted=restricted)
        command = shlex.join(["mdaug", *sys.argv[1:]])
        write_json(
            run.path / "reference.json",
            {"command": command, "level": level.name, **level.model_dump(), **report},
        )
    print(run.path / "reference.json")


@dataclass(frozen=True)
class Work:
    """What frames and scans are computed with, and where the results go."""

    level: Level
    store: PointStore
    n_workers: int
    out: Path

    def without_forces(self) -> "Work":
        return replace(self, level=self.level.model_copy(update={"forces": False}))

    def energies(self, sites: list[SinglePointJob], bonds: IntArray) -> list[SinglePointResult]:
        with counted("ab-initio energies") as progress:
            return compute(sites, bonds, self.level, self.store, n_workers=self.n_workers, progress=progress)


def _scans(structure: str, texts: list[str], work: Work) -> dict[str, Any]:
    start = starting_structures(structure, 1)[0]
    _check_electrons(structure, work.level, formal_charge(structure))
    check_spin(start, work.level.charge, work.level.multiplicity)
    scans = [parse_scan(text, start) for text in texts]
    sites = scan_jobs(scans, start)
    energies = work.energies(sites, find_bonds(start))
    found = scan_energies(scans, energies)
    write_labeled(sites[:1], energies[:1], work.level, work.out / "start.xyz")
    first = 1
    for one in found:
        last = first + len(one.scan.points)
        write_text(work.out / f"{one.scan.name}.csv", one.to_csv())
        write_labeled(sites[first:last], energies[first:last], work.level, work.out / f"{one.scan.name}.xyz")
        first = last
    save_reference_figure(found, work.out / "scan.png")
    return {"scans": dict(zip(texts, [one.scan.name for one in found], strict=True)), **_counts(energies)}


def _frames(
    data: str, source: DataOptions, work: Work, *, forces_first: int | None, restricted: bool
) -> dict[str, Any]:
    frames = source.load(data)
    if frames.periodic:
        raise DataError(f"{data}: periodic; ab-initio energies are for molecules only")
    _check_electrons(data, work.level, frames.charge, frames.multiplicity)
    bonds = median_bonds(frames)
    sites = frame_jobs(frames, bonds)
    if restricted:
        sites = [SinglePointJob(site.atoms) for site in sites]
    n_first = len(sites) if forces_first is None else forces_first
    energies = work.energies(sites[:n_first], bonds)
    energies += work.without_forces().energies(sites[n_first:], bonds)
    write_labeled(sites, energies, work.level, work.out / "frames.xyz")
    rms = KCAL_MOL_PER_EV * rms_difference_eV(
        np.array([found.energy_eV for found in energies]), frames.energies
    )
    console.print(f"against the frames' own energies: {rms:.3f} kcal/mol rms after the mean is taken off")
    return {"rms_difference_kcal_mol": rms if np.isfinite(rms) else None, **_counts(energies)}


def _check_electrons(name: str, level: Level, charge: float | None, multiplicity: int | None = None) -> None:
    """Refuse a level whose charge or multiplicity is not that of the frames or the SMILES string."""
    stated = {"charge": charge, "multiplicity": multiplicity}
    for key, value in stated.items():
        if value is not None and value != getattr(level, key):
            raise DataError(
                f"{name} has {key} {value:g}, the level {getattr(level, key):g}; state --{key}={value:g}"
            )


def _check(level: Level) -> None:
    pyscf("gto")  # tells at once how to install it
    if level.forces and not level.has_forces:
        raise DataError(f"{level.name} has no forces here; take --method hf, mp2, df-mp2 or a functional")


def _counts(energies: list[SinglePointResult]) -> dict[str, Any]:
    """Count points, and tell which are unknown and why."""
    records = [record for found in energies for record in found.records]
    failed = sorted({record["error"] for record in records if "error" in record})
    unknown = sum(not np.isfinite(found.energy_eV) for found in energies)
    if unknown:
        console.print(f"{unknown} of {len(energies)} energies are unknown {failed or ''}", style="yellow")
    return {
        "n_points": len(energies),
        "n_unknown": unknown,
        "failures": failed,
        "core_seconds": round(sum(record.get("seconds", 0.0) for record in records), 1),
    }
