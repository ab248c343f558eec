"""A fixed pair potential inside the model: Σ φ_ab(d) over all pairs, beside the network.

φ of each pair of elements a, b is a cubic B-spline table (`mdaug.models.spline`) with its own knots. It
is not trained: the network learns what is left of energies and forces. Tables stay in float64 whatever the
network runs in.
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
    """Tables of φ_ab and what they were made of.

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
        """Return a prior of zeros, to be filled by `load_state_dict`."""
        n = len(atomic_numbers)
        return cls(atomic_numbers, np.zeros((n, n, N_KNOTS + 3)), cutoff, {})

    @property
    def spacing(self) -> float:
        """Distance between knots, Å."""
        return self.cutoff / (self.table.shape[-1] - 3)

    def forward(self, species: Tensor, idx_i: Tensor, idx_j: Tensor, d_ij: Tensor) -> tuple[Tensor, Tensor]:
        """φ (eV) and dφ/dd (eV/Å) of each pair, (n_pairs,); see `pair_energies`."""
        of_i, of_j = species.index_select(0, idx_i), species.index_select(0, idx_j)
        return pair_energies(self.table, self.spacing, of_i, of_j, d_ij)

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the tables."""
        return self.description

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take what a checkpoint has kept."""
        self.description = state

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PairPrior":
        """Change device as asked, but leave the tables in float64."""
        exact = self.table
        super()._apply(fn, recurse)
        self.table = exact.to(self.table.device)
        return self


def pair_energies(
    table: Tensor, spacing: float, species_i: Tensor, species_j: Tensor, d_ij: Tensor
) -> tuple[Tensor, Tensor]:
    """φ_ab(d) (eV) and its slope (eV/Å) for each pair, float64, (n_pairs,); zero at and beyond the cutoff."""
    n_elements, _, n_rows = table.shape
    first, value, slope = spline.basis(d_ij.double(), spacing, n_rows)
    row = ((species_i * n_elements + species_j) * n_rows + first).unsqueeze(-1)
    rows = row + torch.arange(4, device=d_ij.device)
    coefficients = table.flatten().index_select(0, rows.flatten()).view(-1, 4)
    return (value * coefficients).sum(-1), (slope * coefficients).sum(-1)


def tabulate(function: PairFunction, cutoff: float) -> FloatArray:
    """B-spline table (N_KNOTS + 3,) of a function of the distance that is zero at the cutoff.

    c_k = f_k − (f_{k−1} − 2 f_k + f_{k+1})/6 gives cubics exactly and is off by O(spacing⁴) else.
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
    """Tabulate `functions`, and ZBL for the other pairs of elements; `parameters` tell what the former are.

    Elements ascend, here as in the model.
    """
    n = len(atomic_numbers)
    tables = np.zeros((n, n, N_KNOTS + 3))
    described: dict[str, dict[str, float]] = {}
    for i, j in combinations_with_replacement(range(n), 2):
        pair = atomic_numbers[i], atomic_numbers[j]
        function = functions.get(pair, partial(zbl, first=pair[0], second=pair[1], cutoff=cutoff))
        tables[i, j] = tables[j, i] = tabulate(function, cutoff)
        known = parameters.get(pair, describe_zbl(*pair, cutoff))
        described["-".join(chemical_symbols[z] for z in pair)] = known
    return PairPrior(atomic_numbers, tables, cutoff, {"name": name, "n_knots": N_KNOTS, "pairs": described})


def describe_zbl(first: int, second: int, cutoff: float) -> dict[str, float]:
    """Return what there is to say of ZBL between two elements."""
    start, end = zbl_range(first, second, cutoff)
    return {"zbl_switched_off_from_A": start, "zbl_switched_off_to_A": end}


def zbl_prior(atomic_numbers: Sequence[int], cutoff: float) -> PairPrior:
    """Return the repulsion at short range alone."""
    return make_prior("zbl", atomic_numbers, cutoff, {}, {})
