"""`mdaug bench`: how fast everything is on this machine."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from mdaug.bench import BenchOptions, run_bench
from mdaug.cli.common import OutputOptions, find_model, open_run
from mdaug.cli.progress import console, steps_of_many
from mdaug.files import write_json
from mdaug.reports.bench import bench_tables, save_bench_figure
from mdaug.reports.terminal import print_table
from mdaug.workflows.environment import describe_environment


def bench(
    model: Path | None = None,
    *,
    baseline: Literal["schnetpack"] | None = None,
    baseline_python: Path | None = None,
    options: Annotated[BenchOptions, Parameter(name="*", consume_multiple=True)] = BenchOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Measure energy and forces, molecular dynamics, training and large systems on this machine.

    Everything that is compared is measured in turn, A B C A B C …, in one run; minimum, median and maximum
    over the turns are given, of times and of their ratios. Beside them stand the matrix products that a
    model cannot avoid. Writes bench.json and bench.png.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: an untrained network of --width, which is as fast].
    baseline
        Measure SchNetPack (2.1) with a network of the same sizes, too. It runs in a process of its own.
    baseline_python
        The Python of the environment where SchNetPack is installed, whose pins need not fit mdaug's
        [default: that of mdaug]; docs/speed.md has the commands that make one.
    """
    path = None if model is None else find_model(model).resolve()
    asked = baseline is not None or baseline_python is not None
    with open_run(output, command="bench") as run:
        with steps_of_many() as progress:
            result = run_bench(
                path, options, baseline=asked, baseline_python=baseline_python, progress=progress
            )
        content = {"environment": describe_environment(), **result.to_json()}
        write_json(run.path / "bench.json", content)
        save_bench_figure(content, run.path / "bench.png")
    for table in bench_tables(content):
        print_table(table)
    for note in result.notes:
        console.print(note, style="yellow")
    print(run.path / "bench.json")
    print(run.path / "bench.png")
