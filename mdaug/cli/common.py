"""Options that several commands share, and how a command opens its run folder."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mdaug.options import Options


class DataOptions(Options):
    """How to read DATA."""

    temperature: Annotated[float | None, Field(gt=0)] = None
    """Temperature of the frames in K (known for named sets)."""

    units: str | None = None
    """Energy unit of the file, lengths in Å: eV, kcal/mol, meV or Hartree (known for npz and named sets)."""

    every: Annotated[int, Field(ge=1)] = 1
    """Take every n-th frame."""


class OutputOptions(Options):
    """Where results go."""

    out: Path | None = None
    """Folder for the results (default: runs/<time>)."""

    overwrite: bool = False
    """Replace a finished run in that folder."""
