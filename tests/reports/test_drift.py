from dataclasses import replace

import numpy as np

from mdaug.analysis.drift import energy_drift, timestep_scaling
from mdaug.analysis.thermo_log import ThermoLog
from mdaug.reports.drift import drift_figure, plot_drift
from mdaug.reports.style import save


def made(timestep: float):
    rng, n = np.random.default_rng(0), 9000
    time = timestep * 0.01 * np.arange(n)
    energy = 1e-3 * timestep**2 * rng.standard_normal(n) + 5e-6 * time
    return energy_drift(ThermoLog(time, energy, np.ones(n) + energy, timestep, 9, "made"))


def test_the_line_and_the_blocks_are_those_of_the_result() -> None:
    result = made(0.5)
    axes = plot_drift(result)
    drawn = {line.get_label(): line for line in axes.get_lines()}
    assert np.array_equal(drawn["fitted line"].get_ydata(), result.line_meV_per_atom)
    assert len(drawn[f"means of {result.n_blocks} blocks"].get_xdata()) == result.n_blocks
    assert len(drawn["total energy"].get_xdata()) <= 4000


def test_the_title_tells_which_run_it_is() -> None:
    result = replace(made(0.5), source="run-1/thermo.csv")
    assert plot_drift(result).get_title().startswith("run-1/thermo.csv, 45 ps in steps of 0.5 fs\n")
    long = plot_drift(replace(result, source="a" * 100 + "-b")).get_title()
    assert long.startswith("…aaa") and "aaa-b, " in long


def test_several_runs_have_a_panel_each_and_one_for_the_law(tmp_path) -> None:
    results = [made(timestep) for timestep in (0.25, 0.5, 1.0)]
    figure = drift_figure(results, timestep_scaling(results))
    assert len(figure.axes) == 4
    assert save(figure, tmp_path / "drift.png").read_bytes().startswith(b"\x89PNG")
