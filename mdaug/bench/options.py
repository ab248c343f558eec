"""What `mdaug bench` is asked to measure."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import PAPER_SETTINGS, Device, Options, Precision

Count = Annotated[int, Field(ge=1)]
Part = Literal["molecule", "training", "inference", "bulk"]

PARTS: tuple[Part, ...] = ("molecule", "training", "inference")
BULK_ATOMS = (1_000, 3_000, 10_000, 30_000, 100_000)


class BenchOptions(Options):
    """What is measured, and for how long."""

    width: Count = 256
    """Features per atom and of the filters of the untrained network, where no MODEL is named."""

    interactions: Count = 3
    """Its interaction blocks."""

    filter_network: Annotated[Literal["schutt", "nff"], Parameter(group=PAPER_SETTINGS)] = "schutt"
    """Its filter network: hidden units as many as filters (schutt) or as Gaussians (nff)."""

    gaussians: Annotated[int, Field(ge=2)] = 32
    """Its Gaussians."""

    knots: Annotated[int, Field(ge=8)] = 128
    """Its intervals of the spline filters."""

    cutoff: Annotated[float, Field(gt=0)] = 5.0
    """Its cutoff in Å."""

    dtype: Precision = "float32"
    """Precision of the network."""

    device: Device = "cpu"
    """Where everything runs."""

    threads: tuple[Count, ...] = (1,)
    """CPU threads of training and batches, one measurement each; a molecule has one, boxes have the most."""

    parts: tuple[Part, ...] = PARTS
    """What is measured: molecule, training, inference, bulk."""

    bulk: bool = False
    """Measure bulk, too."""

    bulk_atoms: tuple[Count, ...] = BULK_ATOMS
    """Sizes of the periodic boxes, atoms."""

    replicas: Count = 32
    """Copies of the molecule that are moved as one batch."""

    batch_size: Count = 50
    """Molecules of a training step."""

    inference: Count = 100
    """Molecules evaluated at once."""

    frames: Annotated[int, Field(ge=4)] = 1000
    """Ethanol frames that are trained on."""

    rounds: Count = 15
    """Turns in which everything is timed once; of these the minimum, median and maximum are given."""

    block: Annotated[float, Field(gt=0)] = 0.3
    """Seconds of a measurement in a turn."""

    quick: bool = False
    """Five short turns, to see how it works; too few to quote."""

    clock: Literal["wall", "cpu"] = "wall"
    """Clock of table and ratios: wall, or cpu (CPU time, where other work keeps the cores busy)."""
