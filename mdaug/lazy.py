"""Lazy exports of a package (PEP 562): a name is imported on first use, so that importing the package is
fast."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    An exported name must differ from the names of the package's own submodules: once the submodule is
    imported, it hides the export.

    Parameters
    ----------
    package
        ``__name__`` of the package.
    homes
        Exported name -> ``"module"`` or, where the object has another name there, ``"module:name"``.

    Returns
    -------
    Callable
        Imports the module of a name and returns the object; AttributeError for other names.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = homes[name].partition(":")
        return getattr(import_module(module), attribute or name)

    return load
