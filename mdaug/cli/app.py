"""The command `mdaug`: one thin file a command, imported only when it is called."""

import difflib
import os
import sys
import traceback
import warnings
from pathlib import Path

import pydantic
from cyclopts import App, CycloptsError, Group, Parameter, UnknownOptionError
from cyclopts import ValidationError as OptionError
from rich.console import Console
from rich.text import Text

from mdaug import __doc__ as purpose
from mdaug import __version__
from mdaug.cli.help import HELP_ALL, HelpFormatter, show_all
from mdaug.errors import MDAugError, SettingsError

COMMANDS = {
    "The whole path": {
        "demo": "Springs, augmentation, training and proof on the embedded ethanol frames, in minutes.",
        "train": "Train a force field on raw and augmented frames: model.pt and a report.",
        "sweep": "Train over a grid of settings or by a search, and compare the scans.",
    },
    "Frames": {
        "frames": "Make frames by molecular dynamics of a structure file or a SMILES.",
        "dataset": "Download a named set of frames, checked.",
        "springs": "Learn how stiff every pair of atoms is.",
        "augment": "Write physically labelled distorted frames.",
        "explore": "Label what a model's own dynamics fell into, for its next training.",
        "reference": "Ab-initio energies of frames or scans, by PySCF.",
    },
    "Use of a model": {
        "info": "What a model is: elements, cutoff, training data and their range, errors.",
        "nve": "Molecular dynamics at constant energy, with a guard and restarts.",
        "nvt": "The same at constant temperature: Langevin dynamics.",
        "relax": "Minimum and harmonic frequencies.",
        "export": "Write model.pt from a training checkpoint.",
        "lammps": "The pair style for LAMMPS: build, path, check, inputs.",
    },
    "Proof": {
        "evaluate": "Errors of energies and forces on frames.",
        "scan": "Energy and force along a bond, beside a reference.",
        "drift": "Energy drift of NVE runs, with its interval.",
        "labels": "Errors of label rules against a reference.",
        "stability": "When, and by which bond, a trajectory broke.",
        "bench": "Speed on this machine, with lower bounds and SchNetPack as the baseline.",
    },
}
"""Groups of commands with the line each has in `mdaug --help`."""

_PACKAGE = Path(__file__).parents[1]

_NAMES = [name for group in COMMANDS.values() for name in group]

_SWITCHES = ["--help", HELP_ALL, "--debug", "-h", "--version", "--install-completion", "--shell", "--output"]
"""Of `mdaug` itself; the first three may stand anywhere."""

_LONGEST = 1000
"""Characters of a message; of longer ones the middle is left out."""

_EPILOGUE = "`mdaug COMMAND --help` explains a command; `--debug` anywhere shows the traceback of an error."


def main(argv: list[str] | None = None) -> int:
    """Run `mdaug` with `argv` (default: the process' arguments).

    Returns
    -------
    int
        0 on success, 2 on wrong usage, 1 on a failure, which is told in one line on standard error.
    """
    arguments, debug = _without("--debug", sys.argv[1:] if argv is None else argv)
    arguments, help_all = _without(HELP_ALL, arguments)
    if help_all:
        arguments.append("--help")
    show_all.set(help_all)
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _warn
        return _run(arguments, debug)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        if arguments and arguments[0] not in (*_SWITCHES, *_NAMES):
            return _fail(_unknown_command(arguments[0]), code=2)
        build_app(called=arguments[0] if arguments else None)(arguments)
    except BrokenPipeError:  # `mdaug … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return _fail(_in_one_line(error), code=2 if isinstance(error, CycloptsError | SettingsError) else 1)
    return 0


def build_app(called: str | None = None) -> App:
    """Return the app; `called` is the command about to run, whose help is its own docstring."""
    app = App(
        name="mdaug",
        version=__version__,
        help=purpose,
        help_format="markdown",
        help_epilogue=_EPILOGUE,
        help_formatter=HelpFormatter(),
        default_parameter=Parameter(negative_iterable=()),
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    options = Group("Options", sort_key=len(COMMANDS))
    app["--help"].group = app["--version"].group = options
    app.register_install_completion_command(
        group=options, help="Complete commands and options by the Tab key: bash, zsh, fish (--shell)."
    )
    for order, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=order)
        for position, (name, summary) in enumerate(commands.items()):
            app.command(
                f"mdaug.cli.{name}:{name}",
                name=name,
                group=group,
                sort_key=position,
                help=None if name == called else summary,
            )
    return app


def _without(flag: str, argv: list[str]) -> tuple[list[str], bool]:
    """Take `flag` out of `argv` wherever it stands, and say whether it was there."""
    end = argv.index("--") if "--" in argv else len(argv)
    kept = [argument for argument in argv[:end] if argument != flag]
    return kept + argv[end:], len(kept) < end


def _unknown_command(name: str) -> str:
    what, known = ("option", _SWITCHES) if name.startswith("-") else ("command", _NAMES)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `mdaug {nearest[0]}`?" if nearest else f"the {what}s are {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def _unknown_option(error: UnknownOptionError) -> str:
    """Say what cyclopts says, or name the switch of `mdaug` itself that is meant, which it cannot know."""
    given = error.token.keyword or error.token.value
    nearest = difflib.get_close_matches(given, _SWITCHES[:3], n=1, cutoff=0.8)
    return f"Unknown option: {given}. Did you mean {nearest[0]}?" if nearest else str(error)


def _in_one_line(error: BaseException) -> str:
    """Say what was wrong, as far as the error knows, in one line."""
    match error:
        case OptionError(__cause__=pydantic.ValidationError() as cause):
            text = _validation_line(cause, group=_option_group(error))
        case pydantic.ValidationError():
            text = _validation_line(error)
        case UnknownOptionError():
            text = _unknown_option(error)
        case MDAugError() | CycloptsError():
            text = str(error)
        case KeyboardInterrupt():
            text = "interrupted; what was finished is kept"
        case OSError(strerror=str() as reason):
            text = f"{error.filename}: {reason}" if error.filename else reason
        case MemoryError():
            text = f"not enough memory; ask for less, or give fewer frames. {error}"
        case _:
            text = (
                f"unexpected {type(error).__name__}: {error} (a fault of mdaug; --debug shows the traceback)"
            )
    return text


def _validation_line(error: pydantic.ValidationError, group: str | None = None) -> str:
    """Return the first complaint, named as a key or (with the options' `group`) as what the user typed."""
    first = error.errors(include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    name = ".".join(keys) or error.title
    if group is not None:
        name = f"--{'.'.join([group, *keys] if group else keys)}".replace("_", "-")
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message} (got {first['input']!r})"


def _option_group(error: OptionError) -> str:
    """Return ``model`` for an error in ``--model.cutoff``, nothing for options without a prefix."""
    name = error.argument.name if error.argument else ""
    return name.removeprefix("--").strip("*.")


def _warn(message: Warning | str, category: type[Warning], filename: str, *_: object, **__: object) -> None:
    """Show warnings that mdaug gives its users; those of the libraries below mean nothing to them."""
    if issubclass(category, UserWarning) and Path(filename).is_relative_to(_PACKAGE):
        _tell("warning", "yellow", str(message))


def _fail(message: str, *, code: int) -> int:
    _tell("error", "bold red", message)
    return code


def _tell(what: str, style: str, message: str) -> None:
    """Write one line to standard error."""
    said = " ".join(message.split())
    if len(said) > _LONGEST:  # it quotes a file that is broken
        said = f"{said[: _LONGEST // 2]} … {said[-_LONGEST // 2 :]}"
    line = Text.assemble((f"mdaug: {what}: ", style), said)
    Console(stderr=True, soft_wrap=True, highlight=False).print(line)
