"""`mdaug nve`: molecular dynamics at constant energy with a trained model."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.cli.common import OutputOptions
from mdaug.cli.dynamics import move
from mdaug.md import DynamicsOptions
from mdaug.workflows.dynamics import ModelRunOptions


def nve(
    model: Path | None = None,
    *,
    how: Annotated[ModelRunOptions, Parameter(name="*")] = ModelRunOptions(),
    dynamics: Annotated[DynamicsOptions, Parameter(name="*")] = DynamicsOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run molecular dynamics: equilibrate at the temperature, then conserve the energy.

    Writes thermo.csv, trajectory.dcd with topology.pdb, restart.npz and nve.json. Translation and rotation
    of a molecule are taken out, and temperatures count 3N − 6 degrees of freedom. A run that blows up is
    stopped with the reason in nve.json, and is no error. `mdaug nvt` keeps the temperature instead.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    """
    move("nve", model, how, dynamics, output)
