"""Distances, bonds, angles and torsions in MD at the temperature of the frames, against the frames."""

from pathlib import Path
from typing import Any

import numpy as np

from mdaug.analysis.distributions import Sample, distance_histogram_error, populations, sample_like, sample_of
from mdaug.analysis.stability import stability
from mdaug.analysis.stability_result import HISTOGRAM_LIMIT
from mdaug.analysis.trajectory import open_trajectory
from mdaug.data.verification.temperature import temperature_verdicts
from mdaug.examination.dynamics import folder_name
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bond_name
from mdaug.geometry.pairs import minimum_image
from mdaug.geometry.torsions import without_straight
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.verdicts import Level, Verdict

SKIPPED_PS = 1.0
"""Beginning of each run that is left out, while the molecule heats up."""

ENOUGH_PS = 50.0
"""Less dynamics than this does not decide whether distributions differ."""

FEWEST_FRAMES = 50
"""Fewer frames do not decide it either."""

SHIFT_LIMIT, WIDTH_LIMIT = 0.5, 1.4
"""Largest shift of a mean, in standard deviations of the frames, and largest ratio of two widths."""

POPULATION_LIMIT = 0.25
"""Largest difference of the populations of a torsion's wells: half of the sum over the wells."""


def examine_distributions(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Compare the runs of the part "dynamics" with the frames.

    Parameters
    ----------
    examined
        The force field.
    budget
        Not used: no evaluations.
    """
    del budget
    frames = examined.frames
    if frames is None:
        return PartResult.not_run("There are no held-out frames; name some as DATA.")
    bonds = examined.bonds()
    folders = sorted((examined.folder / folder_name(1.0)).glob("replica-*"))
    visited = [_visited(folder, bonds) for folder in folders]
    positions = np.concatenate([parts[0] for parts in visited]) if visited else np.empty((0, 0, 3))
    if not len(positions):
        return PartResult.not_run(
            "There is no dynamics at the temperature of the frames to compare with them."
        )
    cells = None
    if frames.periodic_cells is not None:
        cells = np.repeat(frames.periodic_cells[:1], len(positions), axis=0)
    duration = sum(parts[1] for parts in visited)
    return _compared(frames, bonds, positions, cells, duration)


def _visited(folder: Path, bonds: TrainingBonds) -> tuple[FloatArray, float]:
    """Return the positions of a run before a failure, and its length, ps, without the beginning."""
    universe = open_trajectory(folder)
    judged = stability(universe, bonds)
    kept = np.flatnonzero(judged.times_ps[: judged.n_frames_before_failure] >= SKIPPED_PS)
    positions = np.array([universe.trajectory[k].positions.copy() for k in kept], dtype=np.float64)
    length = float(np.ptp(judged.times_ps[kept])) if len(kept) else 0.0
    return positions.reshape(-1, len(bonds.atomic_numbers), 3), length


def _compared(
    frames: FrameSet, bonds: TrainingBonds, positions: FloatArray, cells: FloatArray | None, duration: float
) -> PartResult:
    torsions = bonds.torsions()
    torsions = without_straight(torsions, frames.positions, frames.periodic_cells)
    ours, theirs = sample_like(frames, torsions), sample_of(frames, torsions)
    ours.add(positions, cells)
    doubt = _doubt(frames, duration)
    decides = doubt is None
    error = distance_histogram_error(ours, theirs)
    text = f"∫|h(r) − h_frames(r)| dr is {error:.2g}; the limit is {HISTOGRAM_LIMIT:g}."
    checks = [Verdict("distances", _level(error <= HISTOGRAM_LIMIT, decides), error, HISTOGRAM_LIMIT, text)]
    figures: dict[str, Any] = {
        "duration_ps": duration,
        "n_frames": len(frames),
        "h": _histograms(ours, theirs),
    }
    for kind, (names, in_runs, in_frames) in _internal_coordinates(frames, bonds, positions, cells).items():
        if len(names):
            rows = _moments(names, in_runs, in_frames)
            figures[kind] = rows
            checks += _moment_checks(kind, rows, decides)
    figures["torsions"] = _torsions(bonds, torsions, ours, theirs)
    if figures["torsions"]:
        checks.append(_torsion_check(figures["torsions"], decides))
    if doubt is not None:
        checks = [_with(check, doubt) if check.verdict == "cannot tell" else check for check in checks]
    return PartResult(tuple(checks), figures)


def _internal_coordinates(
    frames: FrameSet, bonds: TrainingBonds, positions: FloatArray, cells: FloatArray | None
) -> dict[str, tuple[tuple[str, ...], FloatArray, FloatArray]]:
    """Return names of bonds and of angles, and their values in the runs and in the frames."""
    bends = _bends(bonds)
    in_frames = frames.positions, frames.periodic_cells
    return {
        "bonds": (bonds.names, bonds.lengths(positions, cells), bonds.lengths(*in_frames)),
        "angles": (
            tuple(bond_name(bonds.atomic_numbers, bend) for bend in bends),
            _angles(positions, bends, cells),
            _angles(in_frames[0], bends, in_frames[1]),
        ),
    }


def _doubt(frames: FrameSet, duration_ps: float) -> str | None:
    """Return why a difference between runs and frames would decide nothing, None if it decides."""
    measured, _ = temperature_verdicts(frames)
    if measured.verdict in ("warning", "error"):
        return (
            f" This does not decide it, as the frames are no ensemble of their own forces: bonds vibrate at "
            f"{measured.value:.0f} K, stated are {measured.limit:g} K."
        )
    if duration_ps < ENOUGH_PS or len(frames) < FEWEST_FRAMES:
        return f" {duration_ps:.3g} ps of dynamics and {len(frames)} frames do not decide it."
    return None


def _level(passes: bool, decides: bool) -> Level:
    return "cannot tell" if not decides else "ok" if passes else "error"


def _with(check: Verdict, more: str) -> Verdict:
    return Verdict(check.name, check.verdict, check.value, check.limit, check.text + more)


def _bends(bonds: TrainingBonds) -> IntArray:
    """Return the angles i-j-k of the bonds to one image, shape (n_angles, 3)."""
    pairs = [tuple(pair) for pair in bonds.to_one_image.tolist()]
    pairs += [pair[::-1] for pair in pairs]
    bends = [(i, j, k) for i, j in pairs for other, k in pairs if other == j and i < k]
    return np.array(sorted(bends), dtype=np.int64).reshape(-1, 3)


def _angles(positions: FloatArray, index: IntArray, cells: FloatArray | None) -> FloatArray:
    """Return angles, degrees, shape (n_frames, n_angles)."""
    i, j, k = index.T
    a = minimum_image(positions[:, i] - positions[:, j], cells)
    b = minimum_image(positions[:, k] - positions[:, j], cells)
    cosine = (a * b).sum(axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _moments(names: tuple[str, ...], in_runs: FloatArray, in_frames: FloatArray) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each coordinate, in runs and in frames."""
    columns = [in_runs.mean(axis=0), in_runs.std(axis=0), in_frames.mean(axis=0), in_frames.std(axis=0)]
    keys = ("mean", "std", "mean_of_frames", "std_of_frames")
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return [{"name": name} | dict(zip(keys, numbers, strict=True)) for name, *numbers in rows]


def _moment_checks(kind: str, rows: list[dict[str, Any]], decides: bool) -> list[Verdict]:
    """Return the checks of the means and of the widths of the bonds or angles."""

    def shift(row: dict[str, Any]) -> float:
        return abs(row["mean"] - row["mean_of_frames"]) / max(row["std_of_frames"], 1e-6)

    def ratio(row: dict[str, Any]) -> float:
        one, other = max(row["std"], 1e-6), max(row["std_of_frames"], 1e-6)
        return max(one / other, other / one)

    unit = "Å" if kind == "bonds" else "°"
    far, wide = max(rows, key=shift), max(rows, key=ratio)
    means = (
        f"The mean of {far['name']} is {far['mean']:.4g} {unit}, that of the frames "
        f"{far['mean_of_frames']:.4g}: {shift(far):.2g} standard deviations; the limit is {SHIFT_LIMIT:g}."
    )
    widths = (
        f"The standard deviation of {wide['name']} is {wide['std']:.3g} {unit}, that of the frames "
        f"{wide['std_of_frames']:.3g}; the limit of the ratio is {WIDTH_LIMIT:g}."
    )
    shifted, widened = _level(shift(far) <= SHIFT_LIMIT, decides), _level(ratio(wide) <= WIDTH_LIMIT, decides)
    return [
        Verdict(f"means of {kind}", shifted, shift(far), SHIFT_LIMIT, means),
        Verdict(f"widths of {kind}", widened, ratio(wide), WIDTH_LIMIT, widths),
    ]


def _torsions(bonds: TrainingBonds, torsions: IntArray, ours: Sample, theirs: Sample) -> list[dict[str, Any]]:
    """Return the populations of the wells of each torsion."""
    return [
        {
            "name": bond_name(bonds.atomic_numbers, torsion),
            "runs": populations(ours.angles[:, k]),
            "frames": populations(theirs.angles[:, k]),
        }
        for k, torsion in enumerate(torsions)
    ]


def _torsion_check(torsions: list[dict[str, Any]], decides: bool) -> Verdict:
    def difference(torsion: dict[str, Any]) -> float:
        wells = torsion["frames"]
        return 0.5 * sum(abs(torsion["runs"][well] - wells[well]) for well in wells)

    worst = max(torsions, key=difference)
    value = difference(worst)
    text = f"Populations of {worst['name']} differ by {value:.2g}; the limit is {POPULATION_LIMIT:g}."
    return Verdict("torsions", _level(value <= POPULATION_LIMIT, decides), value, POPULATION_LIMIT, text)


def _histograms(ours: Sample, theirs: Sample) -> dict[str, list[float]]:
    centers = 0.5 * (ours.edges_A[1:] + ours.edges_A[:-1])
    columns = {"distance_A": centers, "runs": ours.density, "frames": theirs.density}
    return {name: np.round(values, 5).tolist() for name, values in columns.items()}
