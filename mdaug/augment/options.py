"""What can be chosen when frames are augmented."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import Options
from mdaug.springs.springs import LookupRule


class AugmentOptions(Options):
    """How displaced copies of frames are made and labelled."""

    epsilon: Annotated[float, Field(gt=0)] = 0.5
    """The longest displacement of an atom, Å."""

    n_displaced: Annotated[int, Field(ge=1)] = 1
    """Atoms displaced in each copy."""

    n_frames: Annotated[int, Field(ge=1)] = 200
    """Copies made, each of a frame drawn at random."""

    replacement: Annotated[bool, Parameter(negative="")] = False
    """Draw frames with replacement, so that there may be more copies than frames."""

    draw: Literal["shell", "ball"] = "shell"
    """Displacements: directions uniform on the sphere and lengths uniform in (0, epsilon] (`shell`), or
    uniform in the ball of radius epsilon (`ball`)."""

    lookup: LookupRule = "nearest"
    """Spring of a pair at its distance in the parent: of the nearest component (published), interpolated
    linearly between components, or their mean weighted by responsibility."""

    rule: Literal["isotropic", "projected", "gradient"] = "gradient"
    """Labels: `isotropic` as published, `projected` on the change of the pair distances, or `gradient`, which
    adds the parent's own slope to the energy, so that energy and forces agree."""

    weight: Annotated[float, Field(gt=0)] = 0.002
    """Weight of a copy in the training loss (a frame of the data: 1); small where labels are rough."""

    min_distance_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Atoms never come closer than this fraction of the shortest distance of their element pair in the
    frames; 0 allows any."""

    cutoff: Annotated[float, Field(gt=0)] = 5.0
    """Periodic frames: pairs farther apart than this (Å) have no spring. Molecules: all pairs have one."""

    seed: int = 0
    """Seed of the draws."""
