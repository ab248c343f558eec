"""How the commands and configurations say which frames to read."""

from typing import Annotated

from pydantic import Field

from mdaug.frames import FrameSet
from mdaug.options import Options


class DataOptions(Options):
    """How to read DATA."""

    temperature: Annotated[float | None, Field(gt=0)] = None
    """Temperature of the frames in K (known for named sets)."""

    units: str | None = None
    """Energy unit of the file, lengths in Å: eV, kcal/mol, meV or Hartree (known for npz and named sets)."""

    every: Annotated[int, Field(ge=1)] = 1
    """Take every n-th frame."""

    def load(self, data: str) -> FrameSet:
        """Return the frames of file or set `data`, read in this way."""
        from mdaug.data import load_frames

        return load_frames(data, units=self.units, temperature_K=self.temperature, every=self.every)
