"""`mdaug bench`: speed on this machine."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.bench.options import BaselineName, BenchOptions
from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.progress import progress_bars, warn
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import OutputOptions

_UNTRAINED = ("width", "vectors", "interactions", "filter_network", "gaussians", "knots", "cutoff")
"""Options of the untrained network, which is measured where no MODEL is named."""


def bench(
    model: Path | None = None,
    *,
    baseline: Annotated[tuple[BaselineName, ...], Parameter(consume_multiple=True)] = (),
    baseline_python: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    options: Annotated[BenchOptions, Parameter(name="*", consume_multiple=True)] = BenchOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Measure the speed of energies and forces, molecular dynamics, training and large systems.

    All cases are measured in turn, A B C A B C …, in one run. Reports minimum, median and maximum of times
    and of their ratios, and the time of the matrix products alone as a lower bound. Writes bench.json and
    bench.png.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: an untrained network of --width, which has the same speed].
    baseline
        Also measure other packages, in processes of their own: SchNet of SchNetPack (2.1) with the same sizes
        (schnetpack), and through their ASE calculators, with as many channels and the same cutoff, PaiNN of
        SchNetPack (painn), MACE without and with vectors (mace, mace-l1), and MACE evaluated by symmetrix.
    baseline_python
        The Python of the environment in which each is installed, in the same order, or one for all
        [default: the Python of mdaug]; docs/speed.md lists the commands that create one. Without --baseline
        it is that of SchNetPack.
    """
    if baseline_python and not baseline:
        baseline = ("schnetpack",)
    from mdaug.reports.bench import bench_tables
    from mdaug.reports.terminal import print_table
    from mdaug.workflows.bench import bench_model

    if model is not None:
        fields = set(type(options).model_fields) - set(_UNTRAINED)
        refuse(given_options(options, without=fields), "with a MODEL, which has its own network")
    with open_run(output, command="bench", inputs=[model]) as run, progress_bars() as progress:
        content = bench_model(
            model,
            options,
            run.path,
            baselines=baseline,
            baseline_pythons=baseline_python,
            progress=progress,
        )
    for table in bench_tables(content):
        print_table(table)
    for note in content["notes"]:
        warn(note)
    print_text(run.path / "bench.json")
    print_text(run.path / "bench.png")
