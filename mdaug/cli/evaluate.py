"""`mdaug evaluate`: errors of a model on frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import given_options, refuse, typed
from mdaug.cli.progress import print_next, progress_bars
from mdaug.options import Device, Precision
from mdaug.text import print_text
from mdaug.workflows.options import DataOptions, OutputOptions, Part, Switch
from mdaug.workflows.runs import LATEST, open_run

if TYPE_CHECKING:
    from mdaug.analysis.accuracy import AccuracyResult
    from mdaug.reports.html import Table


def evaluate(
    model: Path | None = None,
    data: str | None = None,
    *,
    part: Part | None = None,
    dtype: Precision | None = None,
    device: Device = "cpu",
    strict: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compute the errors of a model's energies and forces on frames.

    Writes evaluate.json and parity.png. Energies are compared as they are (no shift is fitted), forces
    component by component.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    data
        A file of frames or the name of a set [default: the test frames of the model's own training].
    part
        Part of the frames of the model's training that is used without DATA [default: test].
    dtype
        Precision of the model [default: the model's own].
    device
        Where the model is evaluated.
    strict
        Refuse frames that differ from the model's training frames (other molecules or bonds, closer atoms).
    """
    from mdaug.reports.terminal import print_table
    from mdaug.workflows.evaluate import evaluate_model

    if data is None:
        refuse(given_options(source), "without DATA")
    else:
        refuse(typed(part=part), "with DATA, whose frames are all compared")
    inputs = [model, data]
    with (
        open_run(output, command="evaluate", subject=model or LATEST, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        evaluation = evaluate_model(
            model,
            None if data is None else source.load(data),
            run.path,
            part=part or "test",
            device=device,
            dtype=dtype,
            strict=strict,
            progress=progress,
        )
    print_table(_table(evaluation.result, evaluation.caption))
    print_text(run.path / "evaluate.json")
    print_text(run.path / "parity.png")
    print_next("mdaug scan --bond I J  tests a bond", "mdaug nve  runs molecular dynamics")


def _table(result: "AccuracyResult", caption: str) -> "Table":
    from mdaug.reports.html import Table

    errors = result.to_json()
    energy = ["energy (kcal/mol)"] + [
        errors[f"energy_{name}_kcal_mol"] for name in ("mae", "rmse", "mean_error", "largest_error")
    ]
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
    return Table(["", "MAE", "RMSE", "mean error", "largest"], [energy, force, *elements], caption)
