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


class ExaminationOptions(Options):
    """Which parts are examined, for how long."""

    minutes: PositiveFloat = 10.0
    """Time for each force field, divided among the parts; a part without time left is not run."""

    parts: tuple[PartName, ...] = ()
    """Parts that are examined [default: all]."""

    structure: str | None = None
    """Start from this structure file or SMILES string [default: the frame of lowest energy of DATA, or of a
    model's training]."""

    seed: Seed = 0
    """Seed of displacements, rotations and velocities."""
