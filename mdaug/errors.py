"""Errors with messages for users: what was wrong, where, what was expected, what to do."""


class MDAugError(Exception):
    """A failure that the command line reports as one line with exit code 1."""


class DataError(MDAugError):
    """Frames, a file or a model that the user gave cannot be used."""


class OrderError(DataError):
    """Frames have the same atoms in several orders."""


class DivergedError(DataError):
    """A training whose errors are no longer finite."""


class SettingsError(DataError):
    """A setting does not exist or cannot have this value: wrong usage, exit code 2."""


class MissingDependencyError(MDAugError):
    """An optional package or tool is missing; the message gives the command that installs it."""


class InterruptedRunError(KeyboardInterrupt):
    """Ctrl-C during a command; the message states what was saved and how to continue. Exit code 130."""
