"""Bonds and walls of the prior `pair`, fitted to forces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.sparse import csr_array

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BOND_SCALE
from mdaug.geometry.pairs import all_frame_pairs
from mdaug.models import spline
from mdaug.models.pair_prior import (
    N_KNOTS,
    WALL_DECAY_PER_A,
    WELL_DEPTH,
    ElementPair,
    PairFunction,
    PairPrior,
    bond_length,
    describe_zbl,
    make_prior,
    switch_off,
    tabulate,
    wall,
    well,
    zbl,
)
from mdaug.units import EV_PER_KCAL_MOL, KCAL_MOL_PER_EV

MAX_FRAMES = 300
"""Whose forces are fitted, evenly spaced; more tell nothing new about a handful of parameters."""

APART_SCALE = 1.45
"""Atoms farther apart than this times the length of a single bond are not bonded; nearer ones may be, hot."""

EDGE = 0.005
"""Share of the distances that are no bonds that may lie nearer than where they are said to begin."""

LOWEST_WALL = 30.0 * EV_PER_KCAL_MOL
"""A wall is at least so high where a well ends: halfway from the longest bond to distances that are none."""

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
    some = frames.evenly_spaced(MAX_FRAMES)
    forms = {
        pair: _form(pair, np.linalg.norm(r_ij, axis=1), len(frames), cutoff)
        for pair, (*_, r_ij) in _by_elements(frames, cutoff).items()
    }
    forces_of = {
        pair: _forces_of_table(some, pairs, cutoff) for pair, pairs in _by_elements(some, cutoff).items()
    }
    found = _least_squares(forms, forces_of, some.forces.ravel(), cutoff)
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
        own = split(values)
        for pair, matrix in forces_of.items():
            rest -= matrix @ tabulate(forms[pair].of(own[pair]), cutoff)
        return rest

    return split(least_squares(misfit, start, bounds=(low, high), x_scale=start).x)


def _by_elements(frames: FrameSet, cutoff: float) -> dict[ElementPair, PairList]:
    """Pairs of all frames by their elements."""
    idx_i, idx_j, r_ij = all_frame_pairs(frames, cutoff)
    numbers = frames.atomic_numbers[np.stack([idx_i, idx_j], axis=1) % frames.n_atoms]
    kinds, kind = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
    found = {}
    for k, (first, second) in enumerate(kinds.tolist()):
        of_kind = kind.ravel() == k
        found[first, second] = idx_i[of_kind], idx_j[of_kind], r_ij[of_kind]
    return found


def _form(pair: ElementPair, d_ij: FloatArray, n_frames: int, cutoff: float) -> Form:
    """A well where at least every second frame has a bond of these elements, and a wall outside of bonds."""
    near = d_ij < BOND_SCALE * bond_length(*pair)
    if 2 * near.sum() < n_frames:
        return _wall_form(pair, float(d_ij.min()), cutoff)
    longest, mean = float(d_ij[near].max()), float(d_ij[near].mean())
    apart = d_ij[d_ij > APART_SCALE * bond_length(*pair)]
    if len(apart) == 0:
        return _well_form(mean, longest, cutoff)
    nearest = float(np.quantile(apart, EDGE))
    end = (longest + nearest) / 2
    return _with_wall(_well_form(mean, longest, end), (longest, end), nearest, cutoff)


def _wall_form(pair: ElementPair, at: float, cutoff: float) -> Form:
    def function(d: FloatArray, height: float) -> FloatArray:
        return zbl(d, *pair, cutoff) + wall(d, height, at, cutoff)

    about = describe_zbl(*pair, cutoff) | {"wall_at_A": at, "wall_decay_per_A": WALL_DECAY_PER_A}
    return Form(function, [0.1], [0.0], [np.inf], about, ("wall_height_eV",))


def _well_form(mean: float, start: float, end: float) -> Form:
    about = {
        "well_depth_kcal_mol": WELL_DEPTH * KCAL_MOL_PER_EV,
        "well_switched_off_from_A": start,
        "well_switched_off_to_A": end,
    }
    function = partial(well, start=start, end=end)
    return Form(function, [mean, 2.0], [0.8 * mean, 0.5], [1.2 * mean, 5.0], about, ("r0_A", "a_per_A"))


def _with_wall(form: Form, switch: tuple[float, float], at: float, cutoff: float) -> Form:
    """Where the well is switched off a wall is switched on: it keeps apart what is not bonded."""

    def function(d: FloatArray, r0: float, a: float, height: float) -> FloatArray:
        outside = 1.0 - switch_off(d, *switch)
        return form.function(d, r0, a) + outside * wall(d, height, at, cutoff)

    lowest = LOWEST_WALL * float(np.exp(-WALL_DECAY_PER_A * (at - switch[1])))
    return Form(
        function,
        [*form.start, 2 * lowest],
        [*form.low, lowest],
        [*form.high, np.inf],
        form.about | {"wall_at_A": at, "wall_decay_per_A": WALL_DECAY_PER_A},
        (*form.names, "wall_height_eV"),
    )


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
