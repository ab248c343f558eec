"""Whether an error is a calculator's own; calculators of others raise errors of any class."""

import traceback

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
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return calculator is not None and any(
        frame.f_code.co_argcount > 0 and frame.f_locals.get(frame.f_code.co_varnames[0]) is calculator
        for frame in frames
    )
