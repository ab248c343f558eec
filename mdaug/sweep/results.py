"""Results of a sweep: table, files, figures."""

import csv
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdaug.files import write_json, write_text
from mdaug.reports.html import Cell, Table
from mdaug.reports.sweep import save_importances, save_scans
from mdaug.sweep.storage import Sweep, open_study

if TYPE_CHECKING:
    import optuna

MIN_FOR_IMPORTANCE = 8


@dataclass(frozen=True)
class Row:
    """A trial in the table of results.

    Attributes
    ----------
    parameters
        Values by SECTION.KEY.
    objective
        The number that the sweep minimizes; None unless the trial is complete.
    state
        complete, pruned, failed or running.
    folder
        Folder of the trial.
    result
        Content of its trial.json; None unless it is complete.
    error
        Reason of the failure.
    """

    parameters: dict[str, Any]
    objective: float | None
    state: str
    folder: Path
    result: dict[str, Any] | None
    error: str | None


def write_results(sweep: Sweep, trials: "list[optuna.trial.FrozenTrial]") -> list[Row]:
    """Write sweep.csv, sweep.json, scans.png and, for several keys, importance.png.

    Parameters
    ----------
    sweep
        The sweep.
    trials
        From `run_sweep`.

    Returns
    -------
    list of Row
        The best trial first.
    """
    rows = [_row(trial, sweep) for trial in trials]
    rows.sort(key=lambda row: (row.objective is None, row.objective))
    importances = _importances(sweep)
    write_json(
        sweep.folder / "sweep.json",
        {
            "objective": sweep.options.objective,
            "importances": importances,
            "trials": [_flat(row) | {"folder": row.folder.name, "error": row.error} for row in rows],
        },
    )
    write_text(sweep.folder / "sweep.csv", _csv([_flat(row) for row in rows]))
    curves = [(_label(row.parameters), _curve(row)) for row in sorted(rows, key=_order)]
    drawn = [(label, curve) for label, curve in curves if curve is not None]
    if drawn:
        save_scans(drawn, sweep.folder / "scans.png")
    if importances:
        save_importances(importances, sweep.options.objective, sweep.folder / "importance.png")
    return rows


def table(rows: list[Row], objective: str) -> Table:
    """Return the trials as a table.

    Parameters
    ----------
    rows
        From `write_results`.
    objective
        ``scan`` or ``forces``.
    """
    keys = sorted({key for row in rows for key in row.parameters})
    columns = [
        *(key.partition(".")[2] for key in keys),
        "force MAE",
        "energy MAE",
        "scan rmse",
        "extrema",
        "state",
    ]
    caption = (
        "Trials, the best first: MAE of the test frames (forces kcal/mol/Å, energies kcal/mol), rms error of "
        f"the scan below 150 kcal/mol, number of its spurious minima and maxima; sorted by {objective}"
    )
    return Table(columns, [_cells(row, keys) for row in rows], caption)


def _cells(row: Row, keys: list[str]) -> list[Cell]:
    flat = _flat(row)
    shown = (
        "test_force_mae_kcal_mol_A",
        "test_energy_mae_kcal_mol",
        "scan_rmse_kcal_mol",
        "n_spurious_extrema",
    )
    return [*(row.parameters.get(key) for key in keys), *(flat[name] for name in shown), row.state]


def _row(trial: "optuna.trial.FrozenTrial", sweep: Sweep) -> Row:
    folder = sweep.folder / "trials" / str(trial.user_attrs.get("folder", ""))
    complete = trial.state.name == "COMPLETE"
    return Row(
        parameters=dict(trial.params),
        objective=trial.value if complete else None,
        state=trial.state.name.lower(),
        folder=folder,
        result=trial.user_attrs.get("result") if complete else None,
        error=trial.user_attrs.get("error"),
    )


def _flat(row: Row) -> dict[str, Any]:
    result = row.result or {}
    test, validation, scan = (result.get(name) or {} for name in ("test", "validation", "scan"))
    return row.parameters | {
        "objective": row.objective,
        "state": row.state,
        "validation_force_mae_kcal_mol_A": validation.get("force_mae_kcal_mol_A"),
        "test_force_mae_kcal_mol_A": test.get("force_mae_kcal_mol_A"),
        "test_energy_mae_kcal_mol": test.get("energy_mae_kcal_mol"),
        "scan_rmse_kcal_mol": (scan.get("reference") or {}).get("rmse_below_150_kcal_mol"),
        "n_spurious_extrema": (scan["n_spurious_minima"] + scan["n_spurious_maxima"]) if scan else None,
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _curve(row: Row) -> np.ndarray | None:
    """Return the columns of a trial's scan.csv, None without one."""
    path = row.folder / "scan.csv"
    if row.result is None or not path.exists():
        return None
    return np.genfromtxt(path, delimiter=",", names=True)


def _order(row: Row) -> list[str]:
    return [
        f"{value:20.9f}" if isinstance(value, int | float) else str(value)
        for _, value in sorted(row.parameters.items())
    ]


def _label(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in sorted(parameters.items()))


def _importances(sweep: Sweep) -> dict[str, float]:
    """Return the fraction of each parameter in the variance of the objective (fANOVA), {} for few trials."""
    from optuna.importance import get_param_importances

    study = open_study(sweep)
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(sweep.space) < 2 or len(complete) < MIN_FOR_IMPORTANCE:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dict(get_param_importances(study))
        except (ValueError, RuntimeError):  # the objective is the same in all trials
            return {}
