"""ASE calculators by name (GFN2-xTB through tblite, or any class), and their results for many frames."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator

from mdaug.data.origin import shown
from mdaug.errors import DataError, MissingDependencyError
from mdaug.frames import FloatArray, FrameSet

GFN2 = "GFN2-xTB"
ADVICE = "leave it out, or use another calculator"
XTB_METHODS = (GFN2, "GFN1-xTB", "IPEA1-xTB")


def calculator_factory(
    name: str = GFN2,
    arguments: dict[str, Any] | None = None,
    *,
    charge: int = 0,
    multiplicity: int = 1,
) -> Callable[[], Calculator]:
    """Return a function that makes a new calculator, also in another process: it can be pickled.

    Parameters
    ----------
    name
        One of `XTB_METHODS`, or ``"module:Class"`` of any ASE calculator, for example
        ``"ase.calculators.emt:EMT"``.
    arguments
        Keyword arguments of the calculator.
    charge, multiplicity
        Charge and multiplicity of the whole system; passed to calculators that accept them.

    Raises
    ------
    MissingDependencyError
        tblite or the named module is not installed.
    DataError
        `name` is neither a method nor a class, or the calculator takes no charge and the system has one.
    """
    if name in XTB_METHODS:
        _tblite()
        xtb = {"method": name, "verbosity": 0, "charge": charge, "multiplicity": multiplicity}
        return partial(_new_xtb, xtb | (arguments or {}))
    charge_arguments = _charge_arguments(_imported(name), name, charge, multiplicity)
    return partial(_new_calculator, name, charge_arguments | (arguments or {}))


def _new_xtb(arguments: dict[str, Any]) -> Calculator:
    return _tblite()(**arguments)  # type: ignore[no-any-return]


def _new_calculator(name: str, arguments: dict[str, Any]) -> Calculator:
    return _with_scalar_energy(_imported(name)(**arguments))


def charged_calculator(name: str, charge: float | None, multiplicity: float | None) -> Calculator:
    """Return a calculator of `calculator_factory`.

    Parameters
    ----------
    name
        As for `calculator_factory`.
    charge, multiplicity
        Charge and multiplicity of the whole system; None means 0 and 1.
    """
    return calculator_factory(name, charge=int(charge or 0), multiplicity=int(multiplicity or 1))()


def calculate_frames(
    calculator: Calculator,
    frames: FrameSet,
    positions: FloatArray | None = None,
    *,
    allow_failures: bool = False,
    advice: str = ADVICE,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return energies and forces of many frames, by any ASE calculator, one frame after another.

    Parameters
    ----------
    calculator
        Calculator of energy and forces.
    frames
        Frames with the atomic numbers, cells, periodic directions and, without `positions`, the positions.
    positions
        Shape (n_frames, n_atoms, 3), Å: other positions of the same atoms.
    allow_failures
        Return NaN for a frame on which the calculator fails, instead of raising.
    advice
        Advice for the user in the message of a failure.
    progress
        Called with (frames done, frames in all).

    Returns
    -------
    energies
        Shape (n_frames,), eV.
    forces
        Shape (n_frames, n_atoms, 3), eV/Å.

    Raises
    ------
    DataError
        The calculator fails on a frame.
    """
    positions = frames.positions if positions is None else positions
    energies, forces = np.full(len(positions), np.nan), np.full_like(positions, np.nan)
    for n, atoms in enumerate(_structures(frames, positions, calculator)):
        try:
            energies[n], forces[n] = atoms.get_potential_energy(), atoms.get_forces()
        except CalculationFailed as error:
            calculator.reset()
            if not allow_failures:
                raise _failed(calculator, frames, n, error, advice) from error
        except Exception as error:  # calculators of others raise what they like
            calculator.reset()
            if not allow_failures:
                error.add_note(f"on {shown(frames, [n])} of {frames.name}")
                raise
        if progress is not None:
            progress(n + 1, len(positions))
    return energies, forces


def calculate_with_stresses(
    calculator: Calculator, frames: FrameSet, *, progress: Callable[[int, int], None] | None = None
) -> tuple[FloatArray, ...]:
    """Return the same as `calculate_frames`, and the stresses of frames that have some.

    Parameters
    ----------
    calculator
        Calculator of energy and forces.
    frames
        Frames with or without stresses.
    progress
        Called with (frames done, frames in all).

    Returns
    -------
    tuple of array
        Energies (n_frames,), eV; forces (n_frames, n_atoms, 3), eV/Å; and, for frames with stresses and a
        calculator that has them, stresses (n_frames, 3, 3), eV/Å³, tension positive.

    Raises
    ------
    DataError
        The calculator fails on a frame.
    """
    if frames.known_stresses is None or "stress" not in calculator.implemented_properties:
        return calculate_frames(calculator, frames, progress=progress)
    energies, forces = np.empty(len(frames)), np.empty_like(frames.positions)
    stresses = np.empty((len(frames), 3, 3))
    for n, atoms in enumerate(_structures(frames, frames.positions, calculator)):
        try:
            energies[n], forces[n] = atoms.get_potential_energy(), atoms.get_forces()
            stresses[n] = atoms.get_stress(voigt=False)
        except CalculationFailed as error:
            raise _failed(calculator, frames, n, error, ADVICE) from error
        if progress is not None:
            progress(n + 1, len(frames))
    return energies, forces, stresses


def _structures(frames: FrameSet, positions: FloatArray, calculator: Calculator) -> Iterator[Atoms]:
    """Yield the frames at `positions` with the calculator."""
    for n, frame_positions in enumerate(positions):
        cell = None if frames.cells is None else frames.cells[n]
        yield Atoms(frames.atomic_numbers, frame_positions, cell=cell, pbc=frames.pbc, calculator=calculator)


def _failed(calculator: Calculator, frames: FrameSet, n: int, error: Exception, advice: str) -> DataError:
    name = type(calculator).__name__
    return DataError(f"{frames.name}: {name} fails on {shown(frames, [n])} ({error}); {advice}")


def check_spin(atoms: Atoms, charge: int, multiplicity: int) -> None:
    """Refuse a multiplicity that the number of electrons does not allow.

    Parameters
    ----------
    atoms
        The whole system.
    charge
        Total charge, e.
    multiplicity
        Spin multiplicity 2S+1.

    Raises
    ------
    DataError
        The number of electrons and the multiplicity are both odd or both even.
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


def _with_scalar_energy(calculator: Calculator) -> Calculator:
    """Let a calculator put out its energy as a number, which some give as an array with one element."""
    calculate = getattr(calculator, "calculate", None)
    if calculate is None:  # not one of ASE's classes
        return calculator

    def calculate_number(*given: Any, **named: Any) -> None:
        calculate(*given, **named)
        for name in ("energy", "free_energy"):
            value = calculator.results.get(name)
            if isinstance(value, np.ndarray) and value.size == 1:
                calculator.results[name] = value.item()

    calculator.calculate = calculate_number  # type: ignore[method-assign]
    return calculator


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise DataError(f"calculator {name!r}: expected one of {', '.join(XTB_METHODS)} or module:Class")
    try:
        with _working_folder_on_path():
            return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise MissingDependencyError(
            f"calculator {name!r}: module {module} cannot be imported ({error}); "
            "install it, put it into this folder, or correct the name"
        ) from error
    except AttributeError as error:
        raise DataError(
            f"calculator {name!r}: module {module} has no {attribute}; expected module:Class"
        ) from error


@contextmanager
def _working_folder_on_path() -> Iterator[None]:
    """Allow imports of modules in the working folder; installed modules of the same name take precedence."""
    folder = os.getcwd()
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _charge_arguments(make: Any, name: str, charge: int, multiplicity: int) -> dict[str, int]:
    """Return charge and multiplicity as keyword arguments of the calculator; refuse to ignore a charge."""
    takes = inspect.signature(make).parameters
    values = {"charge": (charge, 0), "multiplicity": (multiplicity, 1)}
    ignored = [key for key, (value, default) in values.items() if key not in takes and value != default]
    if ignored:
        raise DataError(
            f"calculator {name!r} does not accept {' or '.join(ignored)}: "
            "leave --charge and --multiplicity out, and pass its own arguments with --calculator-arguments"
        )
    return {key: value for key, (value, _) in values.items() if key in takes}
