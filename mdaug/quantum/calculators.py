"""ASE calculators by name: GFN2-xTB through tblite, or any class the user names."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.errors import DataError, MissingDependencyError

GFN2 = "GFN2-xTB"
XTB_METHODS = (GFN2, "GFN1-xTB", "IPEA1-xTB")


def calculator_factory(
    name: str = GFN2,
    arguments: dict[str, Any] | None = None,
    *,
    charge: int = 0,
    multiplicity: int = 1,
) -> Callable[[], Calculator]:
    """Return a function that makes a new calculator.

    Parameters
    ----------
    name
        One of `XTB_METHODS`, or ``"module:Class"`` of any ASE calculator, as ``"ase.calculators.emt:EMT"``.
    arguments
        Keyword arguments of the calculator.
    charge, multiplicity
        Of the whole system; given to calculators that take them.

    Raises
    ------
    MissingDependencyError
        If tblite or the named module is not installed.
    DataError
        If `name` is neither, or a charged system meets a calculator that takes no charge.
    """
    if name in XTB_METHODS:
        make = _tblite()
        xtb = {"method": name, "verbosity": 0, "charge": charge, "multiplicity": multiplicity}
        return lambda: make(**(xtb | (arguments or {})))
    make = _imported(name)
    given = _charge_arguments(make, name, charge, multiplicity)
    return lambda: make(**(given | (arguments or {})))


def charged_calculator(name: str, charge: float | None, multiplicity: float | None) -> Calculator:
    """Return a calculator of `calculator_factory`; without a charge or multiplicity, of a neutral singlet."""
    return calculator_factory(name, charge=int(charge or 0), multiplicity=int(multiplicity or 1))()


def check_spin(atoms: Atoms, charge: int, multiplicity: int) -> None:
    """Refuse a multiplicity that the number of electrons does not allow.

    Raises
    ------
    DataError
        For an odd number of electrons with an odd multiplicity, or both even.
    """
    n_electrons = int(atoms.numbers.sum()) - charge
    if (n_electrons + multiplicity) % 2 == 0:
        raise DataError(
            f"{atoms.symbols}: {n_electrons} electrons with charge {charge:+d} cannot have multiplicity "
            f"{multiplicity}; is the charge right (--charge), or is it a radical (--multiplicity 2)?"
        )


def _tblite() -> Any:
    try:
        return importlib.import_module("tblite.ase").TBLite
    except ImportError as error:
        raise MissingDependencyError(
            "GFN2-xTB needs tblite, which is not installed: pip install 'mdaug[xtb]', "
            "or name another calculator with --calculator module:Class"
        ) from error


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise DataError(f"calculator {name!r}: expected one of {', '.join(XTB_METHODS)} or module:Class")
    try:
        with _own_modules():
            return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise MissingDependencyError(
            f"calculator {name!r}: module {module} cannot be imported ({error}); "
            "install it, put it into this folder, or correct the name"
        ) from error
    except AttributeError as error:
        raise DataError(f"calculator {name!r}: module {module} has no {attribute}") from error


@contextmanager
def _own_modules() -> Iterator[None]:
    """Let a module in the working folder be found, after all installed ones."""
    sys.path.append(os.getcwd())
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())


def _charge_arguments(make: Any, name: str, charge: int, multiplicity: int) -> dict[str, int]:
    """Return charge and multiplicity as the calculator takes them; refuse to lose a charge silently."""
    takes = inspect.signature(make).parameters
    wanted = {"charge": (charge, 0), "multiplicity": (multiplicity, 1)}
    lost = [key for key, (value, default) in wanted.items() if key not in takes and value != default]
    if lost:
        raise DataError(
            f"calculator {name!r} takes no {' or '.join(lost)}: "
            "leave --charge and --multiplicity out and give them in its own words with --calculator-arguments"
        )
    return {key: value for key, (value, _) in wanted.items() if key in takes}
