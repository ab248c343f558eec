"""Base class of option groups, and types of common options."""

from typing import Annotated, Literal, get_args

from cyclopts import Group
from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=10_000_000)]
"""A count, limited because a larger one would fill the memory or take forever."""

Positive = Annotated[int, Field(ge=1, le=10_000_000)]
"""A count of at least one."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Seed of random numbers, in the range that NumPy and scikit-learn accept."""

Precision = Literal["float32", "float64"]
"""Floating-point type of a network."""

PRECISIONS: tuple[str, ...] = get_args(Precision)

Device = Literal["cpu", "cuda"]
"""Device that a network runs on."""

TrainingDevice = Literal["auto", Device]
"""Device that a network is trained on; auto is the GPU if there is one."""

MANY_SYSTEMS = 10
"""Of more systems than this, output and reports have what is of all, and not lines or sections for each."""

PAPER_SETTINGS = Group("Settings of the paper and for comparison", sort_key=1000)
"""The last heading in the help, for options that only reproduce the paper or serve comparisons:
``Annotated[TYPE, Parameter(group=PAPER_SETTINGS)]`` in an option class moves a field there."""


class Options(BaseModel):
    """A group of options for Python, the command line and a section of a TOML file: validated and immutable.

    The docstring of each field is its help text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
