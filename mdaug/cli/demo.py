"""`mdaug demo`: the whole path, raw and augmented side by side."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import TaskID

from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import started_when_needed
from mdaug.workflows.config import load_config
from mdaug.workflows.demo import Show, Step, run_demo
from mdaug.workflows.validation import ProofOptions


def demo(
    data: str | None = None,
    *,
    config: Path = Path("demo"),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    proof: Annotated[ProofOptions, Parameter(name="*", group="Proof")] = ProofOptions(),
) -> None:
    """Train with and without augmentation and compare, from springs to stability, in one report.

    Takes about four minutes on two CPU cores with the embedded frames. The run folder gets report.html
    and the full run folders raw/ and augmented/, whose model.pt every other command takes.

    Parameters
    ----------
    data
        A file of frames or a named set [default: ethanol, embedded].
    config
        TOML file, or the name of a shipped one.
    """
    began = time.monotonic()
    changes = {"data": source.model_dump(exclude_unset=True) | ({} if data is None else {"source": data})}
    settings = load_config(config, changes)
    with open_run(output, command="demo") as run, _shown() as show:
        report = run_demo(settings, run.path, proof, show=show)
    print(f"done in {(time.monotonic() - began) / 60.0:.1f} minutes")
    print(*(f"model  {model}" for model in sorted(run.path.glob("*/model.pt"))), sep="\n")
    print(f"report {report.resolve()}")


@contextmanager
def _shown() -> Iterator[Show]:
    """Show a bar for each lane, which starts anew with every stage."""
    with started_when_needed() as bar:
        stages: dict[str, str] = {}
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.lane not in tasks:
                bar.start()
                tasks[step.lane], stages[step.lane] = bar.add_task(step.lane, text=""), ""
            task = tasks[step.lane]
            if stages[step.lane] != step.what:
                stages[step.lane] = step.what
                bar.reset(task, description=f"{step.lane}: {step.what}")
            bar.update(task, completed=step.done, total=step.total, text=step.words)

        yield show
