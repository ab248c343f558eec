"""Reference energies of the elements, which are subtracted before a training."""

from collections.abc import Mapping, Sequence

import numpy as np
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, Frames, FrameSet, systems_of

RCOND = 1e-6
"""Singular values of compositions below this, relative to the largest, count as zero in least squares."""


def reference_energies(
    frames: Frames, atomic_numbers: list[int], kind: str, e0s: Mapping[str, float] | None = None
) -> list[float]:
    """Return one energy (eV) per element, such that their sum is the mean energy of the frames.

    All frames of one system have the same composition, so the total is the same for both kinds. ``element``
    is the minimum-norm least squares solution, weighted by the number of atoms of each element. The energies
    for several systems are least squares of the mean energies per atom, whatever the kind, where each frame
    counts the same.

    Parameters
    ----------
    frames
        Training frames.
    atomic_numbers
        Elements of the model; the energies have this order.
    kind
        ``mean``, the same energy for every atom, or ``element``, least squares.
    e0s
        Energies (eV) of isolated atoms by symbol. The references are then these plus one energy for every
        atom, the mean over all frames of the energy per atom relative to isolated atoms. None for none.

    Raises
    ------
    DataError
        `e0s` lack an element.
    """
    systems = systems_of(frames)
    if e0s is not None:
        return _of_isolated_atoms(systems, atomic_numbers, e0s)
    if len(systems) > 1:
        return _least_squares(systems, atomic_numbers)
    counts = _counts(systems[0], atomic_numbers)
    mean = float(systems[0].energies.mean())
    if kind == "element":
        return list(mean * counts / (counts @ counts))
    return [mean / systems[0].n_atoms] * len(atomic_numbers)


def _of_isolated_atoms(
    systems: Sequence[FrameSet], atomic_numbers: Sequence[int], e0s: Mapping[str, float]
) -> list[float]:
    missing = [chemical_symbols[z] for z in atomic_numbers if chemical_symbols[z] not in e0s]
    if missing:
        raise DataError(
            f"e0s have no energy of {', '.join(missing)}; expected those of isolated atoms of all elements "
            "of the frames"
        )
    energies = np.array([e0s[chemical_symbols[z]] for z in atomic_numbers])
    binding = [binding_eV_per_atom(system, e0s) for system in systems]
    return list(energies + np.average(binding, weights=[len(system) for system in systems]))


def binding_eV_per_atom(frames: FrameSet, e0s: Mapping[str, float]) -> float:
    """Return the mean energy per atom relative to isolated atoms, negative for bound atoms.

    Parameters
    ----------
    frames
        Frames of one system.
    e0s
        Energies (eV) of isolated atoms by symbol, all elements of the frames among them.
    """
    of_atoms = sum(e0s[chemical_symbols[z]] for z in frames.atomic_numbers.tolist())
    return float(frames.energies.mean() - of_atoms) / frames.n_atoms


def fit_residuals_eV_per_atom(systems: Sequence[FrameSet]) -> FloatArray:
    """Return how far the mean energy of each system is from the sum of its fitted reference energies.

    Parameters
    ----------
    systems
        The systems.

    Returns
    -------
    residuals
        Shape (n_systems,), eV per atom.
    """
    numbers = sorted({number for system in systems for number in system.atomic_numbers.tolist()})
    energies = np.array(_least_squares(systems, numbers))
    differences = [system.energies.mean() - _counts(system, numbers) @ energies for system in systems]
    return np.array(differences) / [system.n_atoms for system in systems]


def _least_squares(systems: Sequence[FrameSet], atomic_numbers: Sequence[int]) -> list[float]:
    """Return the energies (eV) of the elements whose sums fit the mean energies per atom best."""
    share = np.array([len(system) ** 0.5 / system.n_atoms for system in systems])
    counts = np.array([_counts(system, atomic_numbers) for system in systems])
    means = np.array([float(system.energies.mean()) for system in systems])
    return list(np.linalg.lstsq(counts * share[:, None], means * share, rcond=RCOND)[0])


def _counts(frames: FrameSet, atomic_numbers: Sequence[int]) -> FloatArray:
    return np.array([(frames.atomic_numbers == z).sum() for z in atomic_numbers], dtype=float)
