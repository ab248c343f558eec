"""The one door of the command line: exit codes, error lines, nearest matches, light start."""

import errno
import os
import subprocess
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest
from pydantic import Field, TypeAdapter

from mdaug.cli import app
from mdaug.errors import MDAugError
from mdaug.options import Options

pytestmark = pytest.mark.slow


class Toy(Options):
    """Options of the toy command."""

    cutoff: float = Field(default=5.0, gt=0)
    """How far atoms see."""

    overwrite: bool = False
    """Replace what is there."""


class Flat(Options):
    """Options without a prefix."""

    width: float = Field(default=1.0, gt=0)
    """How wide."""


@pytest.fixture
def toy(monkeypatch):
    """Let `mdaug demo` run the function given to it."""

    def install(function):
        function.__name__ = "demo"
        module = ModuleType("mdaug.cli.demo")
        module.demo = function
        monkeypatch.setitem(sys.modules, "mdaug.cli.demo", module)

    return install


def one_error_line(capsys) -> str:
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert err.startswith("mdaug: error: ")
    assert "Traceback" not in out + err
    return err


def test_every_command_is_listed_in_its_group(capsys):
    assert app.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for title, commands in app.COMMANDS.items():
        assert title in shown
        for name in commands:
            assert f" {name} " in shown


def test_no_argument_shows_the_help(capsys):
    assert app.main([]) == 0
    assert "Usage: mdaug COMMAND" in capsys.readouterr().out


def test_every_listed_command_exists_with_its_own_help(capsys):
    for commands in app.COMMANDS.values():
        for name in commands:
            assert app.main([name, "--help"]) == 0, capsys.readouterr().err
            shown = capsys.readouterr().out
            assert f"Usage: mdaug {name}" in shown
            assert "--no-no-" not in shown
            assert "--empty-" not in shown


def test_help_starts_without_heavy_packages():
    code = (
        "import sys; from mdaug.cli.app import main; main(['--help']);"
        "print([m for m in ('torch','sklearn','ase','numpy','matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_success_gives_0(toy):
    toy(lambda: None)
    assert app.main(["demo"]) == 0


def test_a_failure_gives_1_and_its_line(toy, capsys):
    def fail():
        raise MDAugError("frames.xyz: frame 3 has [NaN] forces;\n expected finite numbers")

    toy(fail)
    assert app.main(["demo"]) == 1
    assert one_error_line(capsys) == (
        "mdaug: error: frames.xyz: frame 3 has [NaN] forces; expected finite numbers\n"
    )


@pytest.mark.parametrize("argv", [["--debug", "demo"], ["demo", "--debug"]])
def test_debug_anywhere_adds_the_traceback(toy, capsys, argv):
    def fail():
        raise MDAugError("wrong")

    toy(fail)
    assert app.main(argv) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("mdaug: error: wrong\n")


def test_a_full_disk_is_one_line_with_the_file(toy, capsys):
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device", "runs/x/model.pt")

    toy(fail)
    assert app.main(["demo"]) == 1
    assert "runs/x/model.pt: No space left on device" in one_error_line(capsys)


def test_too_little_memory_is_no_fault_of_mdaug(toy, capsys):
    def fail():
        np.empty(2**50)

    toy(fail)
    assert app.main(["demo"]) == 1
    assert (
        "not enough memory; reduce the sizes, or give fewer frames. Unable to allocate 8.00 PiB"
        in one_error_line(capsys)
    )


def test_an_unexpected_error_is_one_line_too(toy, capsys):
    def fail():
        raise ZeroDivisionError("division by zero")

    toy(fail)
    assert app.main(["demo"]) == 1
    assert "ZeroDivisionError" in one_error_line(capsys)


def test_warnings_of_mdaug_are_one_line_and_others_are_silent(toy, capsys):
    def warn():
        warnings.warn_explicit("two frames\n are equal", UserWarning, app.__file__, 1)
        warnings.warn_explicit("use float", UserWarning, "/site-packages/torch/x.py", 1)

    toy(warn)
    assert app.main(["demo"]) == 0
    assert capsys.readouterr().err == "mdaug: warning: two frames are equal\n"


def test_an_interruption_is_one_line(toy, capsys):
    def fail():
        raise KeyboardInterrupt

    toy(fail)
    assert app.main(["demo"]) == 130
    assert "interrupted" in one_error_line(capsys)


def test_a_wrong_value_inside_a_command_is_one_line(toy, capsys):
    def fail():
        TypeAdapter(Toy).validate_python({"cutoff": -1})

    toy(fail)
    assert app.main(["demo"]) == 1
    assert "cutoff: Input should be greater than 0 (got -1)" in one_error_line(capsys)


def install_options(toy):
    from typing import Annotated

    from cyclopts import Parameter

    def run(
        *,
        no_augment: Annotated[bool, Parameter(negative="")] = False,
        model: Annotated[Toy, Parameter(name="model")] = Toy(),
        flat: Annotated[Flat, Parameter(name="*")] = Flat(),
    ):
        pass

    toy(run)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["demoo"], "did you mean `mdaug demo`?"),
        (["demo", "--model.cutof", "3"], "Did you mean --model.cutoff?"),
        (["demo", "--no-agument"], "Did you mean --no-augment?"),
        (["demo", "--model.cutoff", "-3"], "--model.cutoff: Input should be greater than 0"),
        (["demo", "--model.cutoff", "far"], "got 'far'"),
        (["demo", "--width", "-3"], "--width: Input should be greater than 0"),
        (["demo", "extra"], "extra"),
    ],
)
def test_wrong_usage_gives_2_and_the_nearest_match(toy, capsys, argv, expected):
    install_options(toy)
    assert app.main(argv) == 2
    assert expected in one_error_line(capsys)


def test_switches_have_no_double_negative_in_help(toy, capsys):
    install_options(toy)
    assert app.main(["demo", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--no-augment" in shown
    assert "--model.overwrite" in shown
    assert "no-no" not in shown
    assert "no-overwrite" not in shown


def test_a_reader_that_stops_early_is_no_error(toy, capfd):
    def print_much():
        raise BrokenPipeError

    toy(print_much)
    assert app.main(["demo"]) == 1
    assert capfd.readouterr().err == ""


def test_completion_knows_commands_and_their_options(tmp_path):
    script = tmp_path / "completion"
    assert app.main(["--install-completion", "--shell", "bash", "--output", str(script)]) == 0
    text = script.read_text()
    for commands in app.COMMANDS.values():
        for name in commands:
            assert name in text
    assert "n-stretched" in text  # of train and augment


def test_a_switch_that_is_on_has_its_name_as_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["nve", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--guard --no-guard" in shown
    assert "[default: --guard]" in shown and "[default: True]" not in shown


def test_defaults_of_several_values_are_shown_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["labels", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[default: 0.05 0.2 0.5]" in shown


def run(arguments, **changes):
    """Run `mdaug` in a process of its own, with variables set or (None) unset."""
    environment = {key: value for key, value in (os.environ | changes).items() if value is not None}
    command = [sys.executable, "-m", "mdaug", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


def test_a_terminal_of_ascii_shows_other_characters_as_question_marks(tmp_path):
    ended = run(["springs", "ethanol", "--out", str(tmp_path / "o")], PYTHONIOENCODING="ascii", LC_ALL="C")
    assert ended.returncode == 0, ended.stderr
    assert b"kcal/mol/?" in ended.stdout
    assert (tmp_path / "o" / "springs.json").is_file()


def test_a_user_without_home_and_passwd_entry_can_run_commands(tmp_path):
    code = (
        "import os, pwd, sys; os.getuid = lambda: 54321; from mdaug.cli.app import main; "
        f"sys.exit(main(['springs', 'ethanol', '--out', {str(tmp_path / 'o')!r}]))"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "o" / "springs.json").is_file()
