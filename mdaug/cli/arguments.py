"""Options of commands: names of the options that were given, and their values as changes of a
configuration."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mdaug.errors import SettingsError
from mdaug.options import Options
from mdaug.workflows.run_folders.runs import LATEST
from mdaug.workflows.settings.options import CalculatorOptions, DataOptions

Changes = dict[str, dict[str, Any]]

MODEL_OPTIONS = ("--dtype", "--device", "--strict", "--engine", "--model-devi")
"""Options that a model has and another calculator has not."""


def given_settings(
    data: str | None,
    source: DataOptions,
    epochs: int | None,
    sections: Mapping[str, Options] | None = None,
    seed: int | None = None,
) -> Changes:
    """Return the options that were given, as section -> key -> value for `load_config`.

    Parameters
    ----------
    data
        Frames, if named.
    source
        How to read them.
    epochs
        Epochs, if given.
    sections
        Options named by section and key.
    seed
        Seed of every section that has a seed and for which none was given.
    """
    changes: Changes = {"data": source.model_dump(exclude_unset=True), "training": {}}
    for name, options in (sections or {}).items():
        seeded = seed is not None and "seed" in type(options).model_fields
        changes[name] = ({"seed": seed} if seeded else {}) | options.model_dump(exclude_unset=True)
    if data is not None:
        changes["data"]["source"] = data
    if epochs is not None:
        changes["training"]["epochs"] = epochs
    return changes


def given_options(options: Options, *, without: Iterable[str] = ()) -> list[str]:
    """Return the options of a group that were given, as typed: ``["--units"]``.

    Parameters
    ----------
    options
        A group without a prefix.
    without
        Fields that are left out.
    """
    given = [name for name in type(options).model_fields if name in options.model_fields_set - set(without)]
    return [f"--{name.replace('_', '-')}" for name in given]


def check_calculator(
    calculator: CalculatorOptions,
    *,
    models: bool,
    instead: bool = True,
    model_options: Iterable[str] = (),
) -> None:
    """Refuse options of a calculator without one, and options of a model where there is only a calculator.

    Parameters
    ----------
    calculator
        The calculator, if one is named.
    models
        Whether the user names a model.
    instead
        The command takes a calculator instead of a model, not beside it.
    model_options
        Options of a model that were given, as typed.

    Raises
    ------
    SettingsError
        If there are any, or there are a model and a calculator and the command takes only one.
    """
    if calculator.calculator is None:
        refuse(given_options(calculator), "without --calculator")
        return
    if models and instead:
        raise SettingsError(
            f"--calculator {calculator.calculator} beside a model or training frames: expected one of the "
            "two; leave the other out"
        )
    if not models:
        refuse(model_options, "with --calculator, which has no such setting")


def subject_of(models: Sequence[Path], calculator: CalculatorOptions) -> Path | None:
    """Return the model that a run folder is named after; None for no model, or several.

    Parameters
    ----------
    models
        Models that the user names; without any, and without a calculator, it is the newest finished one.
    calculator
        The calculator, if one is named.
    """
    if not models:
        return None if calculator.calculator else LATEST
    return models[0] if len(models) == 1 else None


def refuse(options: Iterable[str], reason: str) -> None:
    """Refuse options that would have no effect.

    Parameters
    ----------
    options
        Those that were given, as typed.
    reason
        Why they have no effect, as the second half of a sentence.

    Raises
    ------
    SettingsError
        If there are any.
    """
    names = list(options)
    if names:
        raise SettingsError(
            f"{', '.join(names)}: no effect {reason}; leave {'it' if len(names) == 1 else 'them'} out"
        )


def typed(**values: object) -> list[str]:
    """Return the names, as typed, of the options that were given: neither None nor a switch that is off.

    Parameters
    ----------
    **values
        Parameter name -> value.
    """
    given = [name for name, value in values.items() if value is not None and value is not False]
    return [f"--{name.replace('_', '-')}" for name in given]


def is_model(argument: str | Path) -> bool:
    """Return whether an argument is a model, and not a file or name of frames.

    Parameters
    ----------
    argument
        As typed.
    """
    path = Path(argument)
    return path.is_dir() or path.suffix == ".pt"
