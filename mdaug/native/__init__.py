"""C++ code that is compiled on the user's machine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdaug.native.build import load_kernels

__all__ = ["load_kernels"]


def __getattr__(name: str) -> Any:
    """Import torch only when the kernels are used, because every `lmp` may import `mdaug.native.compiler`."""
    if name == "load_kernels":
        from mdaug.native.build import load_kernels

        return load_kernels
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
