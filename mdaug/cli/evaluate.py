"""`mdaug evaluate`: errors of a model, or another calculator, on frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mdaug.cli.arguments import check_calculator, given_options, is_model, refuse, subject_of, typed
from mdaug.cli.progress import print_next, progress_bars
from mdaug.options import Device, Precision
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import CalculatorOptions, DataOptions, OutputOptions, Part, Switch

if TYPE_CHECKING:
    from mdaug.analysis.accuracy import AccuracyResult
    from mdaug.reports.html import Cell, Table


def evaluate(
    model: Path | None = None,
    data: str | None = None,
    *,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    part: Part | None = None,
    dtype: Precision | None = None,
    device: Device | None = None,
    strict: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compute the errors of a model's energies and forces on frames.

    Writes evaluate.json and parity.png. Energies are compared as they are (no shift is fitted), forces
    component by component. With MODEL and --calculator both are compared with the frames. A calculator alone
    takes the frames as its only argument; its table also has the energy errors without their mean, as its
    zero of energy may differ. Of frames without forces the energies are compared. Frames of several systems
    are compared system by system; of more than 10 the table and figure are of all, evaluate.json has each.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    data
        A file, folder or pattern of frames, or the name of a set [default: the test frames of the model's own
        training].
    part
        Part of the frames of the model's training that is used without DATA [default: test].
    dtype
        Precision of the model [default: the model's own].
    device
        Where the model is evaluated [default: cpu].
    strict
        Refuse frames that differ from the model's training frames (other molecules or bonds, closer atoms).
    """
    from mdaug.reports.terminal import print_table
    from mdaug.workflows.evaluate import evaluate_models

    if calculator.calculator and data is None and model is not None and not is_model(model):
        model, data = None, str(model)
    model_options = typed(dtype=dtype, device=device, strict=strict)
    check_calculator(calculator, models=model is not None, instead=False, model_options=model_options)
    if data is None:
        refuse(given_options(source), "without DATA")
    else:
        refuse(typed(part=part), "with DATA, whose frames are all compared")
    inputs = [model, data]
    subject = subject_of([] if model is None else [model], calculator)
    with (
        open_run(output, command="evaluate", subject=subject, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        evaluations = evaluate_models(
            model,
            None if data is None else source.load_several(data, forces_optional=True),
            run.path,
            calculator=calculator,
            part=part or "test",
            device=device or "cpu",
            dtype=dtype,
            strict=strict,
            progress=progress,
        )
    for evaluation in evaluations:
        centered = calculator.calculator is not None
        print_table(_table(evaluation.result, evaluation.caption, centered=centered))
    print_text(run.path / "evaluate.json")
    for evaluation in evaluations:
        print_text(evaluation.figure)
    print_next("mdaug scan --bond I J  tests a bond", "mdaug nve  runs molecular dynamics")


def _table(result: "AccuracyResult", caption: str, *, centered: bool) -> "Table":
    from mdaug.reports.html import Table

    errors = result.to_json()
    energies = [_energy_row("energy (kcal/mol)", errors)]
    if centered:
        energies.append(_energy_row("energy without its mean error", result.centered().to_json()))
    columns = ["", "MAE", "RMSE", "mean error", "largest"]
    if not result.has_forces:
        return Table(columns, energies, f"{caption}, energies only")
    force = [
        "force (kcal/mol/Å)",
        errors["force_mae_kcal_mol_A"],
        errors["force_rmse_kcal_mol_A"],
        None,
        errors["force_largest_error_kcal_mol_A"],
    ]
    elements = [
        [f"force on {element}", error, None, None, None]
        for element, error in errors["force_mae_by_element_kcal_mol_A"].items()
    ]
    return Table(columns, [*energies, force, *elements, *_stress_row(errors)], caption)


def _stress_row(errors: dict[str, Any]) -> "list[list[Cell]]":
    if "stress_mae_GPa" not in errors:
        return []
    columns = ("mae", "rmse", "mean_error", "largest_error")
    return [["stress (GPa)", *(errors[f"stress_{column}_GPa"] for column in columns)]]


def _energy_row(name: str, errors: dict[str, Any]) -> "list[Cell]":
    columns = ("mae", "rmse", "mean_error", "largest_error")
    return [name, *(errors[f"energy_{column}_kcal_mol"] for column in columns)]
