"""The base of every option group: validated, immutable, each option documented once, where it is defined."""

from typing import Annotated, Literal, get_args

from cyclopts import Group
from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=10_000_000)]
"""How many are made or repeated; more would fill the memory, or not end."""

Positive = Annotated[int, Field(ge=1, le=10_000_000)]
"""The same, at least one."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Where random draws start; NumPy takes none below 0, scikit-learn none above."""

Precision = Literal["float32", "float64"]
"""Of the numbers in a network."""

PRECISIONS: tuple[str, ...] = get_args(Precision)

Device = Literal["cpu", "cuda"]
"""Where a network runs."""

TrainingDevice = Literal["auto", Device]
"""Where it is trained; auto is the GPU where there is one."""

PAPER_SETTINGS = Group("Settings of the paper and for comparison", sort_key=1000)
"""Help heading, the last one, of options that reproduce the paper or serve comparisons and that nobody else
needs: ``Annotated[TYPE, Parameter(group=PAPER_SETTINGS)]`` in an option class moves the field there."""


class Options(BaseModel):
    """A group of options, read alike from Python, from the command line and from a section of a TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
