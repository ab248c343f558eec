"""Options of `mdaug frames`."""

from typing import Annotated

from pydantic import Field, model_validator

from mdaug.options import Options, Positive, Seed


class GenerateOptions(Options):
    """Options of the sampling."""

    temperature: Annotated[float, Field(gt=0)] = 500.0
    """Temperature of the thermostat in K."""

    n_frames: Positive = 1000
    """Number of frames, over all replicas."""

    n_replicas: Positive = 8
    """Number of independent runs; from a SMILES string each starts from another conformer."""

    spacing: Annotated[float, Field(gt=0)] = 150.0
    """Time between frames of a replica in fs."""

    equilibration: Annotated[float, Field(ge=0)] = 2.0
    """Time before the sampling of each replica in ps."""

    timestep: Annotated[float, Field(gt=0)] = 0.5
    """Time step in fs."""

    friction: Annotated[float, Field(gt=0)] = 20.0
    """Friction of the Langevin thermostat in 1/ps."""

    seed: Seed = 0
    """Seed of the conformers, the starting velocities and the thermostat."""

    @model_validator(mode="after")
    def _each_replica_has_frames(self) -> "GenerateOptions":
        if self.n_replicas > self.n_frames:
            raise ValueError(
                f"{self.n_replicas} replicas for {self.n_frames} frames; expected at least one frame "
                "per replica"
            )
        return self

    @property
    def steps_per_frame(self) -> int:
        """Number of MD steps between frames."""
        return max(1, round(self.spacing / self.timestep))

    @property
    def equilibration_steps(self) -> int:
        """Number of MD steps before the sampling."""
        return round(self.equilibration * 1000 / self.timestep)
