"""Compile the C++ of the package once for this machine, into the user cache."""

import hashlib
import os
import platform
import subprocess
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from mdaug.cache import check_private, make_private, private_folder
from mdaug.native.compiler import compilation_lock, error_text, find_compiler, run_compiler, unfinished
from mdaug.processor import instruction_sets
from mdaug.resources import NATIVE_FOLDER
from mdaug.text import print_text

# The flags that -ffast-math implies, without its start-up code, which would flush denormal numbers to zero in
# the whole process. glibc declares its vector exp and log only where the macro is defined.
_NO_TRAPS = ("-fno-math-errno", "-fno-trapping-math")
_FAST_MATH = (
    *_NO_TRAPS,
    "-D__FAST_MATH__",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffinite-math-only",
)


@dataclass(frozen=True)
class Library:
    """A shared library of mdaug: the files in ``mdaug/native/NAME`` and the headers in ``common``."""

    name: str
    options: tuple[str, ...]
    description: str
    uses_torch: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of the compiler."""
        return ("-std=c++20", "-O3", "-march=native", *self.options, "-fPIC", "-shared", "-fopenmp")

    @property
    def sources(self) -> list[Path]:
        """Files that the compiler is given."""
        return sorted((NATIVE_FOLDER / self.name).glob("*.cpp"))

    @property
    def headers(self) -> list[Path]:
        """Files that the sources may include."""
        folders = NATIVE_FOLDER / self.name, NATIVE_FOLDER / "common"
        return [path for folder in folders for path in sorted(folder.glob("*.h"))]


KERNELS = Library("kernels", _FAST_MATH, "its training kernels", uses_torch=True)
"""Operations that make training fast."""

CORE = Library("core", (*_NO_TRAPS, "-fvisibility=hidden"), "its core", uses_torch=False)
"""The deployed model for ASE and LAMMPS, behind the C ABI of ``mdaug_core.h``."""


@cache
def load_kernels() -> bool:
    """Load ``torch.ops.mdaug.*``; return False, with a warning that states the reason, if that fails.

    The first call on a machine compiles for about half a minute; later ones find the library in the cache.
    ``MDAUG_NO_KERNELS=1`` switches the kernels off: training then uses plain torch operations.
    """
    if os.environ.get("MDAUG_NO_KERNELS"):
        return False
    try:
        path = build_library(KERNELS)
        torch.ops.load_library(path)
        if not hasattr(torch.ops.mdaug, "spline_message"):
            raise OSError(f"{path} lacks mdaug's operations; remove it")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        warnings.warn(f"training without C++ kernels, about half as fast: {error_text(error)}", stacklevel=2)
        return False
    return True


def build_core() -> Path:
    """Return the shared library of the deployed model's core; see `build_library`."""
    return build_library(CORE)


def build_library(library: Library) -> Path:
    """Return the path of a shared library; compile it if the cache has none for this machine, compiler and
    source, and for this torch if it uses torch.

    Parameters
    ----------
    library
        `KERNELS` or `CORE`.

    Raises
    ------
    OSError
        No C++ compiler is found, or the cache cannot be written, or (`UntrustedFileError`) another user may
        have written the library.
    subprocess.CalledProcessError
        The compiler failed; its messages are in ``stderr``.
    """
    compiler = find_compiler()
    path = private_folder("native") / f"{library.name}-{_key(compiler, library)}.so"
    with compilation_lock(path.with_suffix(".lock"), library.description):
        if not path.exists():
            if sys.stderr.isatty():
                what = f"compiling {library.description} for this machine, once (half a minute)"
                print_text(f"mdaug: {what}", file=sys.stderr)
            with unfinished(path) as output:
                run_compiler(_command(compiler, library, output))
                make_private(output)
                output.replace(path)
    check_private(path)
    return path


def _key(compiler: str, library: Library) -> str:
    """Hash of everything that the compiled library depends on."""
    machine = [platform.machine(), instruction_sets()]
    parts = [*machine, compiler, _version(compiler), *library.flags]
    if library.uses_torch:
        parts += [torch.__version__, torch.__path__[0]]
    sources = b"".join(path.read_bytes() for path in (*library.sources, *library.headers))
    return hashlib.sha256("\n".join(parts).encode() + sources).hexdigest()[:16]


def _version(compiler: str) -> str:
    """Version of the compiler; after an upgrade at the same path the library is built again."""
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout


def _command(compiler: str, library: Library, output: Path) -> list[str]:
    sources = [f"-I{NATIVE_FOLDER}", *map(str, library.sources), "-o", str(output)]
    command = [compiler, *library.flags, *sources]
    return [*command, *_torch_options()] if library.uses_torch else command


def _torch_options() -> list[str]:
    torch_root = Path(torch.__path__[0])
    include = torch_root / "include"
    return [
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        f"-I{include}",
        f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}",
        f"-L{torch_root / 'lib'}",
        "-ltorch_cpu",
        "-lc10",
    ]
