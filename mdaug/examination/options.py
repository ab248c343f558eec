"""Options of an examination."""

from typing import Literal

from pydantic import PositiveFloat

from mdaug.options import Options, Seed

PartName = Literal[
    "accuracy",
    "symmetry",
    "gradient",
    "extensivity",
    "minimum",
    "bonds",
    "shapes",
    "conservation",
    "dynamics",
    "distributions",
]
"""A part of the examination."""


ProtocolName = Literal["forces-are-not-enough", "stable", "mlipaudit", "ramp"]
"""A published protocol of stability in molecular dynamics."""


class ExaminationOptions(Options):
    """Which parts are examined, for how long."""

    minutes: PositiveFloat = 10.0
    """Time for each force field, divided among the parts; a part without time left is not run."""

    parts: tuple[PartName, ...] = ()
    """Parts that are examined [default: all, or with --protocol none]."""

    protocol: tuple[ProtocolName, ...] = ()
    """Published protocols of stability that are run, with the numbers of their sources."""

    structure: str | None = None
    """Start from this structure file or SMILES string [default: the frame of lowest energy of DATA, or of a
    model's training]."""

    seed: Seed = 0
    """Seed of displacements, rotations and velocities."""
