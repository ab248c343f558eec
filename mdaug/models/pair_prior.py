"""A fixed pair potential inside the model: Σ φ_ab(d) over all pairs, added to the network.

φ of each pair of elements a, b is a cubic B-spline table (`mdaug.models.spline`) with its own knots. It is
not trained: the network learns the energies and forces of the frames minus those of the prior. Tables are in
float64 for any precision of the network. The tabulated functions are finite down to d = 0 and continue
smoothly below it, because the end of a spline table needs values there.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import torch
from ase.data import chemical_symbols
from torch import Tensor, nn

from mdaug.frames import FloatArray
from mdaug.models import spline
from mdaug.models.pair_functions import zbl, zbl_range

ElementPair = tuple[int, int]
"""Atomic numbers, the smaller one first."""

PairFunction = Callable[[FloatArray], FloatArray]
"""From distances (Å) to energies (eV)."""

N_KNOTS = 512
"""Intervals of the tables up to the cutoff."""


class PairPrior(nn.Module):
    """Tables of φ_ab and the description of the functions that were tabulated.

    Parameters
    ----------
    atomic_numbers
        Elements, ascending, as in the model.
    table
        Shape (n_elements, n_elements, n_rows), eV, symmetric in the elements, the last three rows zero.
    cutoff
        Å.
    description
        Name and parameters, for the manifest; JSON values only.
    """

    table: Tensor

    def __init__(
        self,
        atomic_numbers: Sequence[int],
        table: FloatArray,
        cutoff: float,
        description: dict[str, Any],
    ) -> None:
        super().__init__()
        self.atomic_numbers = list(atomic_numbers)
        self.register_buffer("table", torch.as_tensor(table, dtype=torch.float64))
        self.cutoff, self.description = cutoff, description

    @classmethod
    def blank(cls, atomic_numbers: Sequence[int], cutoff: float) -> "PairPrior":
        """Return a prior of zeros, to be filled by `load_state_dict`.

        Parameters
        ----------
        atomic_numbers
            Elements, ascending, as in the model.
        cutoff
            Å.
        """
        n = len(atomic_numbers)
        return cls(atomic_numbers, np.zeros((n, n, N_KNOTS + 3)), cutoff, {})

    @property
    def spacing(self) -> float:
        """Distance between knots, Å."""
        return self.cutoff / (self.table.shape[-1] - 3)

    def forward(self, species: Tensor, idx_i: Tensor, idx_j: Tensor, d_ij: Tensor) -> tuple[Tensor, Tensor]:
        """Return φ and dφ/dd of each pair; see `pair_energies`.

        Parameters
        ----------
        species
            Shape (n_atoms,), index of each atom's element.
        idx_i, idx_j
            Shape (n_pairs,), the atoms of each pair.
        d_ij
            Shape (n_pairs,), distances, Å.

        Returns
        -------
        tuple of Tensor
            Energies, eV, and slopes, eV/Å, both (n_pairs,).
        """
        species_i, species_j = species.index_select(0, idx_i), species.index_select(0, idx_j)
        return pair_energies(self.table, self.spacing, species_i, species_j, d_ij)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the description, which a checkpoint saves in addition to the tables."""
        return self.description

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the description from a checkpoint.

        Parameters
        ----------
        state
            From `get_extra_state`.
        """
        self.description = state

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PairPrior":
        """Change the device, but leave the tables in float64."""
        exact = self.table
        super()._apply(fn, recurse)
        self.table = exact.to(self.table.device)
        return self


def pair_energies(
    table: Tensor, spacing: float, species_i: Tensor, species_j: Tensor, d_ij: Tensor
) -> tuple[Tensor, Tensor]:
    """Return φ_ab(d) and its slope for each pair; both are zero at and beyond the cutoff.

    Parameters
    ----------
    table
        Shape (n_elements, n_elements, n_rows), eV, float64.
    spacing
        Distance between knots, Å.
    species_i, species_j
        Shape (n_pairs,), index of the elements of each pair.
    d_ij
        Shape (n_pairs,), distances, Å.

    Returns
    -------
    tuple of Tensor
        Energies, eV, and slopes, eV/Å, both (n_pairs,) and float64.
    """
    n_elements, _, n_rows = table.shape
    first, value, slope = spline.basis(d_ij.double(), spacing, n_rows)
    row = ((species_i * n_elements + species_j) * n_rows + first).unsqueeze(-1)
    rows = row + torch.arange(4, device=d_ij.device)
    coefficients = table.flatten().index_select(0, rows.flatten()).view(-1, 4)
    return (value * coefficients).sum(-1), (slope * coefficients).sum(-1)


def tabulate(function: PairFunction, cutoff: float) -> FloatArray:
    """Return the B-spline table of a function of the distance that is zero at the cutoff.

    c_k = f_k − (f_{k−1} − 2 f_k + f_{k+1})/6 is exact for cubics and off by O(spacing⁴) otherwise.

    Parameters
    ----------
    function
        From distances (Å) to energies (eV).
    cutoff
        Å.

    Returns
    -------
    array
        Shape (N_KNOTS + 3,), eV.
    """
    k = np.arange(-1, N_KNOTS + 4, dtype=np.float64)
    f = function((k - 1.0) * (cutoff / N_KNOTS))
    table: FloatArray = (8.0 * f[1:-1] - f[:-2] - f[2:]) / 6.0
    table[-3:] = 0.0
    return table


def make_prior(
    name: str,
    atomic_numbers: Sequence[int],
    cutoff: float,
    functions: Mapping[ElementPair, PairFunction],
    parameters: Mapping[ElementPair, dict[str, float]],
) -> PairPrior:
    """Tabulate `functions`, and ZBL for the other pairs of elements.

    Parameters
    ----------
    name
        Name of the prior for the manifest: ``zbl`` or ``pair``.
    atomic_numbers
        Elements, ascending, as in the model.
    cutoff
        Å.
    functions
        φ by pair of elements.
    parameters
        Description of each function in `functions`, for the manifest.

    Returns
    -------
    PairPrior
    """
    n = len(atomic_numbers)
    tables = np.zeros((n, n, N_KNOTS + 3))
    descriptions: dict[str, dict[str, float]] = {}
    for i, j in combinations_with_replacement(range(n), 2):
        pair = atomic_numbers[i], atomic_numbers[j]
        function = functions.get(pair, partial(zbl, first=pair[0], second=pair[1], cutoff=cutoff))
        tables[i, j] = tables[j, i] = tabulate(function, cutoff)
        symbols = "-".join(chemical_symbols[z] for z in pair)
        descriptions[symbols] = parameters.get(pair, describe_zbl(*pair, cutoff))
    return PairPrior(
        atomic_numbers, tables, cutoff, {"name": name, "n_knots": N_KNOTS, "pairs": descriptions}
    )


def zbl_prior(atomic_numbers: Sequence[int], cutoff: float) -> PairPrior:
    """Return the prior of ZBL repulsion for all pairs of elements.

    Parameters
    ----------
    atomic_numbers
        Elements, ascending, as in the model.
    cutoff
        Å.
    """
    return make_prior("zbl", atomic_numbers, cutoff, {}, {})


def describe_zbl(first: int, second: int, cutoff: float) -> dict[str, float]:
    """Return the ZBL switching distances of two elements for the manifest.

    Parameters
    ----------
    first, second
        Atomic numbers.
    cutoff
        Å.
    """
    start, end = zbl_range(first, second, cutoff)
    return {"zbl_switched_off_from_A": start, "zbl_switched_off_to_A": end}
