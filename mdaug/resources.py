"""Folders that come with the package: beside it in a checkout, inside it in a wheel.

Imports only the standard library, as every start of `lmp` imports this module.
"""

from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent

NATIVE_FOLDER = PACKAGE_FOLDER / "native"
"""The folder of the C++ code: ``core`` (ASE, `mdaug nve`, LAMMPS) and ``kernels`` (training)."""


def resource_folder(name: str) -> Path:
    """Return a folder of the distribution.

    Parameters
    ----------
    name
        ``"inputs"`` or ``"lammps_plugin"``.
    """
    inside = PACKAGE_FOLDER / name
    return inside if inside.is_dir() else PACKAGE_FOLDER.parent / name
