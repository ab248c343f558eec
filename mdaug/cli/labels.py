"""`mdaug labels`: errors of every label rule against a reference."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import refuse, typed
from mdaug.cli.progress import print_next, progress_bars, warn
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import DataOptions, OutputOptions
from mdaug.workflows.settings.workflow_options import LabelStudyOptions

if TYPE_CHECKING:
    from mdaug.analysis.label_errors import LabelStudy
    from mdaug.reports.html import Cell, Table


def labels(
    data: str = "ethanol",
    *,
    calculator: str | None = None,
    reference: Path | None = None,
    options: Annotated[LabelStudyOptions, Parameter(name="*")] = LabelStudyOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Measure the errors of label rules on displaced frames, in energy and forces, against a reference.

    Rules are fitted to the training frames; the displaced frames are made from test frames. If the level of
    theory of the reference differs from that of the data, ΔE is corrected to first order with the forces of
    the data, ΔE = ΔE_ref − Σ (F_data − F_ref)·Δr, and the remaining error of the reference (column "floor")
    is measured between similar test frames. Writes labels.json, labels.png and frames.xyz: the geometries
    with the results of the calculator, as input for a better reference.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set.
    calculator
        The reference: GFN2-xTB, or module:Class of any ASE calculator [default: GFN2-xTB].
    reference
        Extended xyz file used instead of a calculator: the geometries of frames.xyz (same options and seed)
        with reference energies, written by `mdaug reference frames.xyz --forces`. The undisplaced frames need
        forces; without forces of the displaced frames only energies are compared.
    """
    from mdaug.quantum.calculators import GFN2
    from mdaug.reports.terminal import print_table
    from mdaug.workflows.labels import compare_labels

    if reference is not None:
        refuse(typed(calculator=calculator), "with --reference")
    with open_run(output, command="labels", inputs=[data, reference]) as run, progress_bars() as progress:
        study = compare_labels(
            source.load(data),
            options,
            run.path,
            calculator=calculator or GFN2,
            reference=reference,
            progress=progress,
        )
    print_table(_table(study))
    if not study.has_forces:
        warn(f"{study.truth} has no forces of the displaced frames: only energies are compared")
    print_table(_size_table(study))
    if not study.exact:
        warn(
            f"{study.truth} is not the level of theory of the data: the column floor is the "
            "error of the reference"
        )
    print_text(run.path / "labels.json")
    print_text(run.path / "labels.png")
    print_next("mdaug train --augment.rule RULE  trains with a label rule")


def _table(study: "LabelStudy") -> "Table":
    """Return a row for each kind of displacement with the true rms ΔE, and below it one for each rule."""
    from mdaug.reports.html import Table

    columns = ["", "rms", "median", "bias", "wrong\nsign %", "force\nrms"]
    columns += [] if study.exact else ["floor"]
    rows: list[list[Cell]] = []
    for cell in study.cells:
        rows.append([f"{cell.name}: true ΔE", _short(cell.rms_true_kcal_mol), *[""] * (len(columns) - 2)])
        for rule, errors in cell.rules.items():
            numbers = errors.to_json()
            keys = ("rms_kcal_mol", "median_kcal_mol", "bias_kcal_mol")
            row: list[Cell] = [f"  {rule}", *(_short(numbers[key]) for key in keys)]
            row += [round(100 * errors.sign_errors, 1), _short(numbers["force_rms_kcal_mol_A"])]
            rows.append(row if study.exact else [*row, _short(cell.floor_kcal_mol)])
    caption = f"{study.data} against {study.truth}: errors of ΔE (kcal/mol) and of forces (kcal/mol/Å)"
    return Table(columns, rows, caption)


def _size_table(study: "LabelStudy") -> "Table":
    """Return a row for each range of the true |ΔE| and a column for each rule."""
    from mdaug.reports.html import Table

    by_size = study.by_size()
    rows: list[list[Cell]] = []
    for k, size in enumerate(next(iter(by_size.values()))):
        span = f"{size['from_kcal_mol']:g} to {size['to_kcal_mol']:g}"
        errors = [_short(by_size[rule][k]["rms_kcal_mol"]) for rule in study.rules]
        rows.append([span, size["n_frames"], *errors])
    return Table(["true |ΔE|", "frames", *study.rules], rows, "rms error of ΔE (kcal/mol), all displacements")


def _short(value: float | None) -> "Cell":
    """Return `value` with two significant digits."""
    return "" if value is None else float(f"{value:.2g}")
