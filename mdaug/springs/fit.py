"""Fit of springs to frames: k_m = k_B T / σ_m² of each component of each element pair."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.molecules import count_molecules
from mdaug.springs.distances import pair_distances
from mdaug.springs.mixture import (
    Mixture,
    bootstrap_mixtures,
    choose_n_components,
    find_peaks,
    fit_converged,
    fit_mixture,
    join,
)
from mdaug.springs.options import SpringOptions
from mdaug.springs.springs import PairSprings, Springs
from mdaug.units import BOLTZMANN_EV_K, EV_PER_KCAL_MOL

Progress = Callable[[int, int], None]
"""Called with (element pairs done, element pairs in all)."""

FITS = MappingProxyType({"published": fit_mixture, "converged": fit_converged})

STIFFEST = 5000.0 * EV_PER_KCAL_MOL
"""eV/Å². No bond is as stiff as this (N₂: 3300 kcal/mol/Å²)."""

LIGHT = 0.01
"""A peak stiffer than `STIFFEST` with less than this fraction of the distances is left out."""

HISTOGRAM_BINS = 120
"""Largest number of bins of a histogram."""

LEAST_SAMPLES = 5
"""Peaks of fewer distances are left out (automatic choice only): their width would be noise."""


@dataclass(frozen=True)
class Interval:
    """95 % confidence intervals of the springs of one element pair.

    Parameters
    ----------
    distance
        Low and high ends, each of shape (n_springs,), Å.
    k
        Low and high ends, each of shape (n_springs,), eV/Å².
    """

    distance: tuple[FloatArray, FloatArray]
    k: tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class SpringAnalysis:
    """Springs of both kinds of fit, their confidence intervals, and histograms of the distances.

    Parameters
    ----------
    springs
        The result of `fit_springs`: one of the two fits below, chosen by ``options.convergence``.
    published, converged
        The fits at scikit-learn's default convergence and at the maximum of the likelihood.
    intervals
        Confidence intervals of the converged fit, by pair name; empty without bootstrap.
    histograms
        Pair name -> (density in 1/Å, bin edges in Å) of the distances.
    """

    springs: Springs
    published: Springs
    converged: Springs
    intervals: dict[str, Interval]
    histograms: dict[str, tuple[FloatArray, FloatArray]]


def fit_springs(
    frames: FrameSet, options: SpringOptions | None = None, *, progress: Progress | None = None
) -> Springs:
    """Fit the springs of all element pairs.

    Parameters
    ----------
    frames
        Sampled at `frames.temperature_K`, which must be known.
    options
        Options of the fit; None means the defaults.
    progress
        Called with (element pairs done, element pairs in all).

    Raises
    ------
    DataError
        The temperature is unknown, a pair has too few distances, or its distances do not vary.

    Examples
    --------
    >>> springs = fit_springs(load_frames("ethanol"))
    >>> springs.write("springs.json")  # doctest: +SKIP
    """
    options = options or SpringOptions()
    temperature_K, samples = checked_distances(frames, options)
    pairs = {}
    for done, (name, (distances, _)) in enumerate(samples.items(), 1):
        mixture, peak = _fit(name, distances, temperature_K, options)[options.convergence]
        pairs[name] = _springs(name, join(mixture, peak), temperature_K, options)
        if progress:
            progress(done, len(samples))
    return Springs(temperature_K, pairs)


def analyze_springs(
    frames: FrameSet, options: SpringOptions | None = None, *, progress: Progress | None = None
) -> SpringAnalysis:
    """Fit the springs with both convergence criteria, with histograms and confidence intervals by bootstrap.

    Parameters
    ----------
    frames
        Sampled at `frames.temperature_K`, which must be known. The bootstrap draws frames of one group
        (duplicates) together.
    options
        Options of the fit; None means the defaults.
    progress
        Called with (element pairs done, element pairs in all).

    Raises
    ------
    DataError
        Same as for `fit_springs`.
    """
    options = options or SpringOptions()
    temperature_K, samples = checked_distances(frames, options)
    fits = {}
    for done, (name, (distances, frame)) in enumerate(samples.items(), 1):
        fits[name] = fit_pair(name, distances, frames.group[frame], temperature_K, options)
        if progress:
            progress(done, len(samples))
    return analysis_of(fits, temperature_K, options)


@dataclass(frozen=True)
class PairFit:
    """What `SpringAnalysis` has of one element pair; no interval without bootstrap."""

    published: PairSprings
    converged: PairSprings
    interval: Interval | None
    histogram: tuple[FloatArray, FloatArray]


def fit_pair(
    name: str, distances: FloatArray, groups: IntArray, temperature_K: float, options: SpringOptions
) -> PairFit:
    """Fit the springs of one element pair with both convergence criteria.

    Parameters
    ----------
    name
        Name of the element pair.
    distances, groups
        Distances (Å) and the group of the frame of each, shape (n,).
    temperature_K
        Of the frames.
    options
        Options of the fit.

    Raises
    ------
    DataError
        The distances are too few, or do not vary.
    """
    mixtures = _fit(name, distances, temperature_K, options, ("published", "converged"))
    fits = {
        convergence: _springs(name, join(mixture, peak), temperature_K, options)
        for convergence, (mixture, peak) in mixtures.items()
    }
    interval = None
    if options.bootstrap:
        mixture, peak = mixtures["converged"]
        resampled = bootstrap_mixtures(distances, groups, mixture, options.bootstrap, options.seed)
        interval = _interval(join(resampled, peak), temperature_K)
    histogram = _histogram(distances, fits[options.convergence].sigma.min())
    return PairFit(fits["published"], fits["converged"], interval, histogram)


def analysis_of(fits: Mapping[str, PairFit], temperature_K: float, options: SpringOptions) -> SpringAnalysis:
    """Return the fits of all element pairs of a system.

    Parameters
    ----------
    fits
        By pair name.
    temperature_K
        Of the frames.
    options
        Those of the fits.
    """
    both = {
        "published": Springs(temperature_K, {name: fit.published for name, fit in fits.items()}),
        "converged": Springs(temperature_K, {name: fit.converged for name, fit in fits.items()}),
    }
    intervals = {name: fit.interval for name, fit in fits.items() if fit.interval is not None}
    histograms = {name: fit.histogram for name, fit in fits.items()}
    return SpringAnalysis(both[options.convergence], **both, intervals=intervals, histograms=histograms)


Samples = dict[str, tuple[FloatArray, IntArray]]
"""Pair name -> distances, and the frame or group of each."""


def checked_distances(frames: FrameSet, options: SpringOptions) -> tuple[float, Samples]:
    """Return the temperature of frames, and the distances of each element pair with their frames.

    Parameters
    ----------
    frames, options
        As for `analyze_springs`.

    Raises
    ------
    DataError
        No springs can be fitted to these frames.
    """
    if frames.temperature_K is None:
        raise DataError(
            f"{frames.name}: the temperature of the frames is not known, but k = k_B T / σ² needs it; "
            "state it with --temperature K"
        )
    if len(frames) == 1 and not frames.periodic:
        raise DataError(
            f"{frames.name}: a single frame; springs are computed from the variation of distances between "
            "frames: give the frames of a simulation"
        )
    samples = pair_distances(frames, options.cutoff)
    if not samples:
        raise DataError(
            f"{frames.name}: no pair of atoms within {options.cutoff} Å in {len(frames)} frames; "
            "springs need at least two atoms within the cutoff, which "
            "`mdaug train --no-augment` does without"
        )
    _warn_of_molecules(frames)
    missing = set(options.n_components) - set(samples)
    if missing:
        raise DataError(
            f"{frames.name}: components were given for {', '.join(sorted(missing))}, but the frames have "
            f"only {', '.join(samples)}; name pairs of the frames"
        )
    return frames.temperature_K, samples


def _warn_of_molecules(frames: FrameSet) -> None:
    """Warn that peaks of distances between molecules are fitted, but do not measure a stiffness."""
    n_molecules = count_molecules(frames)
    if n_molecules == 1:
        return
    content = f"{n_molecules} molecules" if n_molecules < frames.n_atoms else "atoms that are not bonded"
    warnings.warn(
        f"{frames.name}: the frames contain {content}, which move relative to each other: the fit to "
        "distances between them describes their packing, not a stiffness; only springs within a molecule "
        "have a meaning",
        stacklevel=3,
    )


def _fit(
    name: str,
    distances: FloatArray,
    temperature_K: float,
    options: SpringOptions,
    convergences: tuple[str, ...] = (),
) -> dict[str, tuple[Mixture, IntArray]]:
    """Return, by convergence, the mixture of one element pair and the peak of each of its components."""
    convergences = convergences or (options.convergence,)
    given = options.n_components.get(name)
    needed = 2 * (given or 1)
    if len(distances) < needed:
        raise DataError(
            f"{name}: {len(distances)} distances in all frames, but {given or 1} components need at least "
            f"{needed}; give more frames or fewer components"
        )
    if np.ptp(distances) < options.min_width:
        # one constant distance has one component
        constant = Mixture(np.array([distances.mean()]), np.array([distances.std()]), np.ones(1))
        return dict.fromkeys(convergences, (constant, np.zeros(1, dtype=np.int64)))
    distances = np.sort(distances)  # so that the fit does not depend on the order of atoms and frames
    if len(distances) > options.max_samples:
        rng = np.random.default_rng(options.seed)
        distances = np.sort(rng.choice(distances, options.max_samples, replace=False))
    number = given or choose_n_components(distances, options.max_components, options.seed)
    min_weight = max(options.min_weight, LEAST_SAMPLES / len(distances))
    fits = {}
    for convergence in convergences:
        mixture = FITS[convergence](distances, number, options.seed)
        peak = find_peaks(mixture, dip=options.dip, min_weight=min_weight)
        peak = _without_spikes(mixture, peak, temperature_K, options.min_width)
        fits[convergence] = mixture, (np.arange(number) if given else peak)
    return fits


def _without_spikes(mixture: Mixture, peak: IntArray, temperature_K: float, min_width_A: float) -> IntArray:
    """Leave out peaks of small weight that are stiffer than any bond: a few distances that are close by
    chance."""
    joined = join(mixture, peak)
    stiff = BOLTZMANN_EV_K * temperature_K / np.maximum(joined.sigmas, min_width_A) ** 2 > STIFFEST
    spike = stiff & (joined.weights < LIGHT) & (joined.sigmas >= min_width_A)
    kept = np.append(~spike, False)  # the last entry is for components that are left out already, −1
    return np.where(kept, np.cumsum(kept) - 1, -1)[peak]


def _springs(name: str, mixture: Mixture, temperature_K: float, options: SpringOptions) -> PairSprings:
    narrow = mixture.sigmas < options.min_width
    if narrow.any() and not options.limit_width:
        at = ", ".join(f"{mean:.3f} Å" for mean in mixture.means[narrow])
        raise DataError(
            f"{name}: the distances around {at} vary by less than {options.min_width} Å, so no spring "
            "constant can be read from them; expected thermal frames without constrained bonds "
            "(--limit-width widens them to that)"
        )
    sigma = np.maximum(mixture.sigmas, options.min_width)
    return PairSprings(mixture.means, BOLTZMANN_EV_K * temperature_K / sigma**2, mixture.weights, sigma)


def _histogram(distances: FloatArray, narrowest: float) -> tuple[FloatArray, FloatArray]:
    bins = np.clip(3 * np.ptp(distances) / narrowest, 20, HISTOGRAM_BINS)
    return np.histogram(distances, int(bins), density=True)


def _interval(resampled: Mixture, temperature_K: float) -> Interval:
    order = np.argsort(resampled.means, axis=-1)
    distance = np.take_along_axis(resampled.means, order, -1)
    k = BOLTZMANN_EV_K * temperature_K / np.take_along_axis(resampled.sigmas, order, -1) ** 2
    low, high = np.percentile(distance, [2.5, 97.5], axis=0)
    k_low, k_high = np.percentile(k, [2.5, 97.5], axis=0)
    return Interval((low, high), (k_low, k_high))
