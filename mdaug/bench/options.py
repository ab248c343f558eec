"""Options of `mdaug bench`."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import PAPER_SETTINGS, Device, Options, Precision

Count = Annotated[int, Field(ge=1)]
Part = Literal["molecule", "training", "inference", "bulk"]
BaselineName = Literal["schnetpack", "painn", "mace", "mace-l1", "symmetrix"]
"""Another package that is measured beside mdaug."""

PARTS: tuple[Part, ...] = ("molecule", "training", "inference")
BULK_ATOMS = (1_000, 3_000, 10_000, 30_000, 100_000)


class BenchOptions(Options):
    """Parts, sizes and duration of the measurement."""

    width: Count = 256
    """Features per atom and of the filters of the untrained network that is measured without a MODEL."""

    vectors: Annotated[int, Field(ge=0)] = 0
    """Vector channels of the untrained network."""

    interactions: Count = 3
    """Interaction blocks of the untrained network."""

    filter_network: Annotated[Literal["schutt", "nff"], Parameter(group=PAPER_SETTINGS)] = "schutt"
    """Hidden units of its filter network: as many as filters (schutt) or as Gaussians (nff)."""

    gaussians: Annotated[int, Field(ge=2)] = 32
    """Gaussians of the untrained network."""

    knots: Annotated[int, Field(ge=8)] = 128
    """Intervals of its spline filters."""

    cutoff: Annotated[float, Field(gt=0)] = 5.0
    """Cutoff of the untrained network, Å."""

    dtype: Precision = "float32"
    """Precision of the network."""

    device: Device = "cpu"
    """Device of all measurements."""

    threads: tuple[Count, ...] = (1,)
    """Numbers of CPU threads for training and batches, one measurement each. A molecule is measured with one
    thread, boxes with the largest number."""

    parts: tuple[Part, ...] = PARTS
    """Parts of the measurement: molecule, training, inference, bulk."""

    bulk: bool = False
    """Measure periodic boxes as well."""

    bulk_atoms: tuple[Count, ...] = BULK_ATOMS
    """Sizes of the periodic boxes, atoms."""

    replicas: Count = 32
    """Replicas of the molecule that are propagated as one batch."""

    batch_size: Count = 50
    """Molecules in a training step."""

    inference: Count = 100
    """Molecules evaluated at once."""

    frames: Annotated[int, Field(ge=4)] = 1000
    """Ethanol frames of the training."""

    rounds: Count = 15
    """Rounds in which everything is timed once; minimum, median and maximum over the rounds are reported."""

    block: Annotated[float, Field(gt=0)] = 0.3
    """Seconds of each measurement in a round."""

    quick: bool = False
    """Five short rounds, to try the command; too few for results that are reported."""

    clock: Literal["wall", "cpu"] = "wall"
    """Clock of tables and ratios: wall, or cpu (CPU time, for machines that run other programs too)."""
