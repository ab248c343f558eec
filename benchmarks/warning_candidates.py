"""Candidates for the warning of models, on the trajectories and labels of `benchmarks/warning.py`.

    python benchmarks/warning_candidates.py RUN … --out FOLDER        # the FOLDER of warning.py

Each candidate gives a number for each atom, 1 for the largest value of the training frames:

- network force, network energy: |F_i| of the network without baseline; distance of its atomic energy from
  the middle of the range in training;
- pair distances: distance of r_ij, for pairs of atoms closer than the cutoff in training, from the middle of
  the range in training;
- features, raw frames, and features, all frames: Mahalanobis distance of the last layer's features from
  those of raw frames, or of raw and augmented ones (the extrapolation).

Printed: area under the ROC curve for |energy error| > 5 kcal/mol at 1000 K, of all models together and the
median over models; and at the largest limit with 95 % of the falls warned 0.1 ps before: alarms per 100 ps at
300 K, and the share of frames with errors below 1 kcal/mol that are above it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from warning import (
    ACCURATE_KCAL_MOL,
    AHEAD_PS,
    EARLIEST_PS,
    ERROR_KCAL_MOL,
    OBSERVED_FS,
    PLAN,
    loaded,
    name_of,
    roc_area,
)

from mdaug.data import load_frames
from mdaug.deployment import load_model
from mdaug.frames import FrameSet
from mdaug.geometry.frame_pairs import pairs_of_frames
from mdaug.workflows.use_model import own_frames

Values = Callable[[np.ndarray], np.ndarray]
"""Positions (n, n_atoms, 3) -> numbers (n, n_atoms), not scaled yet."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    found: dict[str, list[dict]] = {}
    for run in given.runs:
        for name, record in records(run, given.out / name_of(run)).items():
            found.setdefault(name, []).append(record)
    print("| candidate | ROC area, all | median | limit | alarms/100 ps | accurate frames above |")
    print("|---|---|---|---|---|---|")
    for name, of_models in found.items():
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in summary(of_models)) + " |")


def records(run: Path, folder: Path) -> dict[str, dict]:
    """Return falls, trajectories at 300 K and labeled values of one model, by candidate."""
    raw, every = training_frames(run)
    made = {}
    for name, (values, calibration) in candidates(folder / "model.pt", raw, every).items():
        scale = scales(values(calibration), raw.atomic_numbers)
        record: dict = {"falls": [], "quiet": [], "labeled": []}
        for kelvin in PLAN:
            md = np.load(folder / f"{kelvin:g}K.npz")
            largest = (values(md["positions"]) / scale).max(axis=1)
            parts = np.split(largest, np.cumsum(md["lengths"])[:-1])
            if kelvin == min(PLAN):
                record["quiet"] += parts
            else:
                record["falls"] += [part for part, why in zip(parts, md["fall"], strict=True) if why]
        labels = np.load(folder / "labels.npz")
        record["labeled"] = (largest[labels["frame"]], np.abs(labels["error"]))
        made[name] = record
    return made


def training_frames(run: Path) -> tuple[FrameSet, np.ndarray]:
    """Return the raw training frames, and positions of raw and augmented ones."""
    raw = own_frames(run / "model.pt", "train")
    path = run / "augmented.xyz"
    added = [load_frames(path, units="eV").positions] if path.exists() else []
    return raw, np.concatenate([raw.positions, *added])


def candidates(model: Path, raw: FrameSet, every: np.ndarray) -> dict[str, tuple[Values, np.ndarray]]:
    """Return each candidate, and the frames in which its largest value is 1."""
    core, species = loaded(model, raw.atomic_numbers)
    core.set_molecules(np.empty(0, int), np.empty(0, int))  # no baseline
    script = load_model(model, "float64")
    n_atoms = len(species)

    def batches(evaluate: Callable) -> Values:
        def values(positions: np.ndarray) -> np.ndarray:
            parts = [positions[start : start + 200] for start in range(0, len(positions), 200)]
            return np.concatenate([evaluate(part).reshape(len(part), n_atoms, -1) for part in parts])

        return values

    def flat(positions: np.ndarray) -> tuple:
        n = len(positions)
        frames = FrameSet(raw.atomic_numbers, positions, np.zeros(n), np.zeros_like(positions))
        return np.tile(species, n), positions.reshape(-1, 3), *pairs_of_frames(frames, 0.0)

    def features(positions: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return script.last_features(*map(torch.as_tensor, flat(positions))).numpy()

    energy = batches(lambda positions: core.evaluate(*flat(positions))["atomic_energies"])
    force = batches(lambda positions: core.evaluate(*flat(positions))["forces"])
    feature = batches(features)
    ranges = energy(every)[..., 0]
    middle = np.array([mid_range(ranges[:, raw.atomic_numbers == z]) for z in raw.atomic_numbers])
    return {
        "network force": (lambda p: np.linalg.norm(force(p), axis=-1), every),
        "network energy": (lambda p: np.abs(energy(p)[..., 0] - middle), every),
        "pair distances": (pair_distances(every), every),
        "features, raw frames": (mahalanobis(feature, raw.positions, raw.atomic_numbers), raw.positions),
        "features, all frames": (mahalanobis(feature, every, raw.atomic_numbers), every),
    }


def mid_range(values: np.ndarray) -> float:
    return float(values.max() + values.min()) / 2


def scales(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the largest value of each atom's element."""
    return np.array([values[:, numbers == z].max() for z in numbers])


def pair_distances(training: np.ndarray, cutoff: float = 5.0) -> Values:
    i, j = np.triu_indices(training.shape[1], 1)
    d = np.linalg.norm(training[:, i] - training[:, j], axis=-1)
    low, high = d.min(axis=0), d.max(axis=0)
    near = low < cutoff

    def values(positions: np.ndarray) -> np.ndarray:
        d = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
        out = np.where(near, np.abs(d - (low + high) / 2) / ((high - low) / 2), 0.0)
        return np.stack([out[:, (i == a) | (j == a)].max(axis=1) for a in range(positions.shape[1])], axis=1)

    return values


def mahalanobis(feature: Values, training: np.ndarray, numbers: np.ndarray, ridge: float = 1e-3) -> Values:
    of_training, maps = feature(training), {}
    for z in set(numbers.tolist()):
        own = of_training[:, numbers == z].reshape(-1, of_training.shape[-1])
        variances, axes = np.linalg.eigh(np.cov(own.T))
        maps[z] = own.mean(axis=0), axes / np.sqrt(variances.clip(0) + ridge * variances.max())

    def values(positions: np.ndarray) -> np.ndarray:
        found, out = feature(positions), np.empty(positions.shape[:2])
        for z, (mean, whitening) in maps.items():
            out[:, numbers == z] = np.linalg.norm((found[:, numbers == z] - mean) @ whitening, axis=-1)
        return out

    return values


def summary(records: list[dict]) -> tuple[float, ...]:
    values = np.concatenate([each["labeled"][0] for each in records])
    errors = np.concatenate([each["labeled"][1] for each in records])
    areas = [roc_area(one, error > ERROR_KCAL_MOL) for one, error in (each["labeled"] for each in records)]
    median = np.median([area for area in areas if area is not None])
    ahead, earliest = round(AHEAD_PS * 1000 / OBSERVED_FS), round(EARLIEST_PS * 1000 / OBSERVED_FS)
    before = [part[:-ahead].max() for each in records for part in each["falls"] if len(part) > earliest]
    limit = np.sort(before)[int(0.05 * len(before))]
    quiet = [part for each in records for part in each["quiet"]]
    n_rises = sum(np.sum((part[1:] > limit) & (part[:-1] <= limit)) for part in quiet)
    alarms = 100 * n_rises / (sum(map(len, quiet)) * OBSERVED_FS / 1000)
    above = np.mean(values[errors < ACCURATE_KCAL_MOL] > limit)
    return (
        roc_area(values, errors > ERROR_KCAL_MOL) or 0.0,
        float(median),
        float(limit),
        float(alarms),
        float(above),
    )


if __name__ == "__main__":
    main()
