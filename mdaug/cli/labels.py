"""`mdaug labels`: how right every label rule is, against a reference."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.analysis.label_errors import LabelStudy
from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.data import write_extxyz
from mdaug.files import write_json
from mdaug.quantum.calculators import GFN2, charged_calculator
from mdaug.reports.html import Cell, Table
from mdaug.reports.labels import save_labels_figure
from mdaug.reports.terminal import print_table
from mdaug.workflows.labels import make_rules, study_labels
from mdaug.workflows.labels_draw import LabelStudyOptions, StudyFrames, draw_study
from mdaug.workflows.labels_reference import Reference, calculated_reference, read_reference


def labels(
    data: str = "ethanol",
    *,
    calculator: str = GFN2,
    reference: Path | None = None,
    options: Annotated[LabelStudyOptions, Parameter(name="*")] = LabelStudyOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Measure label rules on displaced frames: errors of energy and forces against a reference.

    Rules are made from the training frames, parents are test frames. Where the reference is another level
    of theory than the data's, it is given the data's own slope, ΔE = ΔE_low − Σ (F_data − F_low)·Δr, and what
    it is still off (the floor) is measured between neighbouring test frames. Writes labels.json, labels.png
    and frames.xyz, the geometries (parents first) with what the calculator gives, for a better reference.

    Parameters
    ----------
    data
        A file of frames or a named set.
    calculator
        The reference: GFN2-xTB, or module:Class of any ASE calculator.
    reference
        The geometries of frames.xyz (same options and seed) with energies of a reference, as `mdaug reference
        frames.xyz --forces` writes them, instead of a calculator. Parents need forces; without forces of the
        copies only energies are judged.
    """
    frames = source.load(data)
    exact = reference is None and frames.level_of_theory == calculator
    study = draw_study(frames, options, stretched=exact)
    with open_run(output, command="labels") as run:
        if reference:
            true = read_reference(reference, study)
        else:
            true = _calculated(study, calculator)
            write_extxyz(study.as_frames(true.energies, true.forces), run.path / "frames.xyz")
        console.print("making the rules from the training frames")
        rules = make_rules(study.train, options.rules)
        found = study_labels(study, rules, true, exact=exact)
        write_json(run.path / "labels.json", found.to_json())
        save_labels_figure(found, run.path / "labels.png")
    print_table(_table(found))
    if not found.has_forces:
        console.print(f"{true.name} has no forces of the copies: only energies are judged", style="yellow")
    print_table(_size_table(found))
    if not exact:
        console.print(
            f"{true.name} is not the data's own level: the column floor says what it may be off itself",
            style="yellow",
        )
    print(run.path / "labels.json")
    print(run.path / "labels.png")


def _calculated(study: StudyFrames, name: str) -> Reference:
    calculator = charged_calculator(name, study.test.charge, study.test.multiplicity)
    with counted(f"reference {name}") as progress:
        return calculated_reference(study, calculator, name, progress)


def _table(study: LabelStudy) -> Table:
    """Return a row for each kind of displacement with the true rms ΔE, and below it one for each rule."""
    columns = ["", "rms", "median", "bias", "wrong\nsign %", "force\nrms"]
    columns += [] if study.exact else ["floor"]
    rows: list[list[Cell]] = []
    for cell in study.cells:
        rows.append([f"{cell.name}: true ΔE", _short(cell.rms_true_kcal_mol), *[""] * (len(columns) - 2)])
        for rule, errors in cell.rules.items():
            found = errors.to_json()
            keys = ("rms_kcal_mol", "median_kcal_mol", "bias_kcal_mol")
            row: list[Cell] = [f"  {rule}", *(_short(found[key]) for key in keys)]
            row += [round(100 * errors.sign_errors, 1), _short(found["force_rms_kcal_mol_A"])]
            rows.append(row if study.exact else [*row, _short(cell.floor_kcal_mol)])
    caption = f"{study.data} against {study.truth}: errors of ΔE (kcal/mol) and of forces (kcal/mol/Å)"
    return Table(columns, rows, caption)


def _size_table(study: LabelStudy) -> Table:
    """Return a row for each range of the true |ΔE| and a column for each rule."""
    found = study.by_size()
    rows: list[list[Cell]] = []
    for place, size in enumerate(next(iter(found.values()))):
        span = f"{size['from_kcal_mol']:g} to {size['to_kcal_mol']:g}"
        errors = [_short(found[rule][place]["rms_kcal_mol"]) for rule in study.rules]
        rows.append([span, size["n_frames"], *errors])
    return Table(["true |ΔE|", "copies", *study.rules], rows, "rms error of ΔE (kcal/mol), all displacements")


def _short(value: float | None) -> Cell:
    """Return `value` with two significant digits."""
    return "" if value is None else float(f"{value:.2g}")
