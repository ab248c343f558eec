"""The warning of models (extrapolation) against GFN2-xTB: errors in MD, falls, false alarms, cost.

    python benchmarks/warning.py RUN … --out FOLDER [--limits 0.8 1.0 …] [--committee RUN …]

RUN are folders of trainings on GFN2-xTB energies (`benchmarks/zoo.py` makes many). Each model runs Langevin
dynamics from its minimum at 300, 500 and 1000 K, observed every 10 fs, until the guard stops a replica or its
energy falls 1 kcal/mol below the minimum (a fall; one in the first 0.15 ps does not count, for nothing could
be seen 0.1 ps before). Frames evenly spaced at 1000 K, and the last 12 before a fall, get GFN2-xTB energies.
Reported of each model, and of all together:

- area under the ROC curve of the largest extrapolation of an atom, for |energy error| > 5 kcal/mol at 1000 K;
- falls at any temperature with an extrapolation above a limit at least 0.1 ps before;
- rises above a limit per 100 ps at 300 K (alarms), and those of them with an energy error below 1 kcal/mol
  (false alarms; at most 100 rises of each model get GFN2-xTB energies);
- frames at 1000 K above a limit: of those with errors below 1 and above 5 kcal/mol;
- with --committee (a run of `mdaug train --committee N` with the settings of the first RUN, or single runs
  with other seeds), the same area for the deviation of the forces, max_i √⟨|F_i − ⟨F_i⟩|²⟩, along the first
  one's trajectories;
- the time of an evaluation with extrapolation, over that without.

What is there is kept, so it can be started again. Writes warning.json.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from scipy.stats import rankdata
from trajectory_errors import ask

from mdaug import MDAugCalculator
from mdaug.analysis.relax import relax
from mdaug.calculators.committee import committee_networks
from mdaug.calculators.core import Core
from mdaug.calculators.evaluators import make_finder, set_molecules
from mdaug.calculators.structures import elements_of
from mdaug.deployment import read_manifest
from mdaug.files import write_json
from mdaug.frames import structure_from_json
from mdaug.geometry.rigid_motion import thermal_momenta
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md.core_integrator import advance_together, core_integrators
from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions
from mdaug.options import Precision
from mdaug.quantum.calculators import charged_calculator
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.export import export_run

Archive = np.lib.npyio.NpzFile

PLAN = {300.0: (4, 25.0), 500.0: (6, 5.0), 1000.0: (6, 5.0)}
"""Temperature (K) -> replicas and their length (ps)."""

OBSERVED_STEPS, OBSERVED_FS = 20, 10.0
N_LABELED, N_BEFORE_FALL, N_ALARMS = 200, 12, 100
AHEAD_PS, EARLIEST_PS = 0.1, 0.15
ERROR_KCAL_MOL, ACCURATE_KCAL_MOL = 5.0, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--committee", nargs="*", type=Path, default=[], metavar="RUN")
    parser.add_argument("--limits", type=float, nargs="+", default=[0.8, 1.0, 1.5])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    records = [examine(run, given.out, given.limits) for run in given.runs]
    names = [name_of(run) for run in given.runs]
    rows = [summary(name, [record], given.limits[0]) for name, record in zip(names, records, strict=True)] + [
        summary("all", records, limit) for limit in given.limits
    ]
    for name, row in zip(names, rows, strict=False):
        row["cost"] = cost(given.out / name / "model.pt")
    if given.committee:
        rows[0] |= committee(given.runs[0], given.committee, given.out)
    write_json(given.out / "warning.json", rows)
    head = "ROC area | errors > 5 | falls warned | alarms/100 ps | false | above: error < 1 | > 5 |"
    print(f"| model | limit | {head}")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        keys = ("alarms_per_100_ps", "false_alarms_per_100_ps", "above_of_accurate", "above_of_wrong")
        cells = [text(row[key]) for key in keys]
        counts = f"{row['n_wrong']} of {row['n_labeled']}", f"{row['n_warned']} of {row['n_falls']}"
        print(
            f"| {row['model']} | {row['limit']:g} | {text(row['roc_area'])} | "
            + " | ".join([*counts, *cells])
            + " |"
        )
    for row in rows:
        extra = {key: row[key] for key in ("cost", "committee_roc_area") if key in row}
        print(row["model"], *(f"{key} {text(value)}" for key, value in extra.items()))


def text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def name_of(run: Path) -> str:
    return "-".join(run.resolve().parts[-2:])


def examine(run: Path, out: Path, limits: list[float]) -> dict:
    """Return extrapolation, errors and falls of a model in MD."""
    folder = out / name_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.pt"
    if not model.exists():
        export_run(run, model)
    falls, quiet, labeled = [], [], []
    false_share = dict.fromkeys(limits, 0.0)
    for kelvin, (n_replicas, ps) in PLAN.items():
        path = folder / f"{kelvin:g}K.npz"
        if not path.exists():
            np.savez(path, **dynamics(model, kelvin, n_replicas, ps))
            print(path, flush=True)
        md = np.load(path)
        values = extrapolation(model, md["numbers"], md["positions"]).max(axis=1)
        parts = np.split(values, np.cumsum(md["lengths"])[:-1])
        if kelvin == min(PLAN):
            quiet += parts
            false_share = {limit: share_of_false(model, md, values, limit, folder) for limit in limits}
        else:
            falls += [part for part, why in zip(parts, md["fall"], strict=True) if why]
        if kelvin == max(PLAN):
            labels = path.with_name("labels.npz")
            if not labels.exists():
                np.savez(labels, **label(model, md, frames_at(md)))
            of_frames = np.load(labels)
            labeled.append((values[of_frames["frame"]], of_frames["error"]))
    return {"falls": falls, "quiet": quiet, "labeled": labeled, "false_share": false_share}


def rises(values: np.ndarray, limit: float) -> np.ndarray:
    """Return the indices at which a value is above the limit, and the one before is not."""
    return np.flatnonzero((values[1:] > limit) & (values[:-1] <= limit)) + 1


def share_of_false(model: Path, md: Archive, values: np.ndarray, limit: float, folder: Path) -> float:
    """Return the part of the alarms of a model at which its energy is right."""
    starts = np.cumsum(md["lengths"]) - md["lengths"]
    parts = np.split(values, starts[1:])
    alarms = np.concatenate([start + rises(part, limit) for start, part in zip(starts, parts, strict=True)])
    if not len(alarms):
        return 0.0
    path = folder / f"alarms-{limit:g}.npz"
    if not path.exists():
        some = alarms[np.linspace(0, len(alarms) - 1, min(N_ALARMS, len(alarms))).astype(int)]
        np.savez(path, **label(model, md, some.tolist()))
    errors = np.abs(np.load(path)["error"])
    return float(np.mean(errors < ACCURATE_KCAL_MOL)) if len(errors) else 1.0


def dynamics(model: Path, kelvin: float, n_replicas: int, ps: float) -> dict:
    """Run replicas until they fall or end; return positions every 10 fs, replica by replica."""
    manifest = read_manifest(model)
    start = structure_from_json(manifest["training"]["reference_structure"])
    minimum = relax(MDAugCalculator(model, dtype="float64"), start)
    options = DynamicsOptions(temperature=kelvin, ensemble="nvt")
    guard = Guard(start, options, TrainingBonds.from_manifest(manifest))
    make = core_integrators(model, manifest, start, ensemble="nvt", dtype="float32", device="cpu")
    runs = []
    for k in range(n_replicas):
        rng = np.random.default_rng([int(kelvin), k])
        atoms = Atoms(start.numbers, minimum.atoms.positions)
        atoms.set_momenta(thermal_momenta(atoms.positions, atoms.get_masses(), kelvin, 6, rng))
        runs.append(make(atoms, options, rng, None))
    positions: list[list[np.ndarray]] = [[] for _ in runs]
    fall = [""] * n_replicas
    for _ in range(round(ps * 1000 / OBSERVED_FS)):
        alive = [k for k in range(n_replicas) if not fall[k]]
        if not alive:
            break
        advance_together([runs[k] for k in alive], OBSERVED_STEPS)
        for k in alive:
            atoms, energy = runs[k].atoms, runs[k].potential_eV
            fall[k] = guard.violation(atoms.positions, energy, atoms.get_kinetic_energy()) or ""
            if (minimum.energy_eV - energy) * KCAL_MOL_PER_EV > 1.0:
                fall[k] = fall[k] or "below minimum"
            if np.isfinite(atoms.positions).all():
                positions[k].append(atoms.get_positions())
    kept = np.concatenate([np.array(each) for each in positions if each])
    return {"numbers": start.numbers, "positions": kept, "lengths": [len(p) for p in positions], "fall": fall}


def extrapolation(model: Path, numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the extrapolation of each atom in all frames."""
    core, species = loaded(model, numbers)
    core.compute_extrapolation()
    values: list[np.ndarray] = []
    for start in range(0, len(positions), 100):
        part = np.ascontiguousarray(positions[start : start + 100])
        core.evaluate_molecules(species, part)
        of_part = core.extrapolation(*part.shape[:2])
        assert of_part is not None  # compute_extrapolation has been called
        values.append(of_part)
    return np.concatenate(values)


def loaded(
    model: Path, numbers: np.ndarray, dtype: Precision = "float64", network: int = 0
) -> tuple[Core, np.ndarray]:
    """Return the core with a model and its molecule, and the species."""
    manifest, core = read_manifest(model, network), Core(model, dtype, network=network)
    finder = make_finder(manifest)
    start = structure_from_json(manifest["training"]["reference_structure"])
    set_molecules(core, None if finder is None else finder.find(start))
    return core, elements_of(numbers, manifest["elements"])


def frames_at(md: Archive) -> list[int]:
    """Return frames evenly spaced, and the last ones before each fall."""
    n_frames, ends = len(md["positions"]), np.cumsum(md["lengths"])
    chosen = set(np.linspace(0, n_frames - 1, N_LABELED).astype(int).tolist())
    for end, length, why in zip(ends, md["lengths"], md["fall"], strict=True):
        chosen |= set(range(end - min(length, N_BEFORE_FALL), end)) if why else set()
    return sorted(chosen)


def label(model: Path, md: Archive, chosen: list[int]) -> dict:
    """Return the energy errors (kcal/mol) of chosen frames; those without SCF solution are left out."""
    record = read_manifest(model)["training"]
    truth = charged_calculator("GFN2-xTB", record.get("charge"), record.get("multiplicity"))
    positions = md["positions"]
    core, species = loaded(model, md["numbers"])
    frames, errors = [], []
    for frame in chosen:
        try:
            energy, _ = ask(truth, Atoms(md["numbers"], positions[frame]))
        except CalculationFailed:
            truth.reset()  # else it starts from the failed density
            continue
        own = core.evaluate_molecules(species, positions[frame][None])[0][0]
        frames.append(frame)
        errors.append((own - energy) * KCAL_MOL_PER_EV)
    return {"frame": frames, "error": errors}


def roc_area(values: np.ndarray, wrong: np.ndarray) -> float | None:
    """Return the probability that a wrong frame has a larger value than another one; None without both."""
    n_wrong, n_other = wrong.sum(), (~wrong).sum()
    if not (n_wrong and n_other):
        return None
    return float((rankdata(values)[wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * n_other))


def summary(name: str, records: list[dict], limit: float) -> dict:
    """Return what is reported of one model or of several."""
    values = np.concatenate([each[0] for record in records for each in record["labeled"]])
    errors = np.abs(np.concatenate([each[1] for record in records for each in record["labeled"]]))
    ahead, earliest = round(AHEAD_PS * 1000 / OBSERVED_FS), round(EARLIEST_PS * 1000 / OBSERVED_FS)
    falls = [part for record in records for part in record["falls"] if len(part) > earliest]
    quiet = [part for record in records for part in record["quiet"]]
    n_rises = [sum(len(rises(part, limit)) for part in record["quiet"]) for record in records]
    shares = [record["false_share"][limit] for record in records]
    n_false = sum(n * share for n, share in zip(n_rises, shares, strict=True))
    wrong, accurate = errors > ERROR_KCAL_MOL, errors < ACCURATE_KCAL_MOL
    quiet_ps = sum(map(len, quiet)) * OBSERVED_FS / 1000
    return {
        "model": name,
        "limit": limit,
        "roc_area": roc_area(values, wrong),
        "n_wrong": int(wrong.sum()),
        "n_labeled": len(errors),
        "n_falls": len(falls),
        "n_warned": sum(bool((part[:-ahead] > limit).any()) for part in falls),
        "alarms_per_100_ps": 100 * sum(n_rises) / quiet_ps if quiet_ps else None,
        "false_alarms_per_100_ps": 100 * n_false / quiet_ps if quiet_ps else None,
        "above_of_accurate": float(np.mean(values[accurate] > limit)) if accurate.any() else None,
        "above_of_wrong": float(np.mean(values[wrong] > limit)) if wrong.any() else None,
    }


def committee(run: Path, others: list[Path], out: Path) -> dict:
    """Return the ROC area of the deviation of a committee's forces, for the first model's labeled frames."""
    folder = out / name_of(run)
    md, labels = np.load(folder / f"{max(PLAN):g}K.npz"), np.load(folder / "labels.npz")
    positions = np.ascontiguousarray(md["positions"][labels["frame"]])
    forces = []
    networks = [(run / "model.pt", 0)]
    for other in map(committee_networks, others):
        networks += other[1:] or other  # the first network of a committee is that of `run`
    for path, network in networks:
        core, species = loaded(path, md["numbers"], network=network)
        forces.append(core.evaluate_molecules(species, positions)[1])
    deviation = np.sqrt(np.mean(np.sum((forces - np.mean(forces, axis=0)) ** 2, axis=-1), axis=0)).max(axis=1)
    wrong = np.abs(labels["error"]) > ERROR_KCAL_MOL
    return {"n_committee": len(forces), "committee_roc_area": roc_area(deviation, wrong)}


def cost(model: Path) -> float:
    """Return the time of an evaluation of 8 replicas with extrapolation over that without, minus 1."""
    start = structure_from_json(read_manifest(model)["training"]["reference_structure"])
    core, species = loaded(model, start.numbers, "float32")
    positions = np.repeat(start.positions[None], 8, axis=0)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(40):
        for on, times in seconds.items():
            core.compute_extrapolation(on)
            began = time.process_time()
            for _ in range(20):
                core.evaluate_molecules(species, positions)
            times.append(time.process_time() - began)
    return float(min(seconds[True]) / min(seconds[False]) - 1)


if __name__ == "__main__":
    main()
