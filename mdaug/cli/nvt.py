"""`mdaug nvt`: molecular dynamics at constant temperature with a trained model."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.cli.common import OutputOptions
from mdaug.cli.dynamics import move
from mdaug.md import DynamicsOptions
from mdaug.workflows.dynamics import ModelRunOptions


def nvt(
    model: Path | None = None,
    *,
    how: Annotated[ModelRunOptions, Parameter(name="*")] = ModelRunOptions(),
    dynamics: Annotated[DynamicsOptions, Parameter(name="*")] = DynamicsOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run Langevin dynamics: friction and noise keep the temperature (BAOAB, DOI 10.1093/amrx/abs010).

    All else is as for `mdaug nve`: the start, the options, the guard, the files (the result is nvt.json),
    replicas and resuming. The noise turns and moves the molecule as a whole no more than constant energy
    does. The energy is not conserved, so there is no drift to measure.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    """
    move("nvt", model, how, dynamics, output)
