"""Compile the C++ of the package once for the installed torch, into the user cache."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock

from mdaug.cache import cache_folder
from mdaug.processor import instruction_sets
from mdaug.resources import NATIVE_FOLDER

_CORE = NATIVE_FOLDER / "core"
# what -ffast-math stands for, without its start-up code that makes tiny numbers zero in the whole process;
# glibc declares its vector exp and log only where the macro is defined
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
    """A shared library of ours: what it is made of."""

    name: str
    folder: Path
    options: tuple[str, ...]
    shared: tuple[Path, ...] = ()
    """Headers of another library."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of the compiler."""
        return ("-std=c++20", "-O3", "-march=native", *self.options, "-fPIC", "-shared", "-fopenmp")

    @property
    def sources(self) -> list[Path]:
        """Files that the compiler is given."""
        return sorted(self.folder.glob("*.cpp"))

    @property
    def headers(self) -> list[Path]:
        """Files that those include."""
        return [*sorted(self.folder.glob("*.h")), *self.shared]


KERNELS = Library("kernels", NATIVE_FOLDER / "kernels", _FAST_MATH, (_CORE / "spline.h",))
"""Operations that make training fast."""

CORE = Library("core", _CORE, (*_NO_TRAPS, "-fvisibility=hidden"))
"""The deployed model for ASE and LAMMPS, behind the C ABI of ``mdaug_core.h``."""


@cache
def load_kernels() -> bool:
    """Make ``torch.ops.mdaug.*`` available; False (with a warning saying why) where that cannot be.

    The first call on a machine compiles for about half a minute; later ones find the library in the cache.
    ``MDAUG_NO_KERNELS=1`` switches the kernels off: everything then runs on plain torch operations.
    """
    if os.environ.get("MDAUG_NO_KERNELS"):
        return False
    try:
        torch.ops.load_library(build())
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        warnings.warn(f"training without C++ kernels, about half as fast: {reason_of(error)}", stacklevel=2)
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return why a library could not be built or loaded: the compiler's last words, or the error's."""
    return str(getattr(error, "stderr", None) or error).strip()[-400:]


def build_core() -> Path:
    """Return the shared library of the deployed model's core; see `build`."""
    return build(CORE)


def build(library: Library = KERNELS) -> Path:
    """Return a shared library, compiled if the cache has none for this torch, machine, compiler and source.

    Raises
    ------
    OSError
        No C++ compiler is found, or the cache cannot be written.
    subprocess.CalledProcessError
        The compiler failed; its messages are in ``stderr``.
    """
    compiler = find_compiler()
    path = cache_folder() / "native" / f"{library.name}-{_key(compiler, library)}.so"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            unfinished = path.with_suffix(".part")
            command = _command(compiler, library, unfinished)
            if sys.stderr.isatty():
                print(
                    f"mdaug: compiling its {library.name} for this machine, once (half a minute)",
                    file=sys.stderr,
                )
            subprocess.run(command, check=True, capture_output=True, text=True)
            unfinished.replace(path)
    return path


def find_compiler() -> str:
    """Return the path of a C++ compiler: that of ``CXX``, c++, g++ or clang++; OSError if there is none."""
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise OSError("no C++ compiler found (install g++ or set CXX)")
    return compiler


def _key(compiler: str, library: Library = KERNELS) -> str:
    """Everything that the compiled library depends on."""
    machine = [platform.machine(), instruction_sets()]
    parts = [torch.__version__, torch.__path__[0], *machine, compiler, _version(compiler), *library.flags]
    sources = b"".join(path.read_bytes() for path in (*library.sources, *library.headers))
    return hashlib.sha256("\n".join(parts).encode() + sources).hexdigest()[:16]


def _version(compiler: str) -> str:
    """What the compiler says of itself: an upgrade, at the same path, gets another build."""
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout


def _command(compiler: str, library: Library, output: Path) -> list[str]:
    torch_root = Path(torch.__path__[0])
    include = torch_root / "include"
    return [
        compiler,
        *library.flags,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        f"-I{include}",
        f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}",
        *(f"-I{header.parent}" for header in library.shared),
        *map(str, library.sources),
        "-o",
        str(output),
        f"-L{torch_root / 'lib'}",
        "-ltorch_cpu",
        "-lc10",
    ]
