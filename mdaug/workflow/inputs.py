"""Where the shipped configurations lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

import mdaug
from mdaug.errors import DataError

_PACKAGE = Path(mdaug.__file__).parent


def inputs_folder() -> Path:
    """Return the folder of the shipped TOML configurations and LAMMPS inputs."""
    inside = _PACKAGE / "inputs"
    return inside if inside.is_dir() else _PACKAGE.parent / "inputs"


def find_config(name: str | Path) -> Path:
    """Return `name` if it is a file, else the shipped configuration of that name (``paper``, ``demo.toml``).

    Raises
    ------
    DataError
        If there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = inputs_folder() / f"{path.stem}.toml"
    if path.suffix in ("", ".toml") and shipped.is_file():
        return shipped
    known = ", ".join(sorted(file.stem for file in inputs_folder().glob("*.toml")))
    raise DataError(f"no configuration {path}; give a TOML file or a shipped one: {known}")
