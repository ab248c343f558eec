"""Raw and recommended models of 24 systems unlike each other: errors, bond scans, survival in MD.

    python benchmarks/zoo.py frames|fields|train|scan|survival|report --out FOLDER [--only NAME …]

Each command does its part for every system whose earlier parts are there, and can be started again; what is
finished is kept. With `--workers N`, or `--scheduler ADDRESS` for the workers of a Dask cluster that see the
folder, the systems are independent jobs. The systems and their two halves, for development and held aside,
are in `zoo_systems.py`, the table is made by `zoo_report.py`.

A raw model has neither augmented frames nor a baseline; the recommended one is what the program decides. Both
have the same frames, network and number of optimizer steps. Scans move the smaller side of one bond of each
kind rigidly, from 0.6 times its length to the cutoff, against the level of the frames.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from survival import SETTINGS, fate, steps_in
from zoo_report import read, report
from zoo_systems import SAMPLING, SYSTEMS, ordered, structure_of

from mdaug import MDAugCalculator
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.augmentation.force_matching.assessment import fit_and_assess
from mdaug.augmentation.force_matching.topology import atom_classes
from mdaug.data import load_frames, split_frames
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError
from mdaug.examination.force_field import ExaminedForceField
from mdaug.files import write_json
from mdaug.frames import structure_from_json
from mdaug.geometry.bonds import bond_name, find_bonds, sides
from mdaug.jobs import Failure, Job, Where, run_jobs
from mdaug.processes import run_command
from mdaug.quantum.calculators import calculator_factory

MODELS = {"recommended": [], "raw": ["--no-augment", "--model.baseline", "none"]}
COUNTS = ("n_raw_frames", "n_augmented_frames")
STEPS_RATIO = 2
"""Epochs of a training without augmented frames, over those of one with as many steps with them, about."""
NETWORK = ["--model.n-atom-basis", "64", "--model.n-filters", "64", "--seed", "0", "--device", "cpu"]
CUTOFF_A, SCAN_STEP_A = 5.0, 0.05
REPLICAS, FEW_REPLICAS, PS = 4, 2, 10.0
"""Runs of each model, those of linear molecules and cells, and their length."""

LINEAR_A = 0.5
"""Molecules whose second principal extent, √Σx², is less than this are linear."""

TIMES = (1, 2)
"""Temperatures of MD, over that of the frames."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "report"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, whose workers run the systems")
    given = parser.parse_args()
    if given.part == "report":
        print(report(given.out))
        return
    if given.scheduler or given.workers > 1:
        in_jobs(given)
        return
    for name in ordered(given.only):
        if given.part == "frames" or (given.out / name / "frames" / "frames.json").exists():
            PARTS[given.part](name, given.out / name, given.epochs)


def in_jobs(given: argparse.Namespace) -> None:
    """Run the part for each system as a job: this script, with --only."""
    script = [sys.executable, str(Path(__file__).resolve()), given.part, "--out", str(given.out.resolve())]
    given.out.mkdir(parents=True, exist_ok=True)
    jobs = [
        Job(name, run_command, ([*script, "--epochs", str(given.epochs), "--only", name],), given.out)
        for name in ordered(given.only)
    ]
    for result in run_jobs(jobs, Where(given.workers, given.scheduler)):
        if isinstance(result, Failure):
            print(f"FAILED: {result.error()}", flush=True)


def frames(name: str, folder: Path, _epochs: int) -> None:
    """Sample frames."""
    system, out = SYSTEMS[name], folder / "frames"
    if (out / "frames.json").exists():
        return
    start = [structure_of(name, folder)]
    options: dict[str, object] = {"temperature": system.temperature, "multiplicity": system.multiplicity}
    options |= {"calculator": system.calculator, **SAMPLING, **system.sampling}
    for key, value in options.items():
        start += [f"--{key.replace('_', '-')}", str(value)]
    mdaug("frames", *start, *(["--resume"] if (out / "run.json").exists() else []), "--out", str(out))


def fields(name: str, folder: Path, _epochs: int) -> None:
    """Fit a force field to the training frames and assess it."""
    path = folder / "field.json"
    if path.exists():
        return
    sampled = load_frames(folder / "frames" / "frames.xyz")
    training, start = sampled.select(split_frames(sampled, SplitOptions()).train), time.perf_counter()
    try:
        field, _, assessment = fit_and_assess(training)
    except DataError as error:
        record: dict[str, Any] = {"sound": False, "reason": str(error), "n_terms": 0}
    else:
        untabulated = [(int(i), int(j)) for i, j in field.untabulated_bonds]
        record = {
            "sound": assessment.sound,
            "reason": assessment.reason,
            "n_terms": field.terms.n_coefficients,
            "changed": list(assessment.changed),
            "untabulated_bonds": untabulated,
            "verdicts": [verdict.to_json() for verdict in assessment.verdicts],
        }
    write_json(path, record | {"seconds": time.perf_counter() - start})
    print(f"{name}: {'sound' if record['sound'] else 'REFUSED'}: {record['reason']}", flush=True)
    for text in record.get("changed", []):
        print(f"  {text}", flush=True)


def train(name: str, folder: Path, epochs: int) -> None:
    """Train the recommended model, and a raw one with as many optimizer steps."""
    known = json.loads((folder / "field.json").read_text()) if (folder / "field.json").exists() else None
    if known is None or not known["sound"]:
        epochs *= STEPS_RATIO
    for label, options in MODELS.items():
        out = folder / label
        if label == "raw" and (done := read(folder / "recommended" / "results.json")) is not None:
            epochs = round(
                epochs * sum(done["training"][key] for key in COUNTS) / done["training"][COUNTS[0]]
            )
        if (out / "results.json").exists():
            continue
        data = str(folder / "frames" / "frames.xyz")
        given = ["--epochs", str(epochs), *NETWORK, *options, "--overwrite", "--out", str(out)]
        mdaug("train", data, *given)


def scan(name: str, folder: Path, _epochs: int) -> None:
    """Scan one bond of each kind by both models and by the level of the frames."""
    path, system = folder / "scan.json", SYSTEMS[name]
    if path.exists() or not trained(folder):
        return
    sampled = load_frames(folder / "frames" / "frames.xyz")
    lowest = int(sampled.energies.argmin())
    start = frame(folder, lowest)
    start = Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc)
    spin = {"charge": int(sampled.charge or 0), "multiplicity": system.multiplicity}
    truth = calculator_factory(system.calculator, {}, **spin)()
    if not start.pbc.any():
        start = relax(truth, start).atoms
    models = {label: MDAugCalculator(folder / label / "model.pt", dtype="float64") for label in MODELS}
    scans = {}
    for bond in bonds_of_each_kind(start):
        grid = scan_distances(0.6 * start.get_distance(*bond, mic=True), CUTOFF_A, SCAN_STEP_A)
        curves = {
            label: finite(bond_scan(calculator, start, bond, grid, allow_failures=True).energy_kcal_mol)
            for label, calculator in {"reference": truth, **models}.items()
        }
        scans[bond_name(start.numbers, bond)] = {"distance_A": grid.tolist(), **curves}
    write_json(path, scans)
    print(name, "scanned", *scans, flush=True)


def finite(values: np.ndarray) -> list[float | None]:
    """Return numbers for JSON, None for those that are not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]


def bonds_of_each_kind(atoms: Atoms) -> list[tuple[int, int]]:
    """Return one bond of each kind of those that are not in rings; in a cell, of one molecule."""
    bonds = find_bonds(atoms)
    both = np.concatenate([bonds, bonds[:, ::-1]])
    classes = atom_classes(atoms.numbers, [both[both[:, 0] == k, 1].tolist() for k in range(len(atoms))])
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for i, j in bonds.tolist():
        if sides(len(atoms), bonds, (i, j)) is not None:
            found.setdefault(tuple(sorted((int(classes[i]), int(classes[j])))), (i, j))
    return list(found.values())


def survival(name: str, folder: Path, _epochs: int) -> None:
    """Run replicas of both models at the temperature of the frames and above."""
    path = folder / "survival.json"
    if path.exists() or not trained(folder):
        return
    lives: dict[str, list[list[float | str]]] = {}
    for label in MODELS:
        for times in TIMES:
            out, kelvin = folder / f"nvt-{label}-{times}", times * SYSTEMS[name].temperature
            options = ["--temperature", f"{kelvin:g}", "--steps", str(steps_in(PS)), "--equilibration", "1"]
            lives[f"{label} {times}"] = replicas(folder, label, [*options, *SETTINGS], out)
    write_json(path, lives)
    alive = (f"{key}: {sum(one[1] == 'alive' for one in each)}" for key, each in lives.items())
    print(name, "alive,", *alive, flush=True)


def frame(folder: Path, index: int) -> Atoms:
    """Return one of the sampled frames."""
    atoms = ase.io.read(folder / "frames" / "frames.xyz", index=index)
    assert isinstance(atoms, Atoms)
    return atoms


def replicas(folder: Path, label: str, options: list[str], out: Path) -> list[list[float | str]]:
    """Return (ps lived, what ended it) of each replica; a run that did not start lived 0 ps."""
    if at_once(frame(folder, 0)):
        if not (out / "nvt.json").exists():
            given = [*options, "--replicas", str(REPLICAS), "--overwrite"]
            mdaug("nvt", str(folder / label), *given, "--out", str(out))
        return fates(out, [out / f"replica-{k}" for k in range(REPLICAS)], folder / label)
    ended = []
    for seed in range(FEW_REPLICAS):
        one = out / f"seed-{seed}"
        if not (one / "nvt.json").exists():
            given = [*options, "--seed", str(seed), "--overwrite"]
            mdaug("nvt", str(folder / label), *given, "--out", str(one))
        ended += fates(one, [one], folder / label)
    return ended


def at_once(atoms: Atoms) -> bool:
    """Return whether replicas can be integrated at once: of molecules that are not linear."""
    centered = atoms.positions - atoms.positions.mean(axis=0)
    return not atoms.pbc.any() and bool(np.linalg.svd(centered)[1][1] > LINEAR_A)


def fates(out: Path, runs: list[Path], model: Path) -> list[list[float | str]]:
    if not (out / "nvt.json").exists():
        return [[0.0, "not started"]] * len(runs)
    record, minimum = json.loads((out / "nvt.json").read_text()), lowest_minimum_eV(model)
    ended = zip(*(np.atleast_1d(record[key]) for key in ("completed_steps", "stopped_because")), strict=True)
    pairs = zip(runs, ended, strict=True)
    return [list(fate(run / "thermo.csv", minimum, int(n), why, PS)) for run, (n, why) in pairs]


def lowest_minimum_eV(model: Path) -> float:
    """Return the lowest energy of the minima next to the reference structure and to a few frames."""
    calculator = MDAugCalculator(model / "model.pt", dtype="float64")
    start = structure_from_json(calculator.manifest["training"]["reference_structure"])
    sampled = load_frames(model.parent / "frames" / "frames.xyz")
    found = ExaminedForceField(model.name, calculator, start, model, {}, frames=sampled).minimum_eV
    return relax(calculator, start).energy_eV if found is None else found


def trained(folder: Path) -> bool:
    return all((folder / label / "results.json").exists() for label in MODELS)


def mdaug(*command: str) -> None:
    """Run a command of mdaug; its failure is reported and does not stop the others."""
    print("mdaug", *command, flush=True)
    if subprocess.run([sys.executable, "-m", "mdaug", *command], check=False).returncode:
        print("FAILED: mdaug", *command, flush=True)


PARTS = {"frames": frames, "fields": fields, "train": train, "scan": scan, "survival": survival}

if __name__ == "__main__":
    main()
