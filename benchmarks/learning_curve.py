"""Held-out errors against the number of training frames: mdaug, and sGDML and PaiNN on the same frames.

    python benchmarks/learning_curve.py DATA --sizes 50 100 200 400 --sgdml PYTHON --painn PYTHON --out FOLDER

Trains with the defaults for each size (the training frames of a size are the first ones of the next), with
50 validation frames and the same test frames for all. `--sgdml` is the Python of an environment with sGDML,
which chooses its length scale on the same validation frames; `--painn` that of one with SchNetPack 2.1
(docs/speed.md), which trains PaiNN with its own settings for MD17 until it stops early or `--painn-minutes`
of CPU time are over. What is finished is kept.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mdaug.data import load_frames, split_frames
from mdaug.data.splits import SplitOptions
from mdaug.data.write import write_npz
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV

N_VALIDATION = 50
SCALES = (5, 10, 15, 20, 30)
"""Length scales that sGDML chooses among."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--test", type=int, default=98)
    parser.add_argument("--temperature", type=float, default=500.0)
    parser.add_argument("--sgdml", type=Path, help="Python of an environment with sGDML")
    parser.add_argument("--painn", type=Path, help="Python of an environment with SchNetPack")
    parser.add_argument("--painn-minutes", type=float, default=10.0, help="limit of CPU time for each size")
    parser.add_argument("--skip-mdaug", action="store_true", help="train the others only")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    frames = load_frames(given.data, temperature_K=given.temperature)
    split = split_frames(
        frames, SplitOptions(train=max(given.sizes), validation=N_VALIDATION, test=given.test)
    )
    parts = {"validation": frames.select(split.validation), "test": frames.select(split.test)}
    for size in given.sizes:
        folder = given.out / str(size)
        files = write_parts(parts | {"train": frames.select(split.train[:size])}, folder)
        errors = {}
        if not given.skip_mdaug:
            errors["mdaug"] = train_mdaug(files, given.temperature, folder / "mdaug")
        if given.sgdml is not None:
            errors["sGDML"] = train_sgdml(given.sgdml, files, parts["test"], folder / "sgdml.npz")
        if given.painn is not None:
            errors["PaiNN"] = train_painn(
                given.painn, files, parts["test"], folder / "painn.npz", given.painn_minutes
            )
        text = "; ".join(f"{name}: F {force:.3f}, E {energy:.4f}" for name, (force, energy) in errors.items())
        print(f"{size} frames: {text}", flush=True)


def write_parts(parts: dict[str, FrameSet], folder: Path) -> dict[str, Path]:
    """Write each part as an npz, in eV and angstrom."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.npz" for name in parts}
    for name, path in files.items():
        if not path.exists():
            write_npz(parts[name], path)
    return files


def train_mdaug(files: dict[str, Path], temperature_K: float, out: Path) -> tuple[float, float]:
    """Return the test errors of a model with default settings."""
    if not (out / "results.json").exists():
        parts = [f"--validation={files['validation']}", f"--test={files['test']}"]
        options = [f"--temperature={temperature_K}", "--device=cpu", "--overwrite", f"--out={out}"]
        subprocess.run(["mdaug", "train", str(files["train"]), *parts, *options], check=True)
    errors = json.loads((out / "results.json").read_text())["test"]
    return errors["force_mae_kcal_mol_A"], errors["energy_mae_kcal_mol"]


def train_sgdml(python: Path, files: dict[str, Path], test: FrameSet, out: Path) -> tuple[float, float]:
    """Return the test errors of sGDML."""
    if not out.exists():
        worker = Path(__file__).with_name("sgdml_worker.py")
        scales = [str(scale) for scale in SCALES]
        subprocess.run([python, worker, *files.values(), out, *scales], check=True)
    return errors_of(np.load(out), test)


def train_painn(
    python: Path, files: dict[str, Path], test: FrameSet, out: Path, minutes: float
) -> tuple[float, float]:
    """Return the test errors of PaiNN."""
    if not out.exists():
        worker = Path(__file__).with_name("painn_worker.py")
        subprocess.run([python, worker, *files.values(), out, f"--minutes={minutes}"], check=True)
    predicted = np.load(out)
    print(
        f"PaiNN: {predicted['epochs']} epochs, {predicted['minutes']:.1f} CPU minutes,"
        f" ended by {predicted['ended_by']}"
    )
    return errors_of(predicted, test)


def errors_of(predicted: Mapping[str, np.ndarray], test: FrameSet) -> tuple[float, float]:
    """Return the mean absolute errors of forces (kcal/mol/angstrom) and energies (kcal/mol)."""
    force = np.abs(predicted["forces"] - test.forces).mean()
    energy = np.abs(predicted["energies"] - test.energies).mean()
    return KCAL_MOL_PER_EV * float(force), KCAL_MOL_PER_EV * float(energy)


if __name__ == "__main__":
    main()
