"""`mdaug examine`: one battery of tests for any force field."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import check_calculator, given_options, is_model, refuse, subject_of
from mdaug.cli.progress import print_next, progress_bars, warn
from mdaug.examination.options import ExaminationOptions
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import (
    CalculatorOptions,
    ClusterOptions,
    DataOptions,
    OutputOptions,
    Switch,
)

if TYPE_CHECKING:
    from mdaug.workflows.examine import Examination


def examine(
    *models: str,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    options: Annotated[ExaminationOptions, Parameter(name="*", consume_multiple=True)] = ExaminationOptions(),
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    resume: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> int:
    """Examine force fields: errors, symmetry, forces as the gradient of the energy, energy conservation.

    Each part measures, and passes, fails, cannot tell, or is not run where no time is left. Several models,
    and a calculator beside them, are compared side by side. Writes examination.json with all numbers, and
    report.html. The exit code is 1 if a part fails, or if no part of a force field could be run.

    Parameters
    ----------
    models
        MODEL [MODEL …] [DATA]: files model.pt or run folders [default: the latest run, or the calculator
        alone]; last, a file of frames or the name of a set [default: the test frames of each model's own
        training; for a calculator those of the first model].
    resume
        Continue the examination in --out, or the newest unfinished one, with the same arguments; parts that
        were not run are run.
    """
    from mdaug.workflows.examine import FILE, examine_force_fields
    from mdaug.workflows.examined import ExaminedModels

    paths, data = _split(models)
    check_calculator(calculator, models=bool(paths), instead=False)
    if data is None:
        refuse(given_options(source), "without DATA")
    subject = subject_of(paths, calculator)
    inputs = [*paths, data, options.structure]
    with (
        open_run(output, command="examine", resume=resume, subject=subject, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        frames = None if data is None else source.load(data, forces_optional=True)
        examined = ExaminedModels(tuple(paths), frames, options, run.path, calculator)
        where = cluster.where()
        examination = examine_force_fields(examined, where=where, resume=resume, progress=progress)
    _print(examination)
    print_text(run.path / FILE)
    print_text(f"report {examination.report}")
    print_next("mdaug scan --bond I J  tests a bond", "mdaug explore  finds spurious minima that MD reaches")
    for label in examination.unexamined:
        warn(f"no part of {label} was run")
    return 1 if examination.has_failed else 0


def _split(items: tuple[str, ...]) -> tuple[list[Path], str | None]:
    """Return the models, and the frames if the last item is no model."""
    if items and not is_model(items[-1]):
        return [Path(item) for item in items[:-1]], items[-1]
    return [Path(item) for item in items], None


def _print(examination: "Examination") -> None:
    from mdaug.reports.examination import comparison
    from mdaug.reports.terminal import print_table, print_verdicts

    force_fields = examination.content["force_fields"]
    if len(force_fields) > 1:
        print_table(comparison(force_fields))
    else:
        print_verdicts(examination.verdicts)
