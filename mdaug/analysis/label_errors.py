"""Errors of label rules against a reference, by kind of displacement and by change of energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mdaug.frames import FloatArray
from mdaug.units import KCAL_MOL_PER_EV

SMALLEST_SIGNED_KCAL_MOL = 0.05
"""Smallest change of energy (kcal/mol) whose sign is counted."""

SIZE_EDGES_KCAL_MOL = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class LabelErrors:
    """Labels of one rule for augmented frames of one kind, compared with a reference.

    Parameters
    ----------
    rule
        Name of the rule.
    true_change, change
        ΔE by the reference and by the rule, kcal/mol, shape (n_frames,).
    force_error
        Rms over the force components of each frame, kcal/mol/Å, shape (n_frames,); NaN where the reference
        has no forces.
    """

    rule: str
    true_change: FloatArray
    change: FloatArray
    force_error: FloatArray

    @classmethod
    def between(
        cls, rule: str, true: tuple[FloatArray, FloatArray], labels: tuple[FloatArray, FloatArray]
    ) -> "LabelErrors":
        """Compare the labels of a rule with the reference; frames without reference are left out.

        Parameters
        ----------
        rule
            Its name.
        true, labels
            ΔE, shape (n_frames,), eV, and F', shape (n_frames, n_atoms, 3), eV/Å, of the reference and of the
            rule; NaN where the reference has none.
        """
        has_reference = np.isfinite(true[0])
        force_error = np.sqrt(np.mean((labels[1] - true[1])[has_reference] ** 2, axis=(1, 2)))
        return cls(
            rule,
            true[0][has_reference] * KCAL_MOL_PER_EV,
            labels[0][has_reference] * KCAL_MOL_PER_EV,
            force_error * KCAL_MOL_PER_EV,
        )

    @property
    def error(self) -> FloatArray:
        """ΔE of the rule minus that of the reference, kcal/mol, shape (n_frames,)."""
        return self.change - self.true_change

    @property
    def rms(self) -> float:
        """Root mean square of the error, kcal/mol."""
        return _rms(self.error)

    @property
    def sign_errors(self) -> float:
        """Fraction of changes above `SMALLEST_SIGNED_KCAL_MOL` that have the wrong sign."""
        signed = np.abs(self.true_change) > SMALLEST_SIGNED_KCAL_MOL
        wrong = np.sign(self.change[signed]) != np.sign(self.true_change[signed])
        return float(np.mean(wrong)) if len(wrong) else 0.0

    def to_json(self) -> dict[str, float | None]:
        """Return rms, median size and mean of the error, wrong signs, and the rms force error.

        The last is None where the reference has no forces.
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
    """Return the rms errors of one rule by the size of the true |ΔE|.

    Parameters
    ----------
    parts
        Errors of the rule for each kind of displacement.

    Returns
    -------
    list of dict
        For each bin with frames: its edges, the number of frames, and the rms error, kcal/mol.
    """
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
                    "n_frames": int(inside.sum()),
                    "rms_kcal_mol": _rms(error[inside]),
                }
            )
    return rows


@dataclass(frozen=True)
class LabelCell:
    """Augmented frames of one kind of displacement, labeled by all rules.

    Parameters
    ----------
    kind
        ``displacement`` or ``stretch``.
    epsilon_A, n_displaced
        Longest displacement and number of displaced atoms; None for stretched bonds.
    rules
        Rule -> errors.
    floor_kcal_mol
        Rms error of the reference itself; 0 where it is at the level of theory of the data.
    """

    kind: str
    epsilon_A: float | None
    n_displaced: int | None
    rules: dict[str, LabelErrors]
    floor_kcal_mol: float

    @property
    def name(self) -> str:
        """The kind of displacement, for tables: ``0.1 Å, 2 atoms``."""
        if self.kind == "stretch":
            return "bond stretched"
        return f"{self.epsilon_A:g} Å, {self.n_displaced} atom{'s' if self.n_displaced != 1 else ''}"

    @property
    def rms_true_kcal_mol(self) -> float:
        """Root mean square of the reference's ΔE."""
        return _rms(next(iter(self.rules.values())).true_change)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"cells"`` in labels.json."""
        return {
            "kind": self.kind,
            "epsilon_A": self.epsilon_A,
            "n_displaced": self.n_displaced,
            "n_frames": len(next(iter(self.rules.values())).change),
            "rms_true_kcal_mol": self.rms_true_kcal_mol,
            "floor_kcal_mol": self.floor_kcal_mol,
            "rules": {name: errors.to_json() for name, errors in self.rules.items()},
        }


@dataclass(frozen=True)
class LabelStudy:
    """Errors of all rules for all kinds of displacement.

    Parameters
    ----------
    data
        Name of the frames.
    truth
        Name of the reference.
    exact
        Whether the reference is at the level of theory of the data.
    cells
        One for each kind of displacement.
    """

    data: str
    truth: str
    exact: bool
    cells: list[LabelCell]

    @property
    def rules(self) -> list[str]:
        """Names of the label rules."""
        return list(self.cells[0].rules)

    @property
    def has_forces(self) -> bool:
        """Whether the reference has forces for at least one frame."""
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
