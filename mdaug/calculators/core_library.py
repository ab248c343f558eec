"""The shared library of the C++ core: compiled, loaded, and its functions declared.

The C interface is documented in ``mdaug/native/core/mdaug_core.h``.
"""

import ctypes
import os
import subprocess
from ctypes import CDLL, POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p
from functools import cache

from mdaug.errors import MDAugError
from mdaug.native.build import build_core
from mdaug.native.compiler import error_text

ABI = 8

_HANDLE = c_void_p


class CoreUnavailableError(MDAugError):
    """The core is not available here or cannot evaluate this model; TorchScript computes the same."""


class Rows(ctypes.Structure):
    """Rows that ranks exchange between two stages (``mdaug_rows``)."""

    _fields_ = (("data", c_void_p), ("width", c_int64), ("element_size", c_size_t))


@cache
def load_library() -> CDLL:
    """Return the library of the core; it is compiled at the first use on this machine (about 20 s).

    ``MDAUG_NO_CORE=1`` switches the core off.

    Raises
    ------
    CoreUnavailableError
        The core is switched off, or cannot be compiled or loaded.
    """
    if os.environ.get("MDAUG_NO_CORE"):
        raise CoreUnavailableError("MDAUG_NO_CORE is set")
    try:
        path = build_core()
        library = CDLL(str(path))
        declare_functions(library)
    except (OSError, subprocess.SubprocessError) as error:
        raise CoreUnavailableError(error_text(error)) from error
    except AttributeError as error:  # another library
        raise CoreUnavailableError(f"{path} lacks functions of mdaug's core ({error}); remove it") from error
    if library.mdaug_abi() != ABI:
        raise CoreUnavailableError(f"its ABI is {library.mdaug_abi()}, expected {ABI}")
    return library


def declare_functions(library: CDLL) -> None:
    """Declare the arguments and results of the functions of ``mdaug_core.h``.

    Parameters
    ----------
    library
        A library of the core.

    Raises
    ------
    AttributeError
        It lacks one of them.
    """

    def declare(name: str, result: type | None, *arguments: type) -> None:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments

    declare("mdaug_load_member", _HANDLE, c_char_p, c_int, c_char_p, c_int, c_char_p, c_size_t)
    declare("mdaug_committee_size", c_int, _HANDLE)
    declare("mdaug_free", None, _HANDLE)
    declare("mdaug_error", c_char_p, _HANDLE)
    declare("mdaug_memory", c_size_t, _HANDLE)
    declare("mdaug_n_templates", c_int, _HANDLE)
    declare("mdaug_row_width", c_int64, _HANDLE)
    moving = "mdaug_evaluate_molecules", "mdaug_verlet", "mdaug_langevin"
    for name in ("mdaug_set_molecules", "mdaug_evaluate", *moving, "mdaug_begin", "mdaug_finish"):
        declare(name, c_int)  # without argtypes: their checks of each pointer would be slow
    declare("mdaug_stage", c_int, _HANDLE, c_int, POINTER(Rows))
    declare("mdaug_n_stages", c_int, _HANDLE)
    declare("mdaug_has_extrapolation", c_int, _HANDLE)
    declare("mdaug_compute_extrapolation", c_int, _HANDLE, c_int)
    declare("mdaug_extrapolation", POINTER(c_double), _HANDLE)
    declare("mdaug_multiply_add", c_double, c_char_p, c_double)
    declare("mdaug_read", c_double, c_void_p, c_int64)
