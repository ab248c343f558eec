"""How long models survive MD: replicas of every model at several temperatures, until they fail or end.

    python benchmarks/survival.py raw=RUN ours=RUN … --temperatures 300 500 1000 --ps 100 --out FOLDER

Runs `mdaug nve --replicas N` for each model and temperature (finished ones are kept, so it can be started
again), counts those that the guard did not stop (bonds 1.5 times as long or short as at the start, atoms that
collide, ten times the temperature) and writes survival.json and survival.png. Intervals are Wilson's.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from mdaug.files import write_json
from mdaug.report.style import COLORS, new_figure, save

TIMESTEP_FS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN", help="several runs may share a label")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[300.0, 500.0, 1000.0])
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--ps", type=float, default=100.0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    found = {}
    for text in given.models:
        label, _, model = text.partition("=")
        for temperature in given.temperatures:
            times = lifetimes(Path(model), temperature, given)
            found.setdefault((label, temperature), []).extend(times)
    rows = [summary(label, temperature, times, given.ps) for (label, temperature), times in found.items()]
    write_json(given.out / "survival.json", rows)
    draw(rows, given.ps, given.out / "survival.png")
    print(f"| model | T (K) | survived {given.ps:g} ps | 95 % | median life of those that failed (ps) |")
    print("|---|---|---|---|---|")
    for row in rows:
        low, high = row["interval"]
        share = f"{row['n_survived']} of {row['n_runs']}"
        life = "" if row["median_life_ps"] is None else f"{row['median_life_ps']:.2f}"
        print(f"| {row['model']} | {row['temperature_K']:g} | {share} | {low:.2f} to {high:.2f} | {life} |")


def lifetimes(model: Path, temperature: float, given: argparse.Namespace) -> list[float]:
    """Return how long each replica lived, ps; NaN-free: a survivor has the full time."""
    folder = given.out / f"{model.name}-{temperature:g}K"
    if not (folder / "nve.json").exists():
        steps = str(round(1000 * given.ps / TIMESTEP_FS))
        options = ["--steps", steps, "--temperature", f"{temperature:g}", "--replicas", str(given.replicas)]
        writing = ["--thermo-every", "20", "--frames-every", "1000", "--dtype", "float32"]
        command = [sys.executable, "-m", "mdaug", "nve", str(model), *options, *writing]
        subprocess.run([*command, "--out", str(folder), "--overwrite"], check=True)
    told = json.loads((folder / "nve.json").read_text())
    return [steps * TIMESTEP_FS / 1000 for steps in told["completed_steps"]]


def summary(label: str, temperature: float, times: list[float], ps: float) -> dict:
    alive = sum(time >= ps * (1 - 1e-9) for time in times)
    interval = binomtest(alive, len(times)).proportion_ci(method="wilson")
    failed = [time for time in times if time < ps * (1 - 1e-9)]
    return {
        "model": label,
        "temperature_K": temperature,
        "n_runs": len(times),
        "n_survived": alive,
        "interval": [interval.low, interval.high],
        "median_life_ps": float(np.median(failed)) if failed else None,
        "lifetimes_ps": sorted(times),
    }


def draw(rows: list[dict], ps: float, path: Path) -> None:
    temperatures = sorted({row["temperature_K"] for row in rows})
    labels = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = new_figure(1, len(temperatures), width=3.6 * len(temperatures), height=3.4, squeeze=False)
    for ax, temperature in zip(axes[0], temperatures, strict=True):
        for row in rows:
            if row["temperature_K"] == temperature:
                times = np.array(row["lifetimes_ps"])
                grid = np.concatenate([[0.0], times, [ps]])
                alive = [np.mean(times > time) if time < ps else np.mean(times >= ps) for time in grid]
                color = COLORS[labels.index(row["model"])]
                ax.step(grid, alive, where="post", label=row["model"], color=color, linewidth=1.8)
        ax.set_title(f"{temperature:g} K")
        ax.set_xlabel("time (ps)")
        ax.set_ylim(-0.03, 1.03)
        ax.set_xlim(0, ps)
    axes[0][0].set_ylabel("share alive")
    axes[0][-1].legend(frameon=False)
    save(figure, path)


if __name__ == "__main__":
    main()
