"""What several commands share: options on data and output, and how they show progress."""

from mdaug.workflows.data import DataOptions
from mdaug.workflows.runs import OutputOptions, find_model, open_run

__all__ = ["DataOptions", "OutputOptions", "find_model", "open_run"]
