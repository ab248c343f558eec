"""Parameters of equal chemical environments, shared between the force-matched fields of several systems.

The environment of an atom is its element and its number of neighbors. The prior of a parameter is then not
zero or tabulated with a wide width, but the mean of the fitted parameters of the same kind of term in the
same environments of other systems, weighted by their numbers of frames, with a narrow width.
"""

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from functools import cache, partial
from typing import NamedTuple, overload

import numpy as np

from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField
from mdaug.augmentation.force_matching.terms import coefficient_keys
from mdaug.augmentation.force_matching.topology import Topology, neighbors_of
from mdaug.frames import FloatArray, IntArray

NARROWER = 0.1
"""Factor on the prior widths of shared parameters. (Held-out forces of 6 to 20 frames of ethanol beside
methanol, and of methanol beside ethanol: docs/benchmarks/other_systems.md.)"""

MOST_NEIGHBORS = 100


class Donor(NamedTuple):
    """The force-matched field of another system.

    Attributes
    ----------
    field
        The field.
    n_frames
        Number of frames to which it was fitted.
    """

    field: ForceField
    n_frames: int


class Donors(Sequence[Donor]):
    """Fields of other systems, whose parameters are gathered by environment once for all systems.

    Parameters
    ----------
    donors
        The fields of all systems that may give parameters.
    own
        Which of them is that of the system itself, and is left out; None for none of them.
    """

    def __init__(self, donors: Sequence[Donor], own: int | None = None) -> None:
        self._all, self._own = tuple(donors), own
        self._gathered = cache(partial(_gathered, self._all))

    def without(self, number: int) -> "Donors":
        """Return the same fields but one.

        Parameters
        ----------
        number
            Which of all donors is left out.
        """
        others = copy(self)
        others._own = number
        return others

    @property
    def own(self) -> ForceField | None:
        """The field that is left out; None where none is."""
        return None if self._own is None else self._all[self._own].field

    def mean(self, key: Hashable) -> float | None:
        """Return the mean of a parameter over the fields, by their numbers of frames; None if none has it.

        Parameters
        ----------
        key
            Kind and environments of the parameter.
        """
        gathered = self._gathered()
        if key not in gathered:
            return None
        number, values, n_frames = gathered[key]
        others = slice(None) if self._own is None else number != self._own
        if not len(values[others]):
            return None
        return float(np.average(values[others], weights=n_frames[others]))

    def __len__(self) -> int:
        return len(self._all) - (self._own is not None)

    @overload
    def __getitem__(self, index: int) -> Donor: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Donor]: ...

    def __getitem__(self, index: int | slice) -> Donor | Sequence[Donor]:
        return [donor for n, donor in enumerate(self._all) if n != self._own][index]


def _gathered(donors: Sequence[Donor]) -> Mapping[Hashable, tuple[IntArray, FloatArray, IntArray]]:
    """Return number of the donor, value relative to its origin, and number of frames of each parameter."""
    fitted: dict[Hashable, tuple[list[int], list[float], list[int]]] = {}
    for number, (field, n_frames) in enumerate(donors):
        for key, value in zip(_keys(field), field.parameters - _origins(field), strict=True):
            numbers, values, weights = fitted.setdefault(key, ([], [], []))
            numbers.append(number)
            values.append(float(value))
            weights.append(n_frames)
    return {key: (np.array(a), np.array(b), np.array(c)) for key, (a, b, c) in fitted.items()}


def shared_priors(
    field: ForceField, donors: Sequence[Donor], widths: FloatArray, free: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return prior means and widths of the parameters of a field, those in `donors` too from these.

    Parameters
    ----------
    field
        The field before the fit, whose parameters are the means without other systems.
    donors
        Fields of other systems.
    widths
        Shape (n_parameters,), prior widths without other systems.
    free
        Shape (n_coefficients,), True for coefficients of terms that may be shared: one that has failed a
        check goes back to zero.

    Returns
    -------
    means, widths
        Shape (n_parameters,).
    """
    given = donors if isinstance(donors, Donors) else Donors(donors)
    means, widths, origins = field.parameters.copy(), widths.copy(), _origins(field)
    for n, key in enumerate(_keys(field)):
        mean = None if key is None or (n < len(free) and not free[n]) else given.mean(key)
        if mean is None:
            continue
        means[n] = origins[n] + mean
        widths[n] *= NARROWER
    return means, widths


def _origins(field: ForceField) -> FloatArray:
    """Return what parameters are relative to: the mean length of each kind of bond for its r0, else zero."""
    origins = np.zeros(len(field.parameters))
    lengths = field.mean_lengths[_firsts(field.bond_kind)]
    end = field.n_linear + N_BOND_PARAMETERS * len(lengths)
    origins[field.n_linear : end : N_BOND_PARAMETERS] = lengths
    return origins


def _keys(field: ForceField) -> list[Hashable | None]:
    """Return kind and environments of each parameter; None between molecules, which are not shared."""
    topology, environments = field.topology, _environments(field.topology)
    keys: list[Hashable | None] = [None] * len(field.parameters)
    named = coefficient_keys(topology, environments)
    keys[: len(named)] = named
    place = field.n_linear
    for bond in topology.bonds[_firsts(field.bond_kind)]:
        ends = tuple(sorted(environments[bond].tolist()))
        for number in range(N_BOND_PARAMETERS):
            keys[place + number] = ("bond", number, ends)
        place += N_BOND_PARAMETERS
    for pair in _firsts(field.pair_kind):
        elements = tuple(sorted(topology.atomic_numbers[topology.pairs[pair]].tolist()))
        keys[place] = ("repulsion", elements, int(topology.separation[pair]))
        place += 1
    return keys


def _environments(topology: Topology) -> IntArray:
    """Return element and number of neighbors of each atom as one number."""
    n_neighbors = [len(own) for own in neighbors_of(len(topology.atomic_numbers), topology.bonds)]
    return MOST_NEIGHBORS * topology.atomic_numbers + np.array(n_neighbors)


def _firsts(kinds: IntArray) -> IntArray:
    return np.unique(kinds, return_index=True)[1]
