"""Summary of a demo: verdicts, the table of both models, and sentences on what the results mean."""

from collections.abc import Sequence
from dataclasses import replace

from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.reports.demo_model import DemoModel
from mdaug.reports.html import Cell, Table
from mdaug.verdicts import Verdict

SIMILAR = 1.5
"""Force errors whose ratio is below this are called similar."""


def demo_verdicts(models: Sequence[DemoModel]) -> list[Verdict]:
    """Return the verdicts of all models, those of the same check beside each other.

    Parameters
    ----------
    models
        The raw and the augmented model.
    """
    names = list(dict.fromkeys(verdict.name for model in models for verdict in model.verdicts))
    return [
        replace(verdict, name=f"{name}: {model.name}")
        for name in names
        for model in models
        for verdict in model.verdicts
        if verdict.name == name
    ]


def summary_table(models: Sequence[DemoModel]) -> Table:
    """Return a row for each result, a column for each model.

    Parameters
    ----------
    models
        The raw and the augmented model.
    """
    rows: list[list[Cell]] = [
        ["frames trained on", *(model.n_frames for model in models)],
        ["minutes of training", *(round(model.seconds / 60.0, 1) for model in models)],
    ]
    tests = [model.system.test for model in models if model.system.test]
    if len(tests) == len(models):
        errors = [test.to_json() for test in tests]
        rows.append(["force MAE on test frames (kcal/mol/Å)", *(e["force_mae_kcal_mol_A"] for e in errors)])
        rows.append(["energy MAE on test frames (kcal/mol)", *(e["energy_mae_kcal_mol"] for e in errors)])
    scans = [model.system.scan for model in models if model.system.scan]
    if len(scans) == len(models):
        metrics = [scan_metrics(scan) for scan in scans]
        spurious = [m["n_spurious_minima"] + m["n_spurious_maxima"] for m in metrics]
        rows.append([f"{scans[0].name} scan: spurious minima and maxima", *spurious])
        if all(m["reference"] for m in metrics):
            label = f"{scans[0].name} scan: rms error below 150 kcal/mol (kcal/mol)"
            rows.append([label, *(m["reference"]["rmse_below_150_kcal_mol"] for m in metrics)])
    rows.append(["energy drift (meV/atom/ps)", *(_drift(model) for model in models)])
    rows.append(["first broken bond, temperature of the frames", *(_broken(model) for model in models)])
    hot = [model.dynamics.survival for model in models if model.dynamics.survival]
    if len(hot) == len(models):
        label = f"runs that live {hot[0].duration_ps:g} ps at {hot[0].temperature_K:g} K"
        rows.append([label, *(f"{result.n_survived} of {len(result.lives)}" for result in hot)])
    return Table(["", *(model.name for model in models)], rows)


def conclusions(models: Sequence[DemoModel]) -> list[str]:
    """Return sentences on what the results mean: accuracy, hot dynamics, scan; as measured.

    Parameters
    ----------
    models
        The raw and the augmented model.
    """
    raw, augmented = models
    return [
        *_accuracy_sentence(raw, augmented),
        *_survival_sentence(raw, augmented),
        *_scan_sentence(raw, augmented),
    ]


def _accuracy_sentence(raw: DemoModel, augmented: DemoModel) -> list[str]:
    tests = raw.system.test, augmented.system.test
    if tests[0] is None or tests[1] is None:
        return []
    errors = [tests[0].to_json()["force_mae_kcal_mol_A"], tests[1].to_json()["force_mae_kcal_mol_A"]]
    values = f"{errors[0]:.2f} (raw) and {errors[1]:.2f} (augmented) kcal/mol/Å"
    ratio = max(errors) / max(min(errors), 1e-12)
    if ratio < SIMILAR:
        meaning = "so errors on frames like those of the training do not show which model is safe in MD"
    else:
        better = "raw" if errors[0] < errors[1] else "augmented"
        meaning = f"so on frames like those of the training the {better} model is the more accurate one"
    return [f"The force errors on test frames are {values}, {meaning}."]


def _survival_sentence(raw: DemoModel, augmented: DemoModel) -> list[str]:
    one, other = raw.dynamics.survival, augmented.dynamics.survival
    if one is None or other is None:
        return []
    counts = (
        f"At {one.temperature_K:g} K, {one.n_survived} of {len(one.lives)} runs of the raw model live "
        f"{one.duration_ps:g} ps and {other.n_survived} of {len(other.lives)} of the augmented one"
    )
    if other.n_survived > one.n_survived:
        means = "baseline and augmented frames keep" if augmented.has_baseline else "augmented frames keep"
        meaning = f"the {means} the molecule whole where the raw frames have no data"
        if other.n_survived < len(other.lives):
            meaning += ", though not always"
    elif one.n_survived == other.n_survived == 0:
        meaning = "neither model is safe at this temperature; a longer training may help (`mdaug train`)"
    elif other.n_survived == one.n_survived:
        meaning = "these runs show no difference; hotter or longer ones might"
    else:
        meaning = "here augmentation did not help; a longer training may (`mdaug train`)"
    return [f"{counts}: {meaning}."]


def _scan_sentence(raw: DemoModel, augmented: DemoModel) -> list[str]:
    one, other = raw.system.scan, augmented.system.scan
    if one is None or other is None:
        return []
    metrics = [scan_metrics(scan) for scan in (one, other)]
    spurious = [_extrema(m["n_spurious_minima"] + m["n_spurious_maxima"]) for m in metrics]
    text = (
        f"Along {one.name}, compressed and stretched, the raw model has {spurious[0]}, the "
        f"augmented model {spurious[1]}"
    )
    if all(m["reference"] for m in metrics):
        errors = [m["reference"]["rmse_below_150_kcal_mol"] for m in metrics]
        label = metrics[0]["reference"]["label"]
        if None not in errors:
            text += f"; their rms errors against {label} are {errors[0]:.3g} and {errors[1]:.3g} kcal/mol"
    return [f"{text}."]


def _extrema(n: int) -> str:
    return {0: "no spurious minimum or maximum", 1: "one spurious minimum or maximum"}.get(
        n, f"{n} spurious minima and maxima"
    )


def _drift(model: DemoModel) -> Cell:
    drift = model.dynamics.drift
    return "stopped" if drift is None else drift.slope_meV_per_atom_ps


def _broken(model: DemoModel) -> str:
    """Return the first broken bond of the run at the temperature of the frames, with its time."""
    result, stopped = model.dynamics.stability, model.dynamics.nvt_stopped
    if result.first_broken_bond is not None and stopped and "equilibration" in stopped:
        return f"{result.first_broken_bond} in the equilibration"
    if result.first_broken_bond is not None:
        return f"{result.first_broken_bond} at {result.time_to_failure_ps:.3g} ps"
    return stopped or f"none in {result.times_ps[-1]:.3g} ps"
