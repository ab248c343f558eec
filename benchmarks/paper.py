"""The paper's experiment: held-out errors, O-H scans, bias at equilibrium and energy conservation against ε.

    python benchmarks/paper.py RUN … --structure inputs/reference/ethanol.xyz \
        --reference inputs/reference/bond-O2-H8.csv [--start start.xyz --anchors frames.xyz] --out FOLDER

RUN are folders of `mdaug train ethanol-ccsdt --config paper …`. `--anchors` is frames.xyz of `mdaug reference
ethanol-ccsdt --every 125`, `--start` start.xyz of `mdaug reference inputs/reference/ethanol.xyz --scan
bond:2-8`: together they give the set's energy at the reference geometry. Writes paper.json; dynamics
that has run is not run again, so the command can be started again as runs come in. `paper_report.py` draws.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from mdaug.analysis.model_scan import reference_from_csv
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.data import load_frames
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.settings.config import load_config

TIMESTEP_FS = 0.5
BOND = (2, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--structure", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--anchors", type=Path)
    parser.add_argument("--yardstick", type=Path, help="an accurate run: its forces are taken for true there")
    parser.add_argument("--temperatures", nargs="*", type=float, default=[300.0, 500.0])
    parser.add_argument("--ps", type=float, default=10.0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    frames = load_frames("ethanol-ccsdt")
    true_eV = None if given.start is None else set_energy(given.start, given.anchors, frames)
    atoms = ase.io.read(given.structure)
    true_forces = None if given.yardstick is None else forces_of(given.yardstick, atoms)
    rows = []
    for run in given.runs:
        calculator = MDAugCalculator(run / "model.pt", dtype="float64")
        row = settings(run) | {"test": json.loads((run / "results.json").read_text())["test"]}
        row |= {
            "scan": scan(calculator, atoms, given.reference),
            "raw_frames": signed(calculator, run, frames),
        }
        row |= {"equilibrium": at_equilibrium(calculator, atoms, true_eV, true_forces)}
        row["nve"] = [conserve(run, temperature, given) for temperature in given.temperatures]
        rows.append(row)
        write_json(given.out / "paper.json", {"ps": given.ps, "runs": rows})
        print(row["name"], "done", flush=True)


def settings(run: Path) -> dict:
    """Return what was trained: n displaced atoms and ε (Å), both None without augmentation, and the seed."""
    config = load_config(run / "config.toml")
    augment, on = config.augment, config.augment.enabled
    return {
        "name": run.name,
        "n_displaced": augment.n_displaced if on else None,
        "epsilon_A": augment.epsilon if on else None,
        "n_augmented": augment.n_frames if on else 0,
        "seed": config.training.seed,
    }


def set_energy(start: Path, anchors: Path, frames: FrameSet) -> float:
    """Return what the set's level gives for the start geometry, eV: the composite's energy, shifted by the
    mean difference on the anchors, frames of the set."""
    known = ase.io.read(anchors, ":")
    here = frames.select(slice(None, None, -(-len(frames) // len(known))))
    np.testing.assert_allclose([one.positions for one in known], here.positions, atol=1e-4)
    shift = here.energies - [one.get_potential_energy() for one in known]
    scatter = float(shift.std()) * KCAL_MOL_PER_EV
    print(f"the set − the composite: {len(known)} frames, scatter {scatter:.3f} kcal/mol", flush=True)
    return float(ase.io.read(start).get_potential_energy() + shift.mean())


def scan(calculator: MDAugCalculator, atoms: Atoms, reference: Path) -> dict:
    """Stretch O-H from 0.6 to 2.5 lengths; return curve and metrics."""
    length = atoms.get_distance(*BOND)
    made = bond_scan(calculator, atoms, BOND, scan_distances(0.6 * length, 2.5 * length, 0.01), label="")
    made = reference_from_csv(made, reference)
    metrics = scan_metrics(made)
    ratio, error = made.distances_A / length, made.energy_kcal_mol - made.reference_kcal_mol
    low = made.reference_kcal_mol < 150
    parts = {"inner": low & (ratio > 0.77) & (ratio < 1.55), "outer": low & (ratio >= 1.55)}
    return {
        "distance_A": made.distances_A.tolist(),
        "energy_kcal_mol": made.energy_kcal_mol.tolist(),
        "reference_kcal_mol": [None if np.isnan(e) else float(e) for e in made.reference_kcal_mol],
        "rms_kcal_mol": metrics["reference"]["rmse_below_150_kcal_mol"],
        **{f"rms_{name}_kcal_mol": float(np.sqrt(np.mean(error[part] ** 2))) for name, part in parts.items()},
        "n_spurious_extrema": metrics["n_spurious_minima"] + metrics["n_spurious_maxima"],
        "failure": metrics["failure"],
        "end_kcal_mol": float(made.energy_kcal_mol[-1]),
    }


def signed(calculator: MDAugCalculator, run: Path, frames: FrameSet) -> dict:
    """Return the mean energy error of undisplaced frames, of the training and the test part, kcal/mol."""
    split = json.loads((run / "split.json").read_text())
    means = {}
    for part in ("train", "test"):
        chosen = frames.select(np.array(split[part]))
        errors = [energy(calculator, chosen, n) - chosen.energies[n] for n in range(len(chosen))]
        means[f"{part}_kcal_mol"] = float(np.mean(errors)) * KCAL_MOL_PER_EV
    return means


def energy(calculator: MDAugCalculator, frames: FrameSet, n: int) -> float:
    return calculator.get_potential_energy(Atoms(frames.atomic_numbers, frames.positions[n]))


def forces_of(run: Path, atoms: Atoms) -> np.ndarray:
    """Return a model's forces at the reference geometry, kcal/mol/Å."""
    calculator = MDAugCalculator(run / "model.pt", dtype="float64")
    return KCAL_MOL_PER_EV * Atoms(atoms.numbers, atoms.positions, calculator=calculator).get_forces()


def at_equilibrium(
    calculator: MDAugCalculator, atoms: Atoms, true_eV: float | None, true_forces: np.ndarray | None
) -> dict:
    """Return energy and forces at the reference geometry, and how far the model's own minimum is from it."""
    here = Atoms(atoms.numbers, atoms.positions, calculator=calculator)
    forces = here.get_forces() * KCAL_MOL_PER_EV
    off = forces - (0.0 if true_forces is None else true_forces)
    energy_eV = here.get_potential_energy()
    relaxed = relax(calculator, atoms)
    lengths = [one.get_distance(*BOND) for one in (relaxed.atoms, atoms)]
    return {
        "energy_eV": energy_eV,
        "energy_error_kcal_mol": None if true_eV is None else (energy_eV - true_eV) * KCAL_MOL_PER_EV,
        "force_rms_kcal_mol_A": float(np.sqrt(np.mean(off**2))),
        "force_max_kcal_mol_A": float(np.abs(off).max()),
        "minimum_below_kcal_mol": (energy_eV - relaxed.energy_eV) * KCAL_MOL_PER_EV,
        "OH_change_A": lengths[0] - lengths[1],
    }


def conserve(run: Path, temperature_K: float, given: argparse.Namespace) -> dict:
    """Run `mdaug nve` and `mdaug drift`, unless they have run; return drift, or why it stopped."""
    folder = given.out / f"{run.name}-{temperature_K:g}K"
    if not (folder / "nve.json").exists():
        steps = ["--steps", str(round(1000 * given.ps / TIMESTEP_FS)), "--timestep", str(TIMESTEP_FS)]
        options = [
            *steps,
            "--temperature",
            f"{temperature_K:g}",
            "--equilibration",
            "2",
            "--dtype",
            "float64",
        ]
        mdaug(["nve", str(run), *options, "--out", str(folder), "--overwrite"])
    summary = json.loads((folder / "nve.json").read_text())
    row = {"temperature_K": temperature_K, "stopped_because": summary["stopped_because"]}
    row["ps"] = summary["completed_steps"] * TIMESTEP_FS / 1000
    if summary["stopped_because"]:
        return row
    if not (folder / "drift" / "drift.json").exists():
        mdaug(["drift", str(folder), "--out", str(folder / "drift"), "--overwrite"])
    drift = json.loads((folder / "drift" / "drift.json").read_text())
    keys = ("slope_meV_per_atom_ps", "slope_ci95_meV_per_atom_ps", "rms_fluctuation_meV_per_atom")
    return row | {key: drift[key] for key in keys}


def mdaug(arguments: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "mdaug", *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
