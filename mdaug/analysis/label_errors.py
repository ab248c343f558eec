"""How right labels of displaced frames are: their errors against a reference, by displacement and by
energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mdaug.frames import FloatArray
from mdaug.units import KCAL_MOL_PER_EV

SMALLEST_SIGNED_KCAL_MOL = 0.05
"""Changes smaller than this have no sign that matters."""

SIZE_EDGES_KCAL_MOL = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class LabelErrors:
    """Labels of one rule for the copies of one kind, beside the truth.

    Parameters
    ----------
    rule
        Its name.
    true_change, change
        ΔE by the reference and by the rule, kcal/mol, shape (n_copies,).
    force_error
        Rms over the force components of each copy, kcal/mol/Å, shape (n_copies,); NaN where the reference has
        no forces.
    """

    rule: str
    true_change: FloatArray
    change: FloatArray
    force_error: FloatArray

    @classmethod
    def between(
        cls, rule: str, true: tuple[FloatArray, FloatArray], labels: tuple[FloatArray, FloatArray]
    ) -> "LabelErrors":
        """Compare (ΔE, F') of the reference and of the rule, eV and eV/Å; copies without reference are
        left out.

        ΔE has shape (n_copies,), F' (n_copies, n_atoms, 3).
        """
        known = np.isfinite(true[0])
        force_error = np.sqrt(np.mean((labels[1] - true[1])[known] ** 2, axis=(1, 2)))
        return cls(
            rule,
            true[0][known] * KCAL_MOL_PER_EV,
            labels[0][known] * KCAL_MOL_PER_EV,
            force_error * KCAL_MOL_PER_EV,
        )

    @property
    def error(self) -> FloatArray:
        return self.change - self.true_change

    @property
    def rms(self) -> float:
        """Root mean square of the error, kcal/mol."""
        return _rms(self.error)

    @property
    def sign_errors(self) -> float:
        """Share of the changes that matter whose sign is wrong."""
        signed = np.abs(self.true_change) > SMALLEST_SIGNED_KCAL_MOL
        wrong = np.sign(self.change[signed]) != np.sign(self.true_change[signed])
        return float(np.mean(wrong)) if len(wrong) else 0.0

    def to_json(self) -> dict[str, float | None]:
        """Return rms, median of the size and mean of the error, wrong signs, and the rms force error.

        The last is None where no forces are known.
        """
        with_forces = self.force_error[np.isfinite(self.force_error)]
        return {
            "rms_kcal_mol": self.rms,
            "median_kcal_mol": float(np.median(np.abs(self.error))),
            "bias_kcal_mol": float(np.mean(self.error)),
            "sign_errors": self.sign_errors,
            "force_rms_kcal_mol_A": _rms(with_forces) if len(with_forces) else None,
        }


def by_size(parts: Sequence[LabelErrors]) -> list[dict[str, Any]]:
    """Return the rms errors of one rule over all its copies, by the size of the true |ΔE|."""
    size = np.abs(np.concatenate([part.true_change for part in parts]))
    error = np.concatenate([part.error for part in parts])
    rows = []
    for low, high in pairwise(SIZE_EDGES_KCAL_MOL):
        inside = (low <= size) & (size < high)
        if inside.any():
            rows.append(
                {
                    "from_kcal_mol": low,
                    "to_kcal_mol": high,
                    "n_copies": int(inside.sum()),
                    "rms_kcal_mol": _rms(error[inside]),
                }
            )
    return rows


@dataclass(frozen=True)
class LabelCell:
    """Copies of one kind of displacement, labelled by all rules.

    Parameters
    ----------
    kind
        ``displacement`` or ``stretch``.
    epsilon_A, n_displaced
        Of random displacements; None for stretched bonds.
    rules
        Rule -> errors.
    floor_kcal_mol
        What the reference itself may be off, rms; 0 where it is the data's own level.
    """

    kind: str
    epsilon_A: float | None
    n_displaced: int | None
    rules: dict[str, LabelErrors]
    floor_kcal_mol: float

    @property
    def name(self) -> str:
        if self.kind == "stretch":
            return "bond stretched"
        return f"{self.epsilon_A:g} Å, {self.n_displaced} atom{'s' if self.n_displaced != 1 else ''}"

    @property
    def rms_true_kcal_mol(self) -> float:
        return _rms(next(iter(self.rules.values())).true_change)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "epsilon_A": self.epsilon_A,
            "n_displaced": self.n_displaced,
            "n_copies": len(next(iter(self.rules.values())).change),
            "rms_true_kcal_mol": self.rms_true_kcal_mol,
            "floor_kcal_mol": self.floor_kcal_mol,
            "rules": {name: errors.to_json() for name, errors in self.rules.items()},
        }


@dataclass(frozen=True)
class LabelStudy:
    """All cells, and what the truth was."""

    data: str
    truth: str
    exact: bool
    cells: list[LabelCell]

    @property
    def rules(self) -> list[str]:
        return list(self.cells[0].rules)

    @property
    def has_forces(self) -> bool:
        """Whether forces of any copy are known."""
        return any(np.isfinite(errors.force_error).any() for errors in self.cells[0].rules.values())

    def by_size(self) -> dict[str, list[dict[str, Any]]]:
        """Return for each rule its errors by size of the true |ΔE|, over all cells."""
        return {rule: by_size([cell.rules[rule] for cell in self.cells]) for rule in self.rules}

    def to_json(self) -> dict[str, Any]:
        """Return the content of labels.json."""
        return {
            "data": self.data,
            "truth": self.truth,
            "exact": self.exact,
            "cells": [cell.to_json() for cell in self.cells],
            "by_size": self.by_size(),
        }


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
