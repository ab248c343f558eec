"""Survival of models in MD: replicas of every model at several temperatures, until they fail or end.

    python benchmarks/survival.py raw=RUN raw=RUN … ours=RUN … --ensemble nve langevin --out FOLDER

Runs `mdaug nve --replicas N` (langevin: `mdaug nvt`) for each model and temperature. Finished runs are kept
and unfinished ones resumed, so it can be started again, with more --ps as well; --count only counts what is
there. On an idle machine use --workers, one for each core.

A run fails when the guard stops it (a bond 1.5 times as long or short as at the start; atoms collide; ten
times the temperature: "heating"), or when its potential energy falls more than 1 kcal/mol below the model's
relaxed minimum, whichever is first (rows of thermo.csv, every 10 fs). A run that fails in the equilibration
counts as 0 ps. Writes survival.json and survival.png; intervals are Wilson's.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from mdaug import MDAugCalculator
from mdaug.analysis.relax import relax
from mdaug.files import write_json
from mdaug.frames import structure_from_json
from mdaug.reports.style import model_styles, new_figure, save
from mdaug.units import EV_PER_KCAL_MOL

TIMESTEP_FS = 0.5
SETTINGS = f"--timestep {TIMESTEP_FS} --dtype float32 --thermo-every 20 --frames-every 1000".split()
FIRST_PS = 10.0
BELOW_KCAL_MOL = 1.0
TEMPERATURES_K = {"nve": (300.0, 500.0, 1000.0), "langevin": (500.0, 1000.0, 1500.0)}
COMMANDS = {"nve": "nve", "langevin": "nvt"}
KINDS = {
    "bond": "bond",
    "atoms": "collapse",
    "temperature": "heating",
    "energy or": "not finite",
    r"\w+ is .* from the nearest of its partners": "shared hydrogen",
}
"""Beginning of the guard's message, a pattern -> kind of failure; BELOW is one more."""
BELOW = "below minimum"
ALIVE = "alive"


@dataclass(frozen=True)
class Job:
    """All replicas of one model in one condition."""

    label: str
    model: Path
    ensemble: str
    temperature: float
    folder: Path

    @property
    def command(self) -> str:
        return COMMANDS[self.ensemble]


def main() -> None:
    given = arguments()
    jobs = list(all_jobs(given))
    if not given.count:
        with ThreadPoolExecutor(given.workers) as pool:
            list(pool.map(lambda job: run(job, given), jobs))
    rows = []
    for label, ensemble, temperature in dict.fromkeys((j.label, j.ensemble, j.temperature) for j in jobs):
        condition = (label, ensemble, temperature)
        lives = [
            fates(job, given.ps) for job in jobs if (job.label, job.ensemble, job.temperature) == condition
        ]
        if any(lives):
            rows.append(summary(*condition, [by_model for by_model in lives if by_model]))
    write_json(given.out / "survival.json", rows)
    draw(rows, given.ps, given.out / "survival.png")
    print_table(rows, given.ps)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN", help="several runs may share a label")
    parser.add_argument("--ensemble", nargs="+", choices=list(COMMANDS), default=["nve"])
    parser.add_argument("--temperatures", nargs="+", type=float, help=f"default: {TEMPERATURES_K}")
    parser.add_argument("--replicas", type=int, default=4, help="of each run")
    parser.add_argument("--ps", type=float, default=100.0)
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    parser.add_argument("--count", action="store_true", help="start nothing; leave out runs not that far")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def all_jobs(given: argparse.Namespace) -> Iterator[Job]:
    for ensemble in given.ensemble:
        for temperature in given.temperatures or TEMPERATURES_K[ensemble]:
            for text in given.models:
                label, _, name = text.partition("=")
                folder = given.out / f"{Path(name).name}-{ensemble}-{temperature:g}K"
                yield Job(label, Path(name), ensemble, temperature, folder)


def run(job: Job, given: argparse.Namespace) -> None:
    """Bring all replicas to the end, unless they are there; first a part, after which all may be dead."""
    options = ["--temperature", f"{job.temperature:g}", "--replicas", str(given.replicas), *SETTINGS]
    for ps in (min(FIRST_PS, given.ps), given.ps):
        if fates(job, ps) is None:
            start = ["--resume"] if (job.folder / "run.json").exists() else [str(job.model), *options]
            command = [sys.executable, "-m", "mdaug", job.command, *start, "--steps", str(steps_in(ps))]
            subprocess.run([*command, "--out", str(job.folder)], check=True)


def steps_in(ps: float) -> int:
    return round(1000.0 * ps / TIMESTEP_FS)


@cache
def minimum_eV(model: Path) -> float:
    """Return the energy of the minimum that the lowest training frame relaxes to."""
    calculator = MDAugCalculator(model if model.is_file() else model / "model.pt", dtype="float64")
    start = structure_from_json(calculator.manifest["training"]["reference_structure"])
    return relax(calculator, start).energy_eV


def fates(job: Job, ps: float) -> list[tuple[float, str]] | None:
    """Return (ps lived, what ended it) of each replica, None if one is alive that has not come that far.

    A survivor has the full time and is ALIVE.
    """
    path = job.folder / f"{job.command}.json"
    if not path.exists():
        return None
    record, minimum = json.loads(path.read_text()), minimum_eV(job.model)
    ended = zip(record["completed_steps"], record["stopped_because"], strict=True)
    lives = [
        fate(job.folder / f"replica-{k}" / "thermo.csv", minimum, done, reason, ps)
        for k, (done, reason) in enumerate(ended)
    ]
    missing = record["options"]["steps"] < steps_in(ps) and any(kind == ALIVE for _, kind in lives)
    return None if missing else lives


def fate(thermo: Path, minimum: float, done: int, reason: str | None, ps: float) -> tuple[float, str]:
    """Return (ps lived, what ended it) of one run that took `done` steps."""
    ends = [(ps, ALIVE)]
    if reason is not None:
        kind = next(kind for pattern, kind in KINDS.items() if re.match(pattern, reason))
        ends.append((done * TIMESTEP_FS / 1000, kind))
    rows = [line.split(",") for line in thermo.read_text().split("\n")[1:-1]]
    deep = minimum - BELOW_KCAL_MOL * EV_PER_KCAL_MOL
    ends += [(float(row[1]) / 1000, BELOW) for row in rows if float(row[2]) < deep][:1]
    return min(ends)


def summary(label: str, ensemble: str, temperature: float, lives: list[list[tuple[float, str]]]) -> dict:
    every = [life for model in lives for life in model]
    n_alive = [sum(kind == ALIVE for _, kind in model) for model in lives]
    interval = binomtest(sum(n_alive), len(every)).proportion_ci(method="wilson")
    failed = [time for time, kind in every if kind != ALIVE]
    return {
        "model": label,
        "ensemble": ensemble,
        "temperature_K": temperature,
        "n_runs": len(every),
        "n_survived": sum(n_alive),
        "n_survived_of_each_model": n_alive,
        "interval": [interval.low, interval.high],
        "failures": dict(Counter(kind for _, kind in every if kind != ALIVE)),
        "median_life_ps": float(np.median(failed)) if failed else None,
        "fates": sorted(every),
    }


def print_table(rows: list[dict], ps: float) -> None:
    columns = [
        "condition",
        "model",
        f"alive after {ps:g} ps",
        "by seed",
        "95 %",
        "failures",
        "median life of those that failed (ps)",
    ]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in sorted(rows, key=lambda row: (row["ensemble"] != "nve", row["temperature_K"])):
        low, high = row["interval"]
        share = f"{row['n_survived']} of {row['n_runs']}"
        seeds = " ".join(map(str, row["n_survived_of_each_model"]))
        failures = ", ".join(f"{n} {kind}" for kind, n in row["failures"].items())
        life = "" if row["median_life_ps"] is None else f"{row['median_life_ps']:.2f}"
        cells = [f"{row['ensemble']} {row['temperature_K']:g}", row["model"], share, seeds]
        print(f"| {' | '.join([*cells, f'{low:.2f} to {high:.2f}', failures, life])} |")


def draw(rows: list[dict], ps: float, path: Path) -> None:
    """One panel a condition; each curve is shifted up by 0.012 so that equal ones are visible."""
    ensembles = list(dict.fromkeys(row["ensemble"] for row in rows))
    conditions = {
        e: sorted({row["temperature_K"] for row in rows if row["ensemble"] == e}) for e in ensembles
    }
    labels = list(dict.fromkeys(row["model"] for row in rows))
    styles = model_styles(labels)
    n_columns = max(map(len, conditions.values()))
    size = {"width": 3.4 * n_columns, "height": 2.9 * len(ensembles)}
    figure, axes = new_figure(len(ensembles), n_columns, **size, squeeze=False)
    for ensemble, line in zip(ensembles, axes, strict=True):
        line[0].set_ylabel("share alive")
        for ax, temperature in zip(line, conditions[ensemble], strict=False):
            ax.set_title(f"{'NVE' if ensemble == 'nve' else 'Langevin'}, {temperature:g} K")
            ax.set(ylim=(-0.03, 1.06), xlim=(-0.02 * ps, ps), xlabel="time (ps)")
            for row in rows:
                if (row["ensemble"], row["temperature_K"]) == (ensemble, temperature):
                    times, alive = curve(row, ps)
                    k = labels.index(row["model"])
                    ax.step(
                        times,
                        alive + 0.012 * k,
                        where="post",
                        label=row["model"],
                        **styles[row["model"]],
                    )
        for ax in line[len(conditions[ensemble]) :]:
            ax.set_visible(False)
    lines = {line.get_label(): line for ax in axes.flat for line in ax.get_lines()}
    figure.legend(
        [lines[label] for label in labels],
        labels,
        loc="outside upper center",
        ncols=len(labels),
        frameon=False,
    )
    save(figure, path)


def curve(row: dict, ps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and the share alive just after each of them."""
    deaths = np.array([time for time, kind in row["fates"] if kind != ALIVE])
    times = np.concatenate([[-ps, 0.0], deaths, [ps]])
    return times, np.array([1.0 - np.sum(deaths <= time) / row["n_runs"] for time in times])


if __name__ == "__main__":
    main()
