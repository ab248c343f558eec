"""Whether an error is a calculator's own; calculators of others raise errors of any class."""

import traceback
from collections.abc import Iterator
from typing import Any

from ase.calculators.calculator import BaseCalculator, CalculatorError


def calculator_failed(error: Exception, calculator: BaseCalculator | None) -> bool:
    """Return whether a calculator raised an error, and not the code that uses it.

    Parameters
    ----------
    error
        The error, caught.
    calculator
        The calculator.

    Returns
    -------
    bool
        True for the errors of ASE's calculators, and for any error raised while a method of the calculator
        was running.
    """
    if isinstance(error, CalculatorError):
        return True
    return calculator is not None and any(owner is calculator for owner in _owners(error))


def foreign_calculator(error: BaseException) -> BaseCalculator | None:
    """Return the calculator in one of whose methods an error was raised; None for errors of mdaug's own
    calculators and of code that is no calculator's.

    Parameters
    ----------
    error
        The error, caught.
    """
    for owner in _owners(error):
        if isinstance(owner, BaseCalculator):
            return None if type(owner).__module__.partition(".")[0] == "mdaug" else owner
    return None


def _owners(error: BaseException) -> Iterator[Any]:
    """Yield the first argument of each function that was running, which is the object of a method."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_argcount > 0:
            yield frame.f_locals.get(frame.f_code.co_varnames[0])
