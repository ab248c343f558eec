"""Which reference energies of the elements a training subtracts, and its record of them."""

from collections.abc import Mapping, Sequence

from mdaug.data.isolated_atoms import missing_elements
from mdaug.errors import DataError
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.sets import Sets


def with_isolated_atoms(config: RunConfig, systems: Sequence[Sets]) -> RunConfig:
    """Return the settings with the energies of isolated atoms of the data, if they name none of their own.

    Parameters
    ----------
    config
        Settings of a training.
    systems
        The frames of each system.

    Raises
    ------
    DataError
        The settings have energies of isolated atoms, but not of all elements.
    """
    frames = [sets.train for sets in systems]
    stated, isolated = config.training.e0s, systems[0].isolated_atoms
    if stated is not None:
        missing = missing_elements(stated, frames)
        if missing:
            raise DataError(
                f"--e0s have no energy of {', '.join(missing)}; expected those of isolated atoms of all "
                "elements of the frames"
            )
        return config
    if not isolated or missing_elements(isolated, frames):
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"e0s": dict(isolated)})})


def describe_references(config: RunConfig, systems: Sequence[Sets]) -> str:
    """Return the description of the reference energies that are subtracted.

    Parameters
    ----------
    config
        Settings of the training, from before `with_isolated_atoms`.
    systems
        The frames of each system.
    """
    stated, isolated = config.training.e0s, systems[0].isolated_atoms
    plus = "plus the mean of what is left, per atom"
    if stated is not None:
        return f"isolated atoms, as set ({_listed(stated)}), {plus}"
    missing = missing_elements(isolated, [sets.train for sets in systems]) if isolated else []
    if isolated and not missing:
        return f"frames of isolated atoms ({_listed(isolated)}), {plus}"
    lack = f"; the frames of isolated atoms have no {', '.join(missing)} and are not used" if missing else ""
    if len(systems) > 1:
        return f"least squares over all systems{lack}"
    kind = "least squares per element" if config.training.reference == "element" else "one mean per atom"
    return kind + lack


def _listed(energies: Mapping[str, float]) -> str:
    return ", ".join(f"{symbol} {energy:.6g}" for symbol, energy in energies.items()) + " eV"
