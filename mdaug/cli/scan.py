"""`mdaug scan`: energy and force of one or several models along a bond."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mdaug.cli.arguments import MODEL_OPTIONS, check_calculator, given_options, refuse, subject_of, typed
from mdaug.cli.progress import print_next, progress_bars
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import CalculatorOptions, OutputOptions
from mdaug.workflows.settings.workflow_options import ScanOptions

if TYPE_CHECKING:
    from mdaug.reports.html import Cell, Table


def scan(
    *models: Path,
    bond: tuple[int, int],
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    options: Annotated[ScanOptions, Parameter(name="*")] = ScanOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Scan energy and force along a bond, whose smaller fragment moves rigidly.

    With MODEL and --calculator both are scanned and compared.

    Writes scan.csv (for several models one scan-NAME.csv each), scan.json with the metrics, and report.html.
    Energies are zero at the start geometry, of models and reference alike; no shift is fitted. The force
    along the bond is −dE/dd: positive pushes the fragments apart, negative pulls them together.

    Parameters
    ----------
    models
        Files model.pt or run folders [default: the latest run].
    bond
        The two atoms, counted from 0.
    """
    from mdaug.reports.scan import labeled_verdicts
    from mdaug.reports.terminal import print_table, print_verdicts
    from mdaug.workflows.scan import scan_models

    if options.points is not None:
        refuse(typed(step=options.step), "with --points")
    model_options = [name for name in given_options(options) if name in MODEL_OPTIONS]
    check_calculator(calculator, models=bool(models), instead=False, model_options=model_options)
    inputs = [*models, options.structure, options.reference]
    subject = subject_of(models, calculator)
    with open_run(output, command="scan", subject=subject, inputs=inputs) as run, progress_bars() as progress:
        study = scan_models(models, bond, options, run.path, progress, calculator=calculator)
    print_verdicts(labeled_verdicts(study.scans))
    print_table(_table(study.metrics))
    print_text(run.path / "scan.json")
    print_text(f"report {study.report}")
    print_next("mdaug nve  runs molecular dynamics", "mdaug explore  finds spurious minima that it reaches")


def _table(metrics: list[dict[str, Any]]) -> "Table":
    from mdaug.reports.html import Table

    columns = ["model", "minima", "maxima", "walls", "spurious barrier", "rmse < 150", "rmse"]
    caption = (
        f"{metrics[0]['bond']}: spurious minima and maxima, walls that rise monotonically, "
        "spurious barrier (kcal/mol), rmse to the reference (kcal/mol; where it is below 150, all)"
    )
    return Table(columns, [_row(scan) for scan in metrics], caption)


def _row(scan: dict[str, Any]) -> "list[Cell]":
    failure, reference = scan["failure"], scan["reference"] or {}
    walls = [name for name in ("inner", "outer") if scan[f"{name}_wall_monotonic"]]
    barrier = "no"
    if failure["false_barrier"]:
        barrier = f"{failure['height_kcal_mol']:.0f} at {failure['position_A']:.2f} Å"
    return [
        scan["label"],
        scan["n_spurious_minima"],
        scan["n_spurious_maxima"],
        {0: "none", 1: "".join(walls), 2: "both"}[len(walls)],
        barrier,
        reference.get("rmse_below_150_kcal_mol"),
        reference.get("rmse_kcal_mol"),
    ]
