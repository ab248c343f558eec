"""Bonds and walls of the prior `pair`, fitted to forces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.sparse import csr_array

from mdaug.frames.bonds import BOND_SCALE
from mdaug.frames.frame_set import FloatArray, FrameSet, IntArray
from mdaug.frames.pairs import all_frame_pairs
from mdaug.model import spline
from mdaug.model.pair_functions import WALL_DECAY_PER_A, WELL_DEPTH, bond_length, wall, well, zbl
from mdaug.model.prior import (
    N_KNOTS,
    ElementPair,
    PairFunction,
    PairPrior,
    describe_zbl,
    make_prior,
    tabulate,
)
from mdaug.units import KCAL_MOL_PER_EV

MAX_FRAMES = 300
"""Evenly spaced; more tell nothing new about a handful of parameters."""

APART_SCALE = 1.45
"""Atoms farther apart than this times the length of a single bond are not bonded; nearer ones may be, hot."""

EDGES = 0.005
"""Share of the bonded and of the other distances that may lie in the gap between them, where wells end."""

PairList = tuple[IntArray, IntArray, FloatArray]
"""idx_i, idx_j, r_ij."""


@dataclass(frozen=True)
class Form:
    """φ of a pair of elements with its parameters: where they start, and between what they stay."""

    function: Callable[..., FloatArray]
    start: list[float]
    low: list[float]
    high: list[float]
    about: dict[str, float]
    names: tuple[str, ...]

    def of(self, parameters: FloatArray) -> PairFunction:
        """φ with its parameters set."""
        return lambda d: self.function(d, *parameters)

    def describe(self, parameters: FloatArray) -> dict[str, float]:
        """All that defines φ, by name."""
        return self.about | dict(zip(self.names, parameters.tolist(), strict=True))


def fit_prior(frames: FrameSet, atomic_numbers: Sequence[int], cutoff: float) -> PairPrior:
    """Return a well for each pair of elements that is bonded in the frames, ZBL and a wall for each other.

    Least squares on the forces, with the very tables that will be used; what angles and torsions add to them
    is left to the network. Elements that no frame has within the cutoff of each other get ZBL alone.
    """
    frames = frames.select(np.unique(np.linspace(0, len(frames) - 1, MAX_FRAMES).astype(int)))
    forms, forces_of = {}, {}
    for pair, (of_pair, d_ij) in _by_elements(frames, cutoff).items():
        forms[pair] = _form(pair, d_ij, len(frames), cutoff)
        forces_of[pair] = _forces_of_table(frames, of_pair, cutoff)
    found = _least_squares(forms, forces_of, frames.forces.ravel(), cutoff)
    functions = {pair: forms[pair].of(parameters) for pair, parameters in found.items()}
    described = {pair: forms[pair].describe(parameters) for pair, parameters in found.items()}
    return make_prior("pair", atomic_numbers, cutoff, functions, described)


def _least_squares(
    forms: dict[ElementPair, Form],
    forces_of: dict[ElementPair, csr_array],
    forces: FloatArray,
    cutoff: float,
) -> dict[ElementPair, FloatArray]:
    """Parameters with which the forms, by the matrices `forces_of`, come closest to the forces."""
    if not forms:  # lone atoms
        return {}
    ends = np.cumsum([len(form.start) for form in forms.values()])[:-1]
    start, low, high = (
        np.concatenate([getattr(form, name) for form in forms.values()]) for name in ("start", "low", "high")
    )

    def split(values: FloatArray) -> dict[ElementPair, FloatArray]:
        return dict(zip(forms, np.split(values, ends), strict=True))

    def misfit(values: FloatArray) -> FloatArray:
        rest = forces.copy()
        for pair, parameters in split(values).items():
            rest -= forces_of[pair] @ tabulate(forms[pair].of(parameters), cutoff)
        return rest

    return split(least_squares(misfit, start, bounds=(low, high), x_scale=start).x)


def _by_elements(frames: FrameSet, cutoff: float) -> dict[ElementPair, tuple[PairList, FloatArray]]:
    """Pairs (idx_i, idx_j, r_ij) and distances of all frames, by the pair's elements."""
    idx_i, idx_j, r_ij = all_frame_pairs(frames, cutoff)
    numbers = frames.atomic_numbers[np.stack([idx_i, idx_j], axis=1) % frames.n_atoms]
    kinds, kind = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
    found = {}
    for k, (first, second) in enumerate(kinds.tolist()):
        of_kind = kind.ravel() == k
        pairs = idx_i[of_kind], idx_j[of_kind], r_ij[of_kind]
        found[first, second] = pairs, np.linalg.norm(pairs[2], axis=1)
    return found


def _form(pair: ElementPair, d_ij: FloatArray, n_frames: int, cutoff: float) -> Form:
    """A well where at least every second frame has a bond of these elements, else a wall."""
    near = d_ij < BOND_SCALE * bond_length(*pair)
    if 2 * near.sum() < n_frames:
        at = float(d_ij.min())
        about = describe_zbl(*pair) | {"wall_at_A": at, "wall_decay_per_A": WALL_DECAY_PER_A}

        def zbl_and_wall(d: FloatArray, height: float) -> FloatArray:
            return zbl(d, *pair) + wall(d, height, at, cutoff)

        return Form(zbl_and_wall, [0.1], [0.0], [np.inf], about, ("wall_height_eV",))
    bonded, apart = d_ij[near], d_ij[d_ij > APART_SCALE * bond_length(*pair)]
    longest = float(np.quantile(bonded, 1 - EDGES))
    end = float(np.quantile(apart, EDGES)) if len(apart) else cutoff
    start = (longest + end) / 2
    about = {
        "well_depth_kcal_mol": WELL_DEPTH * KCAL_MOL_PER_EV,
        "well_switched_off_from_A": start,
        "well_switched_off_to_A": end,
    }
    mean = float(bonded.mean())
    function = partial(well, start=start, end=end)
    return Form(function, [mean, 2.0], [0.8 * mean, 0.5], [1.2 * mean, 5.0], about, ("r0_A", "a_per_A"))


def _forces_of_table(frames: FrameSet, pairs: PairList, cutoff: float) -> csr_array:
    """The matrix that takes the table of one pair of elements to its forces on all atoms, flattened."""
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
