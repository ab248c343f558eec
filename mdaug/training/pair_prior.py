"""The fixed pair prior of a training: fitted to its frames, and subtracted from their energies and forces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.sparse import csr_array
from torch import Tensor

from mdaug.errors import DataError
from mdaug.frames import Dataset, FloatArray, Frames, FrameSet, IntArray
from mdaug.geometry.bonds import BOND_SCALE
from mdaug.geometry.pairs import all_frame_pairs
from mdaug.models import spline
from mdaug.models.graph import Graph, forces_from_pairs, strain_derivatives
from mdaug.models.options import SchNetOptions
from mdaug.models.pair_functions import WALL_DECAY_PER_A, WELL_DEPTH, bond_length, switch_off, wall, well, zbl
from mdaug.models.pair_prior import (
    N_KNOTS,
    ElementPair,
    PairFunction,
    PairPrior,
    describe_zbl,
    make_prior,
    pair_energies,
    tabulate,
    zbl_prior,
)
from mdaug.units import EV_PER_KCAL_MOL, KCAL_MOL_PER_EV

MAX_FRAMES = 300
"""Number of frames, evenly spaced, whose forces are fitted; more frames hardly change the few parameters."""

APART_SCALE = 1.45
"""Atoms farther apart than this times the length of a single bond are certainly not bonded; closer atoms may
be bonded in frames of high temperature."""

EDGE = 0.005
"""Quantile at which non-bonded distances begin."""

LOWEST_WALL = 30.0 * EV_PER_KCAL_MOL
"""Least height of a wall at the end of a well, halfway from the longest bond to the shortest non-bonded
distance."""

PairList = tuple[IntArray, IntArray, FloatArray]
"""idx_i, idx_j, r_ij."""


def choose_prior(frames: Frames, atomic_numbers: Sequence[int], options: SchNetOptions) -> PairPrior | None:
    """Return the prior of a training, None for ``options.prior = "none"``.

    A prior is fitted to the first frame of each group only. This leaves out augmented frames, which come
    after their parents.

    Parameters
    ----------
    frames
        Training frames.
    atomic_numbers
        Elements of the model, ascending.
    options
        Options of the model.

    Raises
    ------
    DataError
        A prior is to be fitted to several systems.
    """
    if options.prior == "none":
        return None
    if options.prior == "zbl":
        return zbl_prior(atomic_numbers, options.cutoff)
    if isinstance(frames, Dataset):
        raise DataError(f'model.prior = "pair" is fitted to one system, not to {frames.name}; set "zbl"')
    _, first = np.unique(frames.group, return_index=True)
    return fit_prior(frames.select(np.sort(first)), atomic_numbers, options.cutoff)


def prior_results(frames: FrameSet, prior: PairPrior) -> tuple[FloatArray, FloatArray]:
    """Return the energies and forces of the prior.

    Parameters
    ----------
    frames
        Frames of the prior's elements.
    prior
        The prior.

    Returns
    -------
    tuple of array
        Energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, F = −∂E/∂r.
    """
    graph, of_pairs, slopes = _prior_pairs(frames, prior)
    energies = torch.zeros(len(frames)).double().index_add(0, graph.system[graph.idx_i], of_pairs)
    forces = forces_from_pairs(slopes, graph.unit_ij, graph.idx_i, graph.idx_j, len(graph.system))
    return energies.numpy(), forces.reshape(frames.positions.shape).numpy()


def _prior_pairs(frames: FrameSet, prior: PairPrior) -> tuple[Graph, Tensor, Tensor]:
    """Return all pairs of frames, their energies (eV) and the slopes of these (eV/Å)."""
    idx_i, idx_j, r_ij = map(torch.from_numpy, all_frame_pairs(frames, prior.cutoff))
    d_ij = r_ij.norm(dim=1)
    own = torch.from_numpy(np.searchsorted(prior.atomic_numbers, frames.atomic_numbers))
    species, system = own.repeat(len(frames)), torch.arange(len(frames)).repeat_interleave(frames.n_atoms)
    graph = Graph(species, idx_i, idx_j, d_ij, r_ij / d_ij.unsqueeze(1), system, len(frames))
    pairs = species[idx_i], species[idx_j], d_ij
    return graph, *pair_energies(prior.table.cpu(), prior.spacing, *pairs)


def _prior_stresses(frames: FrameSet, prior: PairPrior) -> FloatArray:
    """Return the stresses (n_frames, 3, 3) of the prior, eV/Å³, tension positive."""
    assert frames.cells is not None
    graph, _, slopes = _prior_pairs(frames, prior)
    volumes = np.abs(np.linalg.det(frames.cells))
    stresses: FloatArray = strain_derivatives(graph, slopes, None).numpy() / volumes[:, None, None]
    return stresses


def without_prior(frames: FrameSet, prior: PairPrior | None) -> FrameSet:
    """Return frames whose energies, forces and stresses are those of `frames` minus those of the prior.

    Parameters
    ----------
    frames
        Frames of the prior's elements.
    prior
        None returns `frames`.
    """
    if prior is None:
        return frames
    energies, forces = prior_results(frames, prior)
    residual = replace(frames, energies=frames.energies - energies, forces=frames.forces - forces)
    if frames.known_stresses is None:
        return residual
    return replace(residual, stresses=frames.known_stresses - _prior_stresses(frames, prior))


def fit_prior(frames: FrameSet, atomic_numbers: Sequence[int], cutoff: float) -> PairPrior:
    """Fit Morse wells of bonded pairs of elements, and walls of the others, to forces.

    Least squares with the tables of the model. The network learns the contributions of angles and torsions to
    the forces. Pairs of elements without distances within the cutoff in any frame get ZBL only.

    Parameters
    ----------
    frames
        Frames with forces.
    atomic_numbers
        Elements of the model, ascending.
    cutoff
        Å.
    """
    sample = frames.evenly_spaced(MAX_FRAMES)
    forms = {
        pair: _form(pair, np.linalg.norm(r_ij, axis=1), len(frames), cutoff)
        for pair, (*_, r_ij) in _by_elements(frames, cutoff).items()
    }
    matrices = {
        pair: _forces_of_table(sample, pairs, cutoff) for pair, pairs in _by_elements(sample, cutoff).items()
    }
    fitted = _least_squares(forms, matrices, sample.forces.ravel(), cutoff)
    functions = {pair: forms[pair].function_of(parameters) for pair, parameters in fitted.items()}
    descriptions = {pair: forms[pair].describe(parameters) for pair, parameters in fitted.items()}
    return make_prior("pair", atomic_numbers, cutoff, functions, descriptions)


@dataclass(frozen=True)
class _Form:
    """φ of a pair of elements, with start values and bounds of its parameters."""

    function: Callable[..., FloatArray]
    start: list[float]
    low: list[float]
    high: list[float]
    constants: dict[str, float]
    names: tuple[str, ...]

    def function_of(self, parameters: FloatArray) -> PairFunction:
        """Return φ(d) with the given parameters."""
        return lambda d: self.function(d, *parameters)

    def describe(self, parameters: FloatArray) -> dict[str, float]:
        """Return constants and parameters by name."""
        return self.constants | dict(zip(self.names, parameters.tolist(), strict=True))


def _least_squares(
    forms: dict[ElementPair, _Form],
    matrices: dict[ElementPair, csr_array],
    forces: FloatArray,
    cutoff: float,
) -> dict[ElementPair, FloatArray]:
    """Return the parameters of the forms that fit the forces best; `matrices` give forces from tables."""
    if not forms:  # atoms without neighbors
        return {}
    ends = np.cumsum([len(form.start) for form in forms.values()])[:-1]
    start, low, high = (
        np.concatenate([getattr(form, name) for form in forms.values()]) for name in ("start", "low", "high")
    )

    def split(values: FloatArray) -> dict[ElementPair, FloatArray]:
        return dict(zip(forms, np.split(values, ends), strict=True))

    def residual(values: FloatArray) -> FloatArray:
        difference = forces.copy()
        parameters = split(values)
        for pair, matrix in matrices.items():
            difference -= matrix @ tabulate(forms[pair].function_of(parameters[pair]), cutoff)
        return difference

    return split(least_squares(residual, start, bounds=(low, high), x_scale=start).x)


def _by_elements(frames: FrameSet, cutoff: float) -> dict[ElementPair, PairList]:
    """Return the pairs of all frames by their elements."""
    idx_i, idx_j, r_ij = all_frame_pairs(frames, cutoff)
    numbers = frames.atomic_numbers[np.stack([idx_i, idx_j], axis=1) % frames.n_atoms]
    element_pairs, index = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
    pairs = {}
    for k, (first, second) in enumerate(element_pairs.tolist()):
        mask = index.ravel() == k
        pairs[first, second] = idx_i[mask], idx_j[mask], r_ij[mask]
    return pairs


def _form(pair: ElementPair, d_ij: FloatArray, n_frames: int, cutoff: float) -> _Form:
    """Return a well if at least every second frame has a bond of these elements, and a wall outside bonds."""
    bonded = d_ij < BOND_SCALE * bond_length(*pair)
    if 2 * bonded.sum() < n_frames:
        return _wall_form(pair, float(d_ij.min()), cutoff)
    longest, mean = float(d_ij[bonded].max()), float(d_ij[bonded].mean())
    apart = d_ij[d_ij > APART_SCALE * bond_length(*pair)]
    if len(apart) == 0:
        return _well_form(mean, longest, cutoff)
    nearest = float(np.quantile(apart, EDGE))
    end = (longest + nearest) / 2
    return _with_wall(_well_form(mean, longest, end), (longest, end), nearest, cutoff)


def _wall_form(pair: ElementPair, at: float, cutoff: float) -> _Form:
    def function(d: FloatArray, height: float) -> FloatArray:
        return zbl(d, *pair, cutoff) + wall(d, height, at, cutoff)

    constants = describe_zbl(*pair, cutoff) | {"wall_at_A": at, "wall_decay_per_A": WALL_DECAY_PER_A}
    return _Form(function, [0.1], [0.0], [np.inf], constants, ("wall_height_eV",))


def _well_form(mean: float, start: float, end: float) -> _Form:
    constants = {
        "well_depth_kcal_mol": WELL_DEPTH * KCAL_MOL_PER_EV,
        "well_switched_off_from_A": start,
        "well_switched_off_to_A": end,
    }
    function = partial(well, start=start, end=end)
    return _Form(function, [mean, 2.0], [0.8 * mean, 0.5], [1.2 * mean, 5.0], constants, ("r0_A", "a_per_A"))


def _with_wall(form: _Form, switch: tuple[float, float], at: float, cutoff: float) -> _Form:
    """Return the well with a wall that is switched on where the well is switched off."""

    def function(d: FloatArray, r0: float, a: float, height: float) -> FloatArray:
        outside = 1.0 - switch_off(d, *switch)
        return form.function(d, r0, a) + outside * wall(d, height, at, cutoff)

    lowest = LOWEST_WALL * float(np.exp(-WALL_DECAY_PER_A * (at - switch[1])))
    return _Form(
        function,
        [*form.start, 2 * lowest],
        [*form.low, lowest],
        [*form.high, np.inf],
        form.constants | {"wall_at_A": at, "wall_decay_per_A": WALL_DECAY_PER_A},
        (*form.names, "wall_height_eV"),
    )


def _forces_of_table(frames: FrameSet, pairs: PairList, cutoff: float) -> csr_array:
    """Return the matrix from the table of one pair of elements to its forces on all atoms, flattened."""
    idx_i, idx_j, r_ij = pairs
    d_ij = np.linalg.norm(r_ij, axis=1)
    first, _, slope = spline.basis(torch.from_numpy(d_ij), cutoff / N_KNOTS, N_KNOTS + 3)
    pull = (r_ij / d_ij[:, None])[:, :, None] * slope.numpy()[:, None, :]  # (n_pairs, xyz, rows of the table)
    columns = np.broadcast_to((first.numpy()[:, None] + np.arange(4))[:, None, :], pull.shape)
    rows = [np.broadcast_to(3 * i[:, None, None] + np.arange(3)[:, None], pull.shape) for i in (idx_i, idx_j)]
    return csr_array(
        (
            np.concatenate([pull.ravel(), -pull.ravel()]),
            (np.concatenate([row.ravel() for row in rows]), np.tile(columns.ravel(), 2)),
        ),
        shape=(frames.forces.size, N_KNOTS + 3),
    )
