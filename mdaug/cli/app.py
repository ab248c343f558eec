"""The command `mdaug`: one thin file per command, imported only when it is called."""

import difflib
import io
import os
import sys
import traceback
import warnings
from pathlib import Path

import pydantic
from cyclopts import App, CycloptsError, Group, Parameter, UnknownOptionError
from cyclopts import ValidationError as OptionError
from rich.text import Text

from mdaug import __doc__ as documentation
from mdaug import __version__
from mdaug.cli.help import HELP_ALL, HelpFormatter, show_all
from mdaug.errors import MDAugError, SettingsError
from mdaug.text import make_console, printable
from mdaug.workflows.run_folders import environment

COMMANDS = {
    "Whole pipeline": {
        "demo": "Train and test a raw and an augmented model on embedded ethanol frames, in minutes.",
        "new": "Write a commented configuration, with numbers for given frames.",
        "train": "Train a force field on raw and augmented frames; write model.pt and a report.",
        "sweep": "Train many models, over a grid of settings or by a search, and compare their scans.",
    },
    "Frames": {
        "frames": "Sample frames by molecular dynamics from a structure file or SMILES string.",
        "check": "Check whether energies, forces and positions of frames are consistent.",
        "dataset": "Download a named set of frames and check its SHA-256.",
        "springs": "Fit the spring constants of all element pairs.",
        "augment": "Write augmented frames: distorted geometries with energies and forces.",
        "explore": "Find spurious minima that a model's own MD reaches, and label them for another training.",
        "reference": "Compute ab-initio energies of frames or scans by PySCF.",
    },
    "Using a model": {
        "info": "Show elements, cutoff, training data and errors of a model.",
        "nve": "Run molecular dynamics at constant energy, with a guard and restarts.",
        "nvt": "Run molecular dynamics at constant temperature (Langevin).",
        "relax": "Relax a structure to its minimum and compute its harmonic frequencies.",
        "export": "Write model.pt from a training checkpoint.",
        "lammps": "Build and test the pair style for LAMMPS, and write example inputs.",
    },
    "Testing a model": {
        "examine": "Examine any force field by one battery of tests, with a verdict for each part.",
        "evaluate": "Compute the errors of energies and forces on frames.",
        "scan": "Scan energy and force along a bond, and compare them with a reference.",
        "drift": "Fit the energy drift of NVE runs, with a confidence interval.",
        "stability": "Find the first broken bond of a trajectory, and compare it with the training frames.",
        "labels": "Measure the errors of label rules against a reference.",
        "bench": "Measure the speed of models, dynamics and training on this machine.",
    },
}
"""Groups of commands, with the summary line of each command in `mdaug --help`."""

MODULES = {"nve": "dynamics", "nvt": "dynamics"}
"""Modules of the commands whose module has another name."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, the same as in shells."""

_PACKAGE = Path(__file__).parents[1]

_NAMES = [name for group in COMMANDS.values() for name in group]

_SWITCHES = ["--help", HELP_ALL, "--debug", "-h", "--version", "--install-completion", "--shell", "--output"]
"""Options of `mdaug` itself; the first three may stand anywhere."""

_LONGEST = 1000
"""Maximum length of a message, in characters; the middle of a longer message is left out."""

_EPILOGUE = "`mdaug COMMAND --help` explains a command; `--debug` anywhere shows the traceback of an error."


def main(argv: list[str] | None = None) -> int:
    """Run `mdaug`.

    Parameters
    ----------
    argv
        Arguments [default: those of the process].

    Returns
    -------
    int
        0 on success, 2 on wrong usage, 130 after Ctrl-C, 1 on any other failure; each but the first with one
        line on standard error.
    """
    token = environment.arguments.set(list(sys.argv[1:] if argv is None else argv))
    try:
        return _main(argv)
    finally:
        environment.arguments.reset(token)


def _main(argv: list[str] | None) -> int:
    _prepare_process()
    arguments, debug = _without("--debug", sys.argv[1:] if argv is None else argv)
    arguments, help_all = _without(HELP_ALL, arguments)
    if help_all:
        arguments.append("--help")
    show_all.set(help_all)
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _show_warning
        return _run(arguments, debug)


def _prepare_process() -> None:
    """Prevent failures that have nothing to do with the command, some of them after its computation."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # for example, an ASCII terminal cannot show Å
            stream.reconfigure(errors="replace")
    try:
        Path.home()
    except RuntimeError:  # ASE cannot be imported then
        os.environ["HOME"] = "/nonexistent"


def _run(arguments: list[str], debug: bool) -> int:
    try:
        if arguments and arguments[0] not in (*_SWITCHES, *_NAMES):
            return _fail(_unknown_command(arguments[0]), code=2)
        returned = build_app(called=arguments[0] if arguments else None)(arguments)
    except BrokenPipeError:  # the reader of `mdaug … | head` has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return _fail(_in_one_line(error), code=_exit_code(error))
    return returned if isinstance(returned, int) else 0


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return 2 if isinstance(error, CycloptsError | SettingsError) else 1


def build_app(called: str | None = None) -> App:
    """Return the app.

    Parameters
    ----------
    called
        The command that will run. Its help is its docstring; the modules of the other commands are not
        imported.
    """
    app = App(
        name="mdaug",
        version=__version__,
        help=(documentation or "").partition("\n")[0],
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
        group=options, help="Set up completion by the Tab key in bash, zsh or fish (--shell)."
    )
    for order, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=order)
        for position, (name, summary) in enumerate(commands.items()):
            app.command(
                f"mdaug.cli.{MODULES.get(name, name)}:{name}",
                name=name,
                group=group,
                sort_key=position,
                help=None if name == called else summary,
            )
    return app


def _without(flag: str, argv: list[str]) -> tuple[list[str], bool]:
    """Return `argv` without `flag`, wherever it stands, and whether it was there."""
    end = argv.index("--") if "--" in argv else len(argv)
    kept = [argument for argument in argv[:end] if argument != flag]
    return kept + argv[end:], len(kept) < end


def _unknown_command(name: str) -> str:
    what, names = ("option", _SWITCHES) if name.startswith("-") else ("command", _NAMES)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean `mdaug {nearest[0]}`?" if nearest else f"the {what}s are {', '.join(names)}"
    return f"unknown {what} {name!r}; {hint}"


def _unknown_option(error: UnknownOptionError) -> str:
    """Return cyclopts' message, or suggest the most similar switch of `mdaug` itself."""
    given = error.token.keyword or error.token.value
    nearest = difflib.get_close_matches(given, _SWITCHES[:3], n=1, cutoff=0.8)
    return f"Unknown option: {given}. Did you mean {nearest[0]}?" if nearest else str(error)


def _in_one_line(error: BaseException) -> str:
    """Return the error message as one line."""
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
            text = str(error) or "interrupted"
        case OSError(strerror=str() as reason):
            text = f"{error.filename}: {reason}" if error.filename else reason
        case MemoryError():
            text = f"not enough memory; reduce the sizes, or give fewer frames. {error}"
        case _:
            text = _unexpected(error)
    return text


def _unexpected(error: BaseException) -> str:
    from mdaug.calculators.failures import foreign_calculator

    what, calculator = f"{type(error).__name__}: {error}", foreign_calculator(error)
    if calculator is not None:
        name = type(calculator).__name__
        where = "".join(f"{note}; " for note in getattr(error, "__notes__", ()))
        return f"the calculator {name} failed with {what} ({where}--debug shows the traceback)"
    return f"unexpected {what} (a fault of mdaug; --debug shows the traceback)"


def _validation_line(error: pydantic.ValidationError, group: str | None = None) -> str:
    """Return the first wrong value, named as a key or (with the options' `group`) as what the user typed."""
    first = error.errors(include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    name = ".".join(keys) or error.title
    if group is not None:
        keys = [part for part in first["loc"] if isinstance(part, str)]  # without the place in a list
        name = f"--{'.'.join([group, *keys] if group else keys)}".replace("_", "-")
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message} (got {first['input']!r})"


def _option_group(error: OptionError) -> str:
    """Return ``model`` for an error in ``--model.cutoff``, nothing for options without a prefix."""
    name = error.argument.name if error.argument else ""
    return name.removeprefix("--").strip("*.")


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: object, **__: object
) -> None:
    """Show the warnings of mdaug, and hide those of other libraries."""
    if issubclass(category, UserWarning) and Path(filename).is_relative_to(_PACKAGE):
        _print_line("warning", "yellow", str(message))


def _fail(message: str, *, code: int) -> int:
    _print_line("error", "bold red", message)
    return code


def _print_line(what: str, style: str, message: str) -> None:
    """Write one line to standard error."""
    text = printable(" ".join(message.split()))
    if len(text) > _LONGEST:  # the message may quote a broken file
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    line = Text.assemble((f"mdaug: {what}: ", style), text)
    make_console(stderr=True, soft_wrap=True).print(line)
