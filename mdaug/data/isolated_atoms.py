"""Frames of isolated atoms among others: their energies are references, and they are not trained on."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

NAMES = ("isolatedatom", "isolated_atom", "isolated")
"""Values of ``config_type`` of isolated atoms, in small letters."""

FAR_A = 6.0
"""Periodic images of an isolated atom are at least so far away."""

SAME_EV = 1e-3
"""Energies of frames of one isolated atom differ by less."""


def is_isolated(atoms: Atoms) -> bool:
    """Return whether a structure is one atom without near periodic images, or is said to be isolated.

    Parameters
    ----------
    atoms
        A structure.
    """
    return len(atoms) == 1 and _is_alone([atoms.info.get("config_type")], atoms.cell.array[atoms.pbc])


def are_isolated(frames: FrameSet) -> bool:
    """Return whether frames are of an isolated atom; see `is_isolated`.

    Parameters
    ----------
    frames
        Frames of one system.
    """
    if frames.n_atoms != 1:
        return False
    vectors = np.empty((0, 3)) if frames.cells is None else frames.cells[0][list(frames.pbc)]
    return _is_alone(np.ravel(frames.info.get("config_type", [])).tolist(), vectors)


def _is_alone(config_types: Sequence[object], vectors: FloatArray) -> bool:
    """Return whether single atoms are said to be isolated, or lattice vectors (n, 3) give no near images."""
    names = [str(name).lower() for name in config_types]
    return (len(names) > 0 and set(names) <= set(NAMES)) or _nearest_image(vectors) >= FAR_A


def separate_isolated_atoms(systems: Sequence[FrameSet]) -> tuple[list[FrameSet], list[FrameSet]]:
    """Return the systems to train on and those of isolated atoms.

    Parameters
    ----------
    systems
        All systems.
    """
    alone = [frames for frames in systems if are_isolated(frames)]
    others = [frames for frames in systems if not are_isolated(frames)]
    return others, alone


def isolated_energies(atoms: Sequence[FrameSet]) -> dict[str, float]:
    """Return the energies (eV) of neutral isolated atoms by symbol.

    Parameters
    ----------
    atoms
        Frames of isolated atoms.

    Raises
    ------
    DataError
        Frames of one element have different energies.

    Warns
    -----
    UserWarning
        Frames are of ions.
    """
    energies: dict[str, tuple[float, str]] = {}
    for frames in atoms:
        symbol = chemical_symbols[frames.atomic_numbers[0]]
        if frames.charge:
            warnings.warn(
                f"{frames.name}: single ions {symbol} of charge {frames.charge:+g} are left out: reference "
                "energies are those of neutral atoms",
                stacklevel=2,
            )
            continue
        for energy in frames.energies.tolist():
            first, name = energies.setdefault(symbol, (energy, frames.name))
            if abs(energy - first) > SAME_EV:
                raise DataError(
                    f"{frames.name}: isolated atoms {symbol} have the energies {first:.6g} (in {name}) and "
                    f"{energy:.6g} eV; expected one, of the ground state: remove the others, or state it "
                    "with --e0s"
                )
    return {symbol: energy for symbol, (energy, _) in energies.items()}


def missing_elements(energies: Mapping[str, float], systems: Sequence[FrameSet]) -> list[str]:
    """Return the elements of systems that have no energy of an isolated atom.

    Parameters
    ----------
    energies
        Energies by symbol.
    systems
        The systems.
    """
    numbers = sorted({number for frames in systems for number in frames.atomic_numbers.tolist()})
    return [chemical_symbols[number] for number in numbers if chemical_symbols[number] not in energies]


def _nearest_image(vectors: FloatArray) -> float:
    """Return the length of the shortest of a few lattice vectors and their sums and differences."""
    if not len(vectors):
        return float("inf")
    steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * len(vectors)), axis=-1).reshape(-1, len(vectors))
    lengths = np.linalg.norm(steps[np.any(steps != 0, axis=1)] @ vectors, axis=1)
    return float(lengths.min())
