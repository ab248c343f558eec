"""C++ that is compiled on the user's machine."""

from mdaug.native.build import build, load_kernels

__all__ = ["build", "load_kernels"]
