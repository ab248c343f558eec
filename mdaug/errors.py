"""Errors whose message is written for the user: what was wrong, where, what was expected, what to do."""


class MDAugError(Exception):
    """A failure that the command line reports as one line with exit code 1."""


class DataError(MDAugError):
    """The frames, a file or a model given by the user cannot be used as they are."""


class SettingsError(DataError):
    """A setting that does not exist or cannot have this value: wrong usage, exit code 2."""


class MissingDependencyError(MDAugError):
    """An optional package or tool is needed for what was asked; the message says how to install it."""
