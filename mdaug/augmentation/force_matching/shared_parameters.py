"""Parameters of equal chemical environments, shared between the force-matched fields of several systems.

The environment of an atom is its element and its number of neighbors. The prior of a parameter is then not
zero or tabulated with a wide width, but the mean of the fitted parameters of the same kind of term in the
same environments of other systems, weighted by their numbers of frames, with a narrow width.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

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
    fitted: dict[Hashable, list[tuple[float, int]]] = {}
    for donor, n_frames in donors:
        for key, value in zip(_keys(donor), donor.parameters - _origins(donor), strict=True):
            fitted.setdefault(key, []).append((float(value), n_frames))
    means, widths, origins = field.parameters.copy(), widths.copy(), _origins(field)
    for n, key in enumerate(_keys(field)):
        if key is None or key not in fitted or (n < len(free) and not free[n]):
            continue
        values, weights = zip(*fitted[key], strict=True)
        means[n] = origins[n] + np.average(values, weights=weights)
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
