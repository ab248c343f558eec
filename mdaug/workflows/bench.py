"""Measurement of the speed of a model on this machine, with its file and figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mdaug.bench import BenchOptions, run_bench
from mdaug.bench.options import BaselineName
from mdaug.files import write_json
from mdaug.reports.bench import save_bench_figure
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.environment import describe_environment
from mdaug.workflows.run_folders.runs import find_model


def bench_model(
    model: Path | None,
    options: BenchOptions,
    folder: Path,
    *,
    baselines: Sequence[BaselineName] = (),
    baseline_pythons: Sequence[Path] = (),
    progress: Progress = ignore,
) -> dict[str, Any]:
    """Measure speed, write bench.json and bench.png into `folder`, and return the content of bench.json.

    Parameters
    ----------
    model
        A model.pt or a run folder; None for an untrained network.
    options
        Options of the measurement.
    folder
        Output folder.
    baselines
        Other packages that are measured too.
    baseline_pythons
        The Python of the environment of each, or one for all; none for that of mdaug.
    progress
        Called with each stage and the numbers of its turns done and in all.

    Raises
    ------
    DataError
        If there is no such model.
    """
    path = None if model is None else find_model(model).resolve()
    result = run_bench(
        path, options, baselines=baselines, baseline_pythons=baseline_pythons, progress=progress
    )
    content = {"environment": describe_environment(), **result.to_json()}
    write_json(folder / "bench.json", content)
    save_bench_figure(content, folder / "bench.png")
    return content
