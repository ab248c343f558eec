"""Compile the C++ of the package once for the installed torch, into the user cache."""

import hashlib
import os
import platform
import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from platformdirs import user_cache_path

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.cpp")))
HEADERS = tuple(sorted(Path(__file__).parent.glob("*.h")))
# what -ffast-math stands for, without its start-up code that makes tiny numbers zero in the whole process
_FAST_MATH = (
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffinite-math-only",
)
_FLAGS = ("-std=c++20", "-O3", "-march=native", *_FAST_MATH, "-fPIC", "-shared", "-fopenmp")


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
        reason = getattr(error, "stderr", None) or str(error)
        warnings.warn(
            f"training without C++ kernels, about half as fast: {reason.strip()[-400:]}", stacklevel=2
        )
        return False
    return True


def build() -> Path:
    """Return the shared library of the kernels, compiled if the cache has none for this torch and machine.

    Raises
    ------
    OSError
        No C++ compiler is found, or the cache cannot be written.
    subprocess.CalledProcessError
        The compiler failed; its messages are in ``stderr``.
    """
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise OSError("no C++ compiler found (install g++ or set CXX)")
    folder = _cache_folder()
    library = folder / f"kernels-{_key(compiler)}.so"
    with FileLock(library.with_suffix(".lock")):
        if not library.exists():
            unfinished = library.with_suffix(".part")
            subprocess.run(_command(compiler, unfinished), check=True, capture_output=True, text=True)
            unfinished.replace(library)
    return library


def _cache_folder() -> Path:
    root = os.environ.get("MDAUG_CACHE")
    folder = (Path(root) if root else user_cache_path("mdaug")) / "native"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(compiler: str) -> str:
    """Everything that the compiled library depends on."""
    parts = [torch.__version__, torch.__path__[0], platform.machine(), _processor(), compiler, *_FLAGS]
    sources = b"".join(source.read_bytes() for source in (*SOURCES, *HEADERS))
    return hashlib.sha256("\n".join(parts).encode() + sources).hexdigest()[:16]


def _processor() -> str:
    """The instruction sets of this processor: a cache shared by several machines keeps one build for each."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _command(compiler: str, output: Path) -> list[str]:
    torch_root = Path(torch.__path__[0])
    include = torch_root / "include"
    return [
        compiler,
        *_FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        f"-I{include}",
        f"-I{include / 'torch' / 'csrc' / 'api' / 'include'}",
        *map(str, SOURCES),
        "-o",
        str(output),
        f"-L{torch_root / 'lib'}",
        "-ltorch_cpu",
        "-lc10",
    ]
