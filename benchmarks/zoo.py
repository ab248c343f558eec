"""Raw and recommended models of 24 systems unlike each other: errors, bond scans, survival in MD.

    python benchmarks/zoo.py frames|fields|train|scan|survival|report --out FOLDER [--only NAME …]

Each command does its part for every system whose earlier parts are there, and can be started again; what is
finished is kept. The systems and their two halves, for development and held aside, are in `zoo_systems.py`,
the table is made by `zoo_report.py`.

A raw model has neither augmented frames nor a baseline; the recommended one is what the program decides. Both
have the same network, epochs and frames. Scans move the smaller side of one bond of each kind rigidly, from
0.6 times its length to the cutoff, against the level of the frames.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from survival import SETTINGS, fate, minimum_eV, steps_in
from zoo_report import report
from zoo_systems import SAMPLING, SYSTEMS, ordered, structure_of

from mdaug import MDAugCalculator
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.augmentation.force_matching.assessment import fit_and_assess
from mdaug.augmentation.force_matching.topology import atom_classes
from mdaug.data import load_frames, split_frames
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.geometry.bonds import bond_name, find_bonds, sides
from mdaug.quantum.calculators import calculator_factory

MODELS = {"raw": ["--no-augment", "--model.baseline", "none"], "recommended": []}
NETWORK = ["--model.n-atom-basis", "64", "--model.n-filters", "64", "--seed", "0", "--device", "cpu"]
CUTOFF_A, SCAN_STEP_A = 5.0, 0.05
REPLICAS, PS = 4, 10.0
TIMES = (1, 2)
"""Temperatures of MD, over that of the frames."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "report"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--epochs", type=int, default=200)
    given = parser.parse_args()
    if given.part == "report":
        print(report(given.out))
        return
    for name in ordered(given.only):
        if given.part == "frames" or (given.out / name / "frames" / "frames.json").exists():
            PARTS[given.part](name, given.out / name, given.epochs)


def frames(name: str, folder: Path, _epochs: int) -> None:
    """Sample frames."""
    system, out = SYSTEMS[name], folder / "frames"
    if (out / "frames.json").exists():
        return
    start = [structure_of(name, folder)]
    options = {"temperature": system.temperature, "multiplicity": system.multiplicity}
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
        record = {"sound": False, "reason": str(error), "n_terms": 0}
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
    """Train the two models."""
    for label, options in MODELS.items():
        out = folder / label
        if (out / "results.json").exists():
            continue
        if (out / "checkpoint.pt").exists():
            mdaug("train", "--resume", "--out", str(out))
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
    start = ase.io.read(folder / "frames" / "frames.xyz", index=lowest)
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
            label: bond_scan(calculator, start, bond, grid, allow_failures=True).energy_kcal_mol.tolist()
            for label, calculator in {"reference": truth, **models}.items()
        }
        scans[bond_name(start.numbers, bond)] = {"distance_A": grid.tolist(), **curves}
    write_json(path, scans)
    print(name, "scanned", *scans, flush=True)


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
    periodic = ase.io.read(folder / "frames" / "frames.xyz", index=0).pbc.any()
    lives: dict[str, list[list[float | str]]] = {}
    for label in MODELS:
        for times in TIMES:
            out, kelvin = folder / f"nvt-{label}-{times}", times * SYSTEMS[name].temperature
            options = ["--temperature", f"{kelvin:g}", "--steps", str(steps_in(PS)), "--equilibration", "1"]
            options += SETTINGS if periodic else [*SETTINGS, "--replicas", str(REPLICAS)]
            if not (out / "nvt.json").exists():
                mdaug("nvt", str(folder / label), *options, "--overwrite", "--out", str(out))
            lives[f"{label} {times}"] = fates(out, folder / label)
    write_json(path, lives)
    print(
        name, *(f"{key}: {sum(one[1] == 'alive' for one in each)}" for key, each in lives.items()), flush=True
    )


def fates(out: Path, model: Path) -> list[list[float | str]]:
    """Return (ps lived, what ended it) of each replica; a run that did not start lived 0 ps."""
    if not (out / "nvt.json").exists():
        return [[0.0, "not started"]]
    record, minimum = json.loads((out / "nvt.json").read_text()), minimum_eV(model)
    steps, reasons = record["completed_steps"], record["stopped_because"]
    several = isinstance(steps, list)
    tables = (
        [out / f"replica-{k}" / "thermo.csv" for k in range(len(steps))] if several else [out / "thermo.csv"]
    )
    pairs = zip(steps, reasons, strict=True) if several else [(steps, reasons)]
    return [list(fate(t, minimum, *pair, PS)) for t, pair in zip(tables, pairs, strict=True)]


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
