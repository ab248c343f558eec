"""Springs of several systems: the distances of an element pair at one temperature are fitted together."""

from collections.abc import Callable, Sequence

import numpy as np

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.springs.distances import pair_distances
from mdaug.springs.fit import (
    PairFit,
    Progress,
    Samples,
    SpringAnalysis,
    analysis_of,
    checked_distances,
    fit_pair,
)
from mdaug.springs.options import SpringOptions

Fits = dict[str, PairFit | DataError]
"""Pair name -> its fit, or why there is none."""


class PooledSprings:
    """The springs of each of several systems, from the distances of all of them at the same temperature.

    All element pairs at a temperature are fitted with the first system at this temperature.

    Parameters
    ----------
    systems
        Frames of each system.
    options
        Options of the fits; None means the defaults.
    started
        Called with the number of systems and their temperature (K) before the fits at this temperature.
    progress
        Called with (element pairs done, element pairs in all) of a temperature.
    """

    def __init__(
        self,
        systems: Sequence[FrameSet],
        options: SpringOptions | None = None,
        *,
        started: Callable[[int, float], None] = lambda n_systems, temperature_K: None,
        progress: Progress | None = None,
    ) -> None:
        self._systems, self._options = systems, options or SpringOptions()
        self._started, self._progress = started, progress
        self._fits: dict[float, Fits] = {}

    def of(self, number: int) -> SpringAnalysis:
        """Return the springs of the element pairs of one system.

        Parameters
        ----------
        number
            Of the system, from 0.

        Raises
        ------
        DataError
            As `analyze_springs`.
        """
        temperature_K, samples = checked_distances(self._systems[number], self._options)
        if temperature_K not in self._fits:
            self._fits[temperature_K] = self._fitted(temperature_K)
        fits: dict[str, PairFit] = {}
        for name in samples:
            fit = self._fits[temperature_K][name]
            if isinstance(fit, DataError):
                raise DataError(str(fit)) from fit
            fits[name] = fit
        return analysis_of(fits, temperature_K, self._options)

    def _fitted(self, temperature_K: float) -> Fits:
        same = [frames for frames in self._systems if frames.temperature_K == temperature_K]
        self._started(len(same), temperature_K)
        pooled = _pooled(same, self._options.cutoff)
        fits: Fits = {}
        for done, (name, (distances, groups)) in enumerate(pooled.items(), 1):
            try:
                fits[name] = fit_pair(name, distances, groups, temperature_K, self._options)
            except DataError as error:  # of the systems with this pair
                fits[name] = error
            if self._progress:
                self._progress(done, len(pooled))
        return fits


def _pooled(systems: Sequence[FrameSet], cutoff: float) -> Samples:
    """Return the distances of each element pair of all systems, with the group of each, by its system."""
    parts: dict[str, list[tuple[FloatArray, IntArray]]] = {}
    offset = 0
    for frames in systems:
        for name, (distances, frame) in pair_distances(frames, cutoff).items():
            parts.setdefault(name, []).append((distances, offset + frames.group[frame]))
        offset += int(frames.group.max()) + 1
    return {
        name: (np.concatenate([d for d, _ in own]), np.concatenate([g for _, g in own]))
        for name, own in parts.items()
    }
