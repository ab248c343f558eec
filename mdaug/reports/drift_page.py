"""The page of a drift: the number, how sure it is, and the figure."""

from collections.abc import Sequence
from pathlib import Path

from mdaug.analysis.drift import DriftResult, TimestepScaling
from mdaug.reports.figures_drift import drift_figure
from mdaug.reports.html import Cell, Section, Table, write_page
from mdaug.reports.style import save

_METHOD = (
    "Each run is cut into blocks of equal length. Their mean energies are taken for a line with scatter and "
    "a random walk about it, as the energy of an MD run wanders without drifting; the slope and its 95 % "
    "interval are averages over all ratios of walk to scatter, by how likely each makes the run. The line "
    "is fitted to the energy in the table: the shadow energy, which velocity Verlet conserves, where "
    "the run has one, else the total energy.\n\n"
    "The rms fluctuation is that of single rows about the line; for velocity Verlet it falls as the square "
    "of the time step. The drift ratio is the drift over the whole run divided by the standard deviation of "
    "the kinetic energy."
)


def write_drift_report(
    folder: Path, results: Sequence[DriftResult], scaling: TimestepScaling | None = None, *, footer: str = ""
) -> Path:
    """Write drift.png and drift.html into `folder`."""
    figure = save(drift_figure(results, scaling), folder / "drift.png")
    section = Section("Energy", _METHOD, [figure], [drift_table(results)])
    summary = "\n\n".join([verdict(result) for result in results] + _scaling_text(scaling))
    return write_page(folder / "drift.html", "Energy drift", [section], summary=summary, footer=footer)


def drift_table(results: Sequence[DriftResult]) -> Table:
    """Return a row for each run."""
    columns = [
        "run",
        "time step (fs)",
        "duration (ps)",
        "energy",
        "slope (meV/atom/ps)",
        "95 % from",
        "to",
        "rms (meV/atom)",
        "drift ratio",
        "blocks",
    ]
    rows: list[list[Cell]] = [
        [
            result.source,
            result.timestep_fs,
            result.duration_ps,
            result.fitted.removesuffix(" energy"),
            result.slope_meV_per_atom_ps,
            *result.slope_ci95_meV_per_atom_ps,
            result.rms_fluctuation_meV_per_atom,
            result.drift_ratio,
            result.n_blocks,
        ]
        for result in results
    ]
    return Table(columns, rows)


def verdict(result: DriftResult) -> str:
    """Say in a sentence whether the energy drifts, and whether the run was long enough to tell."""
    low, high = result.slope_ci95_meV_per_atom_ps
    finding = "no drift is seen" if low <= 0.0 <= high else "the energy drifts"
    slope = f"{result.slope_meV_per_atom_ps:.2g} meV/atom/ps, 95 % interval {low:.2g} to {high:.2g}."
    text = f"{result.source}: {finding}; " + slope.replace("-", "\u2212")
    if not result.blocks_long_enough:
        text += (
            f" The energy wanders, its correlation time is {result.correlation_time_ps:.2g} ps: "
            "the interval allows for that, a longer run narrows it."
        )
    return text


def _scaling_text(scaling: TimestepScaling | None) -> list[str]:
    if scaling is None:
        return []
    return [f"The fluctuation grows as the time step to the power {scaling.exponent:.2f}; the law is 2."]
