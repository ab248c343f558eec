"""Settings of Δ-learning."""

from typing import Annotated

from pydantic import Field, PositiveFloat

from mdaug.options import Options, Positive, Seed


class DeltaSettings(Options):
    """Δ-learning: more training frames, labeled by a low-level method and a network of its errors."""

    method: str = "auto"
    """Low-level method: GFN2-xTB, GFN1-xTB or IPEA1-xTB (through tblite), any ASE calculator as module:Class,
    or none. auto: GFN2-xTB (GFN1-xTB for frames of GFN2-xTB), where tblite is installed and the method
    explains enough of the forces; for single molecules with a baseline and augmented frames, and for
    molecules and complexes of at most 25 atoms that can have neither; not where the epochs are set and make
    fewer than 8000 steps."""

    n_frames: Positive | None = None
    """Frames of the molecule that are made [default: four times its training frames, 1000 to 4000]."""

    temperatures: tuple[PositiveFloat, ...] = (1.0, 1.2, 2.0)
    """Temperatures of the MD from which they are taken, in units of the temperature of the training frames.
    (The hot ones have bends and close contacts that the others lack.)"""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """Weight of each in the training loss (a frame of the data: 1)."""

    seed: Seed = 0
    """Seed of velocities and thermostat."""
