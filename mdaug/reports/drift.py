"""Energy drift: figures against time and time step, table, and page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.drift import DriftResult, TimestepScaling
from mdaug.reports.html import Cell, Opening, Picture, Section, Table, write_page
from mdaug.reports.style import BLACK, GRAY, LIMIT, model_color, new_axes, new_figure, save
from mdaug.verdicts import Verdict

MOST_POINTS = 4000
"""More rows than this are thinned for drawing (the fit has used them all)."""

_LONGEST = 50
"""Maximum number of characters of a run's name in a title; of a longer name only the end is shown."""


def plot_drift(result: DriftResult, ax: Axes | None = None) -> Axes:
    """Draw the energy, its block means, and the fitted line with the 95 % band of its slope.

    Parameters
    ----------
    result
        From `energy_drift`.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    time, every = result.time_ps, -(-len(result.time_ps) // MOST_POINTS)
    style: dict[str, Any] = {"color": model_color(result.source), "linewidth": 0.5, "alpha": 0.45}
    energy = result.energy_meV_per_atom[::every]
    ax.plot(time[::every], energy, label="total energy", rasterized=True, **style)
    low, high = result.slope_ci95_meV_per_atom_ps
    wedge = 0.5 * (high - low) * np.abs(time - result.block_time_ps.mean())
    line = result.line_meV_per_atom
    band: dict[str, Any] = {"color": LIMIT, "alpha": 0.2, "linewidth": 0}
    ax.fill_between(time, line - wedge, line + wedge, label="95 % interval of the slope", **band)
    ax.plot(time, line, color=LIMIT, linewidth=1.8, label="fitted line")
    means: dict[str, Any] = {"color": BLACK, "markersize": 3.5, "label": f"means of {result.n_blocks} blocks"}
    ax.plot(result.block_time_ps, result.block_energy_meV_per_atom, "o", **means)
    ax.set_xlim(time[0], time[-1])
    ax.set_xlabel("time (ps)")
    ax.set_ylabel("energy − mean (meV/atom)")
    ax.set_title(_title(result), fontsize=10)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9, frameon=False)
    return ax


def plot_timestep_scaling(scaling: TimestepScaling, ax: Axes | None = None) -> Axes:
    """Draw the rms fluctuation against the time step on logarithmic axes, with the fit and the law Δt².

    Parameters
    ----------
    scaling
        From `timestep_scaling`.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    timesteps, rms = scaling.timesteps_fs, scaling.rms_fluctuations
    span = np.geomspace(timesteps.min() / 1.15, timesteps.max() * 1.15, 50)
    ax.loglog(timesteps, rms, "o", color=BLACK, markersize=6, label="runs")
    fit = scaling.prefactor * span**scaling.exponent
    ax.loglog(span, fit, color=LIMIT, label=f"fit: Δt^{scaling.exponent:.2f}")
    square = np.exp(np.mean(np.log(rms / timesteps**2)))
    ax.loglog(
        span, square * span**2, "--", color=GRAY, linewidth=1.4, label="Δt², the law of velocity Verlet"
    )
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
    """Return one panel for each run, and one for the scaling if there is one.

    Parameters
    ----------
    results
        From `energy_drift`.
    scaling
        From `timestep_scaling`.
    """
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
    slope = f"{result.slope_meV_per_atom_ps:.2g} meV/atom/ps, 95 % interval {low:.2g} to {high:.2g}"
    return f"{_shortened(result.source)}, {round(result.duration_ps, 1):g} ps{step}\n" + slope.replace(
        "-", "\u2212"
    )


def _shortened(source: str) -> str:
    """Return the name of a run, or the end of a long one."""
    return source if len(source) <= _LONGEST else f"…{source[1 - _LONGEST :]}"


_METHOD = (
    "Each run is divided into blocks of equal length. Their mean energies are modeled as a line with scatter "
    "and a random walk about it, because the energy of an MD run fluctuates slowly without drifting; the "
    "slope and its 95 % interval are averages over all ratios of walk to scatter, weighted by likelihood. "
    "The line is fitted to the energy named in the table: the shadow energy, which velocity Verlet "
    "conserves, where the run recorded it, else the total energy.\n\n"
    "The rms fluctuation is that of single rows about the line; for velocity Verlet it falls as the square "
    "of the time step. The drift ratio is the drift over the whole run divided by the standard deviation of "
    "the kinetic energy."
)


def write_drift_report(
    folder: Path, results: Sequence[DriftResult], scaling: TimestepScaling | None = None
) -> Path:
    """Write drift.png and drift.html, and return the page's path.

    Parameters
    ----------
    folder
        Output folder.
    results
        One for each run.
    scaling
        Fluctuation against the time step, if there are several time steps.
    """
    figure = Picture(save(drift_figure(results, scaling), folder / "drift.png"), wide=True)
    section = Section("Energy", _METHOD, [figure], [drift_table(results)])
    opening = Opening(drift_verdicts(results, scaling), next_commands=next_commands(results))
    return write_page(folder / "drift.html", "Energy drift", [section], opening=opening)


def drift_verdicts(results: Sequence[DriftResult], scaling: TimestepScaling | None = None) -> list[Verdict]:
    """Return the verdicts of all runs, named by the run where there are several.

    Parameters
    ----------
    results
        One for each run.
    scaling
        Fluctuation against the time step, if there are several time steps.
    """
    verdicts = [result.verdict for result in results]
    if len(results) > 1:
        pairs = zip(results, verdicts, strict=True)
        verdicts = [
            replace(verdict, name=f"{verdict.name} of {_shortened(result.source)}")
            for result, verdict in pairs
        ]
    return verdicts if scaling is None else [*verdicts, scaling.verdict]


def next_commands(results: Sequence[DriftResult]) -> list[tuple[str, str]]:
    """Return the commands to run after a drift.

    Parameters
    ----------
    results
        One for each run.
    """
    commands = []
    for result in results:
        run, name = str(Path(result.source).parent), Path(result.source).name
        if name != "thermo.csv" or result.timestep_fs is None:  # not a run of mdaug
            continue
        outcome = result.verdict.verdict
        if outcome == "cannot tell":
            steps = round(4000.0 * result.duration_ps / result.timestep_fs)
            commands.append((f"mdaug nve --resume --out {run} --steps {steps}", "four times as long"))
        elif outcome != "ok":
            step = f"{result.timestep_fs / 2:g}"
            commands.append((f"mdaug nve --timestep {step}", f"half the time step of {run}"))
        commands.append((f"mdaug stability {run}", "does a bond break?"))
    return commands or [("mdaug nve", "MD at constant energy")]


def drift_table(results: Sequence[DriftResult]) -> Table:
    """Return a row of figures for each run.

    Parameters
    ----------
    results
        One for each run.
    """
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
