"""Spring constants of element pairs, their look-up at a given distance, and the file springs.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mdaug.archives import load_json
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray
from mdaug.springs.mixture import Mixture
from mdaug.springs.options import LookupRule
from mdaug.units import BOLTZMANN_EV_K, EV_PER_KCAL_MOL, KCAL_MOL_PER_EV

UNITS = "distance in Angstrom, k in kcal/mol/Angstrom^2"

STIFFEST, FARTHEST, HOTTEST = 1e9, 1e6, 1e9
"""Largest values accepted from springs.json, in kcal/mol/Å², Å and K; larger ones would overflow."""


@dataclass(frozen=True)
class PairSprings:
    """Springs of one element pair, sorted by distance; one for each component of its mixture.

    Parameters
    ----------
    distance
        Means of the components, Å, shape (n_springs,).
    k
        k_B T / σ², eV/Å².
    weight
        Weights of the components, summing to one.
    sigma
        Widths of the components, Å.
    """

    distance: FloatArray
    k: FloatArray
    weight: FloatArray
    sigma: FloatArray

    @property
    def mixture(self) -> Mixture:
        """The mixture of Gaussians from which the springs were computed."""
        return Mixture(self.distance, self.sigma, self.weight)

    def nearest(self, d: FloatArray) -> FloatArray:
        """Return k of the component with the nearest mean, the published rule; halfway, that of the shorter
        one.

        Parameters
        ----------
        d
            Distances, Å, any shape.

        Returns
        -------
        k
            eV/Å², of the shape of `d`.
        """
        halfway = 0.5 * (self.distance[1:] + self.distance[:-1])
        return self.k[np.searchsorted(halfway, d)]

    def linear(self, d: FloatArray) -> FloatArray:
        """Return k, interpolated linearly between the means and constant outside them.

        Parameters
        ----------
        d
            Distances, Å, any shape.

        Returns
        -------
        k
            eV/Å², of the shape of `d`.
        """
        return np.interp(d, self.distance, self.k)

    def responsibilities(self, d: FloatArray) -> FloatArray:
        """Return the responsibilities γ_m(d) = w_m N_m(d) / Σ_n w_n N_n(d), which sum to one.

        Parameters
        ----------
        d
            Distances, Å, any shape.

        Returns
        -------
        responsibilities
            Shape (*d.shape, n_springs).
        """
        z = (np.asarray(d)[..., None] - self.distance) / self.sigma
        logs = np.log(self.weight / self.sigma) - 0.5 * z**2
        shares = np.exp(logs - logs.max(-1, keepdims=True))
        return shares / shares.sum(-1, keepdims=True)

    def responsibility(self, d: FloatArray) -> FloatArray:
        """Return Σ_m γ_m(d) k_m; at more than 3σ outside the first or last component, the k of that
        component.

        Far outside, the widest component would dominate, wherever its mean is.

        Parameters
        ----------
        d
            Distances, Å, any shape.

        Returns
        -------
        k
            eV/Å², of the shape of `d`.
        """
        k = self.responsibilities(d) @ self.k
        k = np.where(d < self.distance[0] - 3 * self.sigma[0], self.k[0], k)
        return np.where(d > self.distance[-1] + 3 * self.sigma[-1], self.k[-1], k)


LOOKUPS = MappingProxyType(
    {
        "nearest": PairSprings.nearest,
        "linear": PairSprings.linear,
        "responsibility": PairSprings.responsibility,
    }
)


@dataclass(frozen=True)
class Springs:
    """Springs of all element pairs of some frames.

    Parameters
    ----------
    temperature_K
        Temperature of the frames.
    pairs
        Name ("H-O", in order of atomic number) -> springs.
    """

    temperature_K: float
    pairs: Mapping[str, PairSprings]

    def lookup(self, pair: str, d: FloatArray, rule: LookupRule = "nearest") -> FloatArray:
        """Return the spring constants of atom pairs of one element pair.

        Parameters
        ----------
        pair
            Name of the element pair, for example ``"H-O"``.
        d
            Distances, Å, any shape.
        rule
            ``"nearest"`` component (published), ``"linear"`` interpolation, or ``"responsibility"``-weighted
            mean.

        Returns
        -------
        k
            eV/Å², of the shape of `d`.

        Raises
        ------
        DataError
            There are no springs for that element pair.
        """
        if pair not in self.pairs:
            raise DataError(
                f"no springs for the element pair {pair}, only for {', '.join(self.pairs)}; "
                "fit them to frames that contain this pair"
            )
        return LOOKUPS[rule](self.pairs[pair], np.asarray(d, dtype=float))

    def to_json(self) -> dict[str, Any]:
        """Return the content of springs.json, k in kcal/mol/Å²."""
        pairs = {
            name: [
                {"distance": float(d), "k": float(k) * KCAL_MOL_PER_EV, "weight": float(w)}
                for d, k, w in zip(springs.distance, springs.k, springs.weight, strict=True)
            ]
            for name, springs in self.pairs.items()
        }
        return {"temperature_K": self.temperature_K, "units": UNITS, "pairs": pairs}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Springs":
        """Return springs from the content of springs.json; σ follows from k and the temperature.

        Parameters
        ----------
        content
            The parsed JSON.

        Raises
        ------
        ValueError, KeyError, TypeError, AttributeError
            The content does not have the form of `to_json`, or a number is out of range.
        """
        temperature_K = float(content["temperature_K"])
        if not 0 < temperature_K < HOTTEST:
            raise ValueError(f"temperature_K is {temperature_K:g}")
        pairs = {}
        for name, rows in content["pairs"].items():
            table = sorted((row["distance"], row["k"], row["weight"]) for row in rows)
            distance, k, weight = np.array(table, dtype=float).reshape(-1, 3).T
            if not len(k) or not np.all((k > 0) & (k < STIFFEST)):
                raise ValueError(f"pair {name}: every k must be positive and below {STIFFEST:g}")
            if not np.all((distance > 0) & (distance < FARTHEST)) or not np.all(np.isfinite(weight)):
                raise ValueError(f"pair {name}: every distance must be positive and every weight a number")
            k = k * EV_PER_KCAL_MOL
            pairs[name] = PairSprings(distance, k, weight, np.sqrt(BOLTZMANN_EV_K * temperature_K / k))
        return cls(temperature_K, pairs)

    def write(self, path: Path | str, more: Mapping[str, Any] | None = None) -> None:
        """Write springs.json.

        Parameters
        ----------
        path
            File to write.
        more
            Additional keys.
        """
        write_json(path, self.to_json() | dict(more or {}))

    @classmethod
    def read(cls, path: Path | str) -> "Springs":
        """Return the springs of a springs.json.

        Parameters
        ----------
        path
            File to read.

        Raises
        ------
        DataError
            The file is missing or does not have the form of `write`.
        """
        try:
            return cls.from_json(load_json(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} cannot be read as springs ({type(error).__name__}: {error}); "
                'expected {"temperature_K", "units", "pairs": {"H-O": [{"distance", "k", "weight"}]}} '
                "as `mdaug springs` writes it"
            ) from error
