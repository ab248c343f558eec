"""The shipped TOML configurations and LAMMPS inputs."""

from pathlib import Path

from mdaug.errors import DataError
from mdaug.files import write_text
from mdaug.resources import resource_folder


def inputs_folder() -> Path:
    """Return the folder of the shipped TOML configurations and LAMMPS inputs."""
    return resource_folder("inputs")


def copy_lammps_inputs(folder: Path) -> list[Path]:
    """Write the shipped LAMMPS inputs into `folder` and return the paths of the written files.

    Parameters
    ----------
    folder
        Created if it does not exist.

    Raises
    ------
    DataError
        If a file of that name and other content is there.
    """
    sources = sorted(inputs_folder().glob("*.in"))
    contents = {folder / source.name: source.read_text(encoding="utf-8") for source in sources}
    for path, text in contents.items():
        if path.exists() and path.read_bytes() != text.encode():
            raise DataError(
                f"{path} exists and differs from the shipped one; move it, or work in another folder"
            )
    for path, text in contents.items():
        write_text(path, text)
    return list(contents)


def find_config(name: str | Path) -> Path:
    """Return `name` if it is a file, else the shipped configuration of that name (``paper``, ``demo.toml``).

    Parameters
    ----------
    name
        A TOML file, or the name of a shipped one.

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
    names = ", ".join(sorted(file.stem for file in inputs_folder().glob("*.toml")))
    raise DataError(f"no configuration {path}; give a TOML file or a shipped one: {names}")
