"""The command `mdaug`: one thin file a command, imported when it is called."""

import sys

from cyclopts import App

from mdaug import __version__
from mdaug.errors import MDAugError

app = App(name="mdaug", version=__version__, help=__import__("mdaug").__doc__)
for _command in (
    "springs",
    "augment",
    "frames",
    "dataset",
    "train",
    "export",
    "evaluate",
    "scan",
    "relax",
    "nve",
    "drift",
    "stability",
    "demo",
):
    app.command(f"mdaug.cli.{_command}:{_command}", name=_command)


def main(argv: list[str] | None = None) -> int:
    """Run `mdaug` with `argv` (default: the process' arguments) and return the exit code."""
    try:
        app(sys.argv[1:] if argv is None else argv, exit_on_error=False, result_action="return_value")
    except MDAugError as error:
        print(f"mdaug: error: {error}", file=sys.stderr)
        return 1
    return 0
