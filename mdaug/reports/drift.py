"""Figures of energy drift: total energy against time, and its fluctuation against the time step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.drift import DriftResult, TimestepScaling
from mdaug.reports.html import Cell, Section, Table, write_page
from mdaug.reports.style import BLACK, COLORS, SKY, VERMILION, new_axes, new_figure, save

MOST_POINTS = 4000
"""More rows than this are thinned for drawing (the fit has used them all)."""

_LONGEST = 50
"""Characters of a run's name that have room in a title; of a longer one the end is shown."""


def plot_drift(result: DriftResult, ax: Axes | None = None) -> Axes:
    """Draw the total energy, its block means, and the fitted line with the 95 % band of its slope."""
    ax = ax if ax is not None else new_axes()
    time, every = result.time_ps, -(-len(result.time_ps) // MOST_POINTS)
    ax.plot(
        time[::every],
        result.energy_meV_per_atom[::every],
        color=SKY,
        linewidth=0.4,
        alpha=0.7,
        label="total energy",
        rasterized=True,
    )
    low, high = result.slope_ci95_meV_per_atom_ps
    wedge = 0.5 * (high - low) * np.abs(time - result.block_time_ps.mean())
    line = result.line_meV_per_atom
    ax.fill_between(
        time,
        line - wedge,
        line + wedge,
        color=VERMILION,
        alpha=0.25,
        linewidth=0,
        label="95 % interval of the slope",
    )
    ax.plot(time, line, color=VERMILION, linewidth=1.6, label="fitted line")
    ax.plot(
        result.block_time_ps,
        result.block_energy_meV_per_atom,
        "o",
        color=BLACK,
        markersize=3.5,
        label=f"means of {result.n_blocks} blocks",
    )
    ax.set_xlim(time[0], time[-1])
    ax.set_xlabel("time (ps)")
    ax.set_ylabel("energy − mean (meV/atom)")
    ax.set_title(_title(result), fontsize=10)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9, frameon=False)
    return ax


def plot_timestep_scaling(scaling: TimestepScaling, ax: Axes | None = None) -> Axes:
    """Draw the rms fluctuation against the time step on logarithmic axes, with the fit and the law Δt²."""
    ax = ax if ax is not None else new_axes()
    timesteps, rms = scaling.timesteps_fs, scaling.rms_fluctuations
    span = np.geomspace(timesteps.min() / 1.15, timesteps.max() * 1.15, 50)
    ax.loglog(timesteps, rms, "o", color=BLACK, markersize=6, label="runs")
    fit = scaling.prefactor * span**scaling.exponent
    ax.loglog(span, fit, color=VERMILION, label=f"fit: $Δt^{{{scaling.exponent:.2f}}}$")
    square = np.exp(np.mean(np.log(rms / timesteps**2)))
    ax.loglog(span, square * span**2, "--", color=COLORS[0], linewidth=1.2, label="Δt²")
    ticks = np.unique(timesteps)
    ends = [rms.min(), rms.max()]  # decades are often none or one
    ax.set_yticks(ends, [f"{value:.2g}" for value in ends])
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("time step (fs)")
    ax.set_ylabel("rms fluctuation (meV/atom)")
    ax.legend(frameon=False)
    return ax


def drift_figure(results: Sequence[DriftResult], scaling: TimestepScaling | None = None) -> Figure:
    """Return one panel a run, and one for the scaling if there is one."""
    n_panels = len(results) + (scaling is not None)
    figure, panels = new_figure(n_panels, 1, width=10.0, height=3.7 * n_panels, squeeze=False)
    for result, ax in zip(results, panels[:, 0], strict=False):
        plot_drift(result, ax)
    if scaling is not None:
        plot_timestep_scaling(scaling, panels[-1, 0])
    return figure


def _title(result: DriftResult) -> str:
    low, high = result.slope_ci95_meV_per_atom_ps
    step = "" if result.timestep_fs is None else f" in steps of {result.timestep_fs:g} fs"
    source = result.source if len(result.source) <= _LONGEST else f"…{result.source[1 - _LONGEST :]}"
    slope = f"{result.slope_meV_per_atom_ps:.2g} meV/atom/ps, 95 % interval {low:.2g} to {high:.2g}"
    return f"{source}, {round(result.duration_ps, 1):g} ps{step}\n" + slope.replace("-", "\u2212")


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
