"""The base of every option group: validated, immutable, each option documented once, where it is defined."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A group of options, read alike from Python, from the command line and from a section of a TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
