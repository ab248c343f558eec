"""Error on held-out frames against time: mdaug and SchNetPack, each with its own recommended settings.

    python benchmarks/time_to_accuracy.py mdaug      --out FOLDER --minutes 10
    python benchmarks/time_to_accuracy.py schnetpack --out FOLDER --minutes 60 --python spk/bin/python
    python benchmarks/time_to_accuracy.py draw       --out FOLDER

All train on the same 852 frames of the reference set, validate on the same 50, and are tested on the same
98. `mdaug`: `inputs/ethanol.toml`, the time to make its labels included. `mdaug_raw`: raw frames alone.
`schnetpack`: its own MD17 experiment, as schnetpack_md17.py says; `schnetpack_flushed`: the same with
denormal numbers, which slow it down, counted as zero. Time is that of training and validation, without the
evaluation of held-out frames. Started again, each side continues until its minutes are used up. `draw` writes
time_to_accuracy.json and .png of the finished sides.

With `--clock cpu` time is CPU time of the process (one thread, no loader processes): core-minutes, for
machines on which other work runs.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from error_curve import CLOCKS, Curve, read_curve
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from mdaug.augmentation import augment
from mdaug.data import SplitOptions, load_frames
from mdaug.data.splits import split_frames
from mdaug.files import write_json
from mdaug.frames import FrameSet, join_frames
from mdaug.reports.style import AUGMENTED, GRAY, OTHER_CODE, new_axes, save
from mdaug.reports.style import RAW as RAW_COLOR
from mdaug.springs import analyze_springs
from mdaug.training.checkpoint import load_checkpoint
from mdaug.training.loop import Trainer, TrainState, pick_device
from mdaug.training.tensors import FrameTensors
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.settings.config import load_config

TARGETS_KCAL_MOL_A = (1.0, 0.5)
TICKS_KCAL_MOL_A = (0.25, 0.5, 1, 2, 4, 8)
SIDES = {
    "mdaug": ("mdaug, recommended (augmented)", AUGMENTED),
    "mdaug_raw": ("mdaug, raw frames", RAW_COLOR),
    "schnetpack": ("SchNetPack", OTHER_CODE),
    "schnetpack_flushed": ("SchNetPack, denormals flushed", GRAY),
}
RAW: dict[str, dict[str, Any]] = {
    "augment": {"enabled": False},
    "model": {"prior": "none"},
    "training": {"batch_size": 10},
}
"""The raw model of docs/results.md: as many raw frames a step as the recommended one has."""

Row = tuple[float, int, float, float]


class TimeIsUpError(Exception):
    """The minutes are used up."""


def split() -> list[FrameSet]:
    """Training, validation and held-out frames of the reference set."""
    frames = load_frames("ethanol-ccsdt")
    parts = split_frames(frames, SplitOptions(train=852, validation=50, test=98, seed=0))
    return [frames.select(index) for index in (parts.train, parts.validation, parts.test)]


def train_mdaug(out: Path, given: argparse.Namespace) -> None:
    """Train with the recommended settings, labels included, or the raw ones until the time is up."""
    training, validation, held_out = split()
    config = load_config("ethanol", RAW if given.what == "mdaug_raw" else None)
    options = config.training.model_copy(update={"threads": given.threads})
    checkpoint = out / "checkpoint.pt"
    curve = Curve(out / "curve.csv", given.clock, sys.maxsize if checkpoint.exists() else 0)
    curve.start()
    if config.augment.enabled:
        springs = analyze_springs(training, config.spring_options).springs
        training = join_frames([training, augment(training, springs, config.augment_options)])
    trainer = Trainer(training, validation, config.model, options, pick_device(given.device))
    if checkpoint.exists():
        trainer.restore(load_checkpoint(checkpoint, trainer.fingerprint))
        curve = Curve(out / "curve.csv", given.clock, trainer.epoch)
        curve.start()
    asked = FrameTensors(held_out, trainer.model)
    unit = float(trainer.model.energy_scale) * KCAL_MOL_PER_EV

    def after_epoch(state: TrainState) -> None:
        curve.stop()
        chosen_by, trainer.validation_set = trainer.validation_set, asked
        errors = trainer.validate()
        trainer.validation_set = chosen_by
        curve.add(state.epoch, errors.energy_mae * unit, errors.force_mae * unit)
        if curve.seconds > 60 * given.minutes:
            trainer.save(out)
            raise TimeIsUpError
        curve.start()

    try:
        trainer.run(out, after_epoch)
    except TimeIsUpError:
        print("time is up; call again with more minutes to go on")


def train_schnetpack(out: Path, given: argparse.Namespace) -> None:
    """Write the split for the other environment, and train there."""
    parts = dict(zip(("train", "validation", "test"), split(), strict=True))
    arrays: dict[str, np.ndarray] = {"atomic_numbers": parts["train"].atomic_numbers}
    for name, frames in parts.items():
        arrays[f"{name}_positions"] = frames.positions
        arrays[f"{name}_energies"] = frames.energies * KCAL_MOL_PER_EV
        arrays[f"{name}_forces"] = frames.forces * KCAL_MOL_PER_EV
    np.savez(out / "split.npz", **arrays)  # type: ignore[arg-type]
    script = str(Path(__file__).with_name("schnetpack_md17.py"))
    how = ["--seconds", str(60 * given.minutes), "--clock", given.clock, "--device", given.device]
    how += ["--threads", str(given.threads)]
    how += ["--flush-denormals"] if given.what == "schnetpack_flushed" else []
    subprocess.run([given.python, script, str(out.resolve()), *how], check=True)


def draw(out: Path) -> None:
    """Draw the curves there are, and write when each reached the targets."""
    read = {side: read_curve(out / side / "curve.csv") for side in SIDES}
    clocks = {clock for clock, rows in read.values() if rows}
    if len(clocks) != 1:
        raise SystemExit(
            f"{out}: curves of one clock are expected, found those of {sorted(clocks) or 'none'}"
        )
    curves = {side: rows for side, (_, rows) in read.items() if rows}
    (clock,) = clocks
    reached = {side: {"clock": clock} | describe(rows) for side, rows in curves.items()}
    write_json(out / "time_to_accuracy.json", reached)
    save(_plot(curves, clock), out / "time_to_accuracy.png")
    for side, times in reached.items():
        print(side, times)


def describe(rows: list[Row]) -> dict[str, Any]:
    """When a curve first was at or below the targets, and how far it went."""
    return {
        "seconds_to_force_mae": {
            str(target): next((row[0] for row in rows if row[3] <= target), None)
            for target in TARGETS_KCAL_MOL_A
        },
        "best_force_mae_kcal_mol_A": min(row[3] for row in rows),
        "seconds": rows[-1][0],
        "epochs": rows[-1][1],
    }


def _plot(curves: dict[str, list[Row]], clock: str) -> Axes:
    ax = new_axes()
    for side, rows in curves.items():
        label, color = SIDES[side]
        ax.plot([row[0] / 60 for row in rows], [row[3] for row in rows], color=color, label=label)
    for target in TARGETS_KCAL_MOL_A:
        ax.axhline(target, color="0.4", linestyle=":", linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_yticks(TICKS_KCAL_MOL_A, [str(tick) for tick in TICKS_KCAL_MOL_A])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(
        "CPU time of training (core-minutes)" if clock == "cpu" else "wall time of training (minutes)"
    )
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
    parser.add_argument("--minutes", type=float, default=30.0, help="of that clock, all calls together")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: where other work runs")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="of an environment with SchNetPack")
    given = parser.parse_args()
    if given.clock == "cpu" and (given.device, given.threads) != ("cpu", 1):
        parser.error("--clock cpu is for --device cpu with --threads 1")
    if given.what == "draw":
        return draw(given.out)
    out = given.out / given.what
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    side = train_mdaug if given.what.startswith("mdaug") else train_schnetpack
    return side(out, given)


if __name__ == "__main__":
    main()
