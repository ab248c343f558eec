"""Errors whose message is written for the user: what was wrong, where, what was expected, what to do."""


class MDAugError(Exception):
    """A failure that the command line reports as one line with exit code 1."""


class DataError(MDAugError):
    """The frames, a file or a model given by the user cannot be used as they are."""


class MissingDependencyError(MDAugError):
    """An optional package or tool is needed for what was asked; the message says how to install it."""
