"""Options of a molecular dynamics run."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import Options, Seed


class DynamicsOptions(Options):
    """Ensemble, length, temperature, guard and output intervals of a run."""

    steps: Annotated[int, Field(ge=0)] = 100_000
    """Steps after the equilibration."""

    timestep: Annotated[float, Field(gt=0)] = 0.5
    """Time step in fs."""

    temperature: Annotated[float, Field(gt=0)] = 300.0
    """Temperature of the equilibration and of the thermostat in K."""

    ensemble: Annotated[Literal["nve", "nvt"], Parameter(parse=False)] = "nve"
    """nve: velocity Verlet, conserves the energy. nvt: Langevin thermostat."""

    equilibration: Annotated[float, Field(ge=0)] = 5.0
    """Length of the equilibration by Langevin dynamics in ps."""

    friction: Annotated[float, Field(ge=0)] = 10.0
    """Friction of the Langevin dynamics in 1/ps; with 0 there is no noise and the energy is conserved."""

    seed: Seed = 0
    """Seed of the starting velocities and the thermostat."""

    thermo_every: Annotated[int, Field(ge=1)] = 10
    """Steps between rows of thermo.csv and checks of the guard."""

    frames_every: Annotated[int, Field(ge=1)] = 20
    """Steps between frames of trajectory.dcd."""

    guard: bool = True
    """Stop a run whose bonds break, whose atoms collide or whose temperature exceeds ten times the target."""

    max_stretch: Annotated[float, Field(gt=1)] = 1.5
    """Limit of the guard: a bond this many times longer, or shorter, than at the start is broken."""

    halt_above: Annotated[float, Field(gt=0)] | None = None
    """Stop the run when the extrapolation of an atom is larger than this, at a row of thermo.csv; 1 is the
    largest value of the training frames (0.8 warns of most falls). For models of mdaug only."""

    checkpoint_every: Annotated[float, Field(ge=0)] = 5.0
    """Wall time between restart files in s; longer if writing those of all replicas takes over a tenth of it.
    """


MAY_CHANGE_ON_RESUME = frozenset({"steps", "guard", "max_stretch", "halt_above", "checkpoint_every"})
"""Options that may change on a resume; all others determine the trajectory or the files."""
