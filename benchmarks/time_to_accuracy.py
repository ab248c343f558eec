"""Error on held-out frames against wall time: mdaug and SchNetPack, each with its own recommended settings.

    python benchmarks/time_to_accuracy.py mdaug      --out FOLDER --minutes 10
    python benchmarks/time_to_accuracy.py schnetpack --out FOLDER --minutes 60 --python spk/bin/python
    python benchmarks/time_to_accuracy.py draw       --out FOLDER

Both train on the same 852 frames of the reference set, choose by the same 50, and are asked about the same
98. mdaug: `inputs/ethanol.toml` without augmentation. SchNetPack: its own MD17 experiment, as
schnetpack_md17.py says. Time is that of training and validation; the questions about held-out frames are not
in it. Started again, each side goes on where it was, until its minutes are used up. `draw` writes
time_to_accuracy.json and .png.
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from mdaug.files import write_json
from mdaug.frames import FrameSet, SplitOptions, load_frames
from mdaug.frames.splits import split_frames
from mdaug.report.style import BLUE, VERMILION, new_axes, save
from mdaug.train.checkpoint import load_checkpoint
from mdaug.train.loop import Trainer, TrainState, pick_device
from mdaug.train.tensors import FrameTensors
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflow.config import load_config

TARGETS_KCAL_MOL_A = (1.0, 0.5)
TICKS_KCAL_MOL_A = (0.25, 0.5, 1, 2, 4, 8)
SIDES = {"mdaug": BLUE, "schnetpack": VERMILION}
COLUMNS = ("seconds", "epoch", "energy_mae_kcal_mol", "force_mae_kcal_mol_A")

Row = tuple[float, int, float, float]


class TimeIsUp(Exception):
    """The minutes are used up."""


class Curve:
    """A CSV file to which a row is added after each epoch; rows beyond a checkpoint are dropped on resume."""

    def __init__(self, path: Path, last_epoch: int) -> None:
        self.path = path
        kept = [row for row in read_curve(path) if row[1] <= last_epoch]
        self.seconds = kept[-1][0] if kept else 0.0
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *kept])

    def add(self, row: Row) -> None:
        """Append a row; it is in the file when this returns."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)


def read_curve(path: Path) -> list[Row]:
    """Return the rows of a curve, none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(float(s), int(epoch), float(energy), float(force)) for s, epoch, energy, force in rows]


def split() -> list[FrameSet]:
    """Training, validation and held-out frames of the reference set."""
    frames = load_frames("ethanol-ccsdt")
    parts = split_frames(frames, SplitOptions(train=852, validation=50, test=98, seed=0))
    return [frames.select(index) for index in (parts.train, parts.validation, parts.test)]


def train_mdaug(out: Path, limit_s: float, device: str, threads: int) -> None:
    """Train with the recommended settings until the time is up."""
    training, validation, held_out = split()
    config = load_config("ethanol")
    options = config.training.model_copy(update={"threads": threads})
    trainer = Trainer(training, validation, config.model, options, pick_device(device))
    if (out / "checkpoint.pt").exists():
        trainer.restore(load_checkpoint(out / "checkpoint.pt", trainer.fingerprint))
    curve = Curve(out / "curve.csv", trainer.epoch)
    asked = FrameTensors(held_out, trainer.model)
    unit = float(trainer.model.energy_scale) * KCAL_MOL_PER_EV
    began, before = time.perf_counter(), curve.seconds

    def after_epoch(state: TrainState) -> None:
        nonlocal began
        seconds = before + time.perf_counter() - began
        aside = time.perf_counter()
        chosen_by, trainer.validation_set = trainer.validation_set, asked
        found = trainer.validate()
        trainer.validation_set = chosen_by
        curve.add((seconds, state.epoch, found.energy_mae * unit, found.force_mae * unit))
        if state.epoch % 10 == 0:
            print(
                f"{seconds:8.1f} s  epoch {state.epoch}  {found.force_mae * unit:.3f} kcal/mol/Å", flush=True
            )
        if seconds > limit_s:
            trainer.save(out)
            raise TimeIsUp
        began += time.perf_counter() - aside

    try:
        trainer.run(out, after_epoch)
    except TimeIsUp:
        print("time is up; call again with more minutes to go on")


def train_schnetpack(out: Path, limit_s: float, device: str, threads: int, python: str) -> None:
    """Write the split for the other environment, and train there."""
    parts = dict(zip(("train", "validation", "test"), split(), strict=True))
    arrays: dict[str, np.ndarray] = {"atomic_numbers": parts["train"].atomic_numbers}
    for name, frames in parts.items():
        arrays[f"{name}_positions"] = frames.positions
        arrays[f"{name}_energies"] = frames.energies * KCAL_MOL_PER_EV
        arrays[f"{name}_forces"] = frames.forces * KCAL_MOL_PER_EV
    np.savez(out / "split.npz", **arrays)  # type: ignore[arg-type]
    script = Path(__file__).with_name("schnetpack_md17.py")
    command = [python, str(script), str(out.resolve()), str(limit_s), device, str(threads)]
    subprocess.run(command, check=True)


def draw(out: Path) -> None:
    """Draw both curves, and write when each reached the targets."""
    curves = {side: read_curve(out / side / "curve.csv") for side in SIDES}
    reached = {
        side: {
            "seconds_to_force_mae": {str(target): _first(rows, target) for target in TARGETS_KCAL_MOL_A},
            "best_force_mae_kcal_mol_A": min((row[3] for row in rows), default=None),
            "seconds": rows[-1][0] if rows else None,
            "epochs": rows[-1][1] if rows else None,
        }
        for side, rows in curves.items()
    }
    write_json(out / "time_to_accuracy.json", reached)
    save(_plot(curves), out / "time_to_accuracy.png")
    for side, found in reached.items():
        print(side, found)


def _first(rows: list[Row], target: float) -> float | None:
    return next((row[0] for row in rows if row[3] <= target), None)


def _plot(curves: dict[str, list[Row]]) -> Axes:
    ax = new_axes()
    for side, rows in curves.items():
        if rows:
            ax.plot([row[0] for row in rows], [row[3] for row in rows], color=SIDES[side], label=side)
    for target in TARGETS_KCAL_MOL_A:
        ax.axhline(target, color="0.4", linestyle=":", linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_yticks(TICKS_KCAL_MOL_A, [str(tick) for tick in TICKS_KCAL_MOL_A])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("wall time of training (s)")
    ax.set_ylabel("force MAE on held-out frames (kcal/mol/Å)")
    ax.legend(frameon=False)
    return ax


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*SIDES, "draw"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="of an environment with SchNetPack")
    given = parser.parse_args()
    if given.what == "draw":
        return draw(given.out)
    out = given.out / given.what
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    if given.what == "mdaug":
        return train_mdaug(out, 60 * given.minutes, given.device, given.threads)
    return train_schnetpack(out, 60 * given.minutes, given.device, given.threads, given.python)


if __name__ == "__main__":
    main()
