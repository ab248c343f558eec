"""Errors of predicted energies and forces against frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from ase.data import chemical_symbols

from mdaug.data.origin import shown
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.units import GPA_PER_EV_A3, KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

Predict = Callable[[FrameSet], tuple[FloatArray, ...]]
"""Returns energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, of frames; it may also return
stresses (n_frames, 3, 3), eV/Å³, tension positive."""

FORCE_LIMIT_KCAL_MOL_A = 1.0
"""Largest force MAE on test frames of an accurate model; forces of frames at 500 K have an rms of about
25."""


@dataclass(frozen=True)
class AccuracyResult:
    """True and predicted energies and forces of the same frames, and their errors.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    energies_eV, predicted_energies_eV
        Shape (n_frames,), compared as they are: no shift is fitted.
    forces_eV_A, predicted_forces_eV_A
        Shape (n_frames, n_atoms, 3); errors are over their components. True forces are NaN for frames with
        energies only.
    stresses_eV_A3, predicted_stresses_eV_A3
        Shape (n_frames, 3, 3), tension positive; None where frames or predictions have none.
    """

    atomic_numbers: IntArray
    energies_eV: FloatArray
    predicted_energies_eV: FloatArray
    forces_eV_A: FloatArray
    predicted_forces_eV_A: FloatArray
    stresses_eV_A3: FloatArray | None = None
    predicted_stresses_eV_A3: FloatArray | None = None

    @property
    def energy_errors_kcal_mol(self) -> FloatArray:
        """Predicted minus true, shape (n_frames,)."""
        return (self.predicted_energies_eV - self.energies_eV) * KCAL_MOL_PER_EV

    @property
    def force_errors_kcal_mol_A(self) -> FloatArray:
        """Predicted minus true, shape (n_frames, n_atoms, 3)."""
        return (self.predicted_forces_eV_A - self.forces_eV_A) * KCAL_MOL_PER_EV

    @property
    def has_forces(self) -> bool:
        """Whether the frames have true forces."""
        return not bool(np.isnan(self.forces_eV_A).all())

    @property
    def stress_errors_eV_A3(self) -> FloatArray | None:
        """Predicted minus true, shape (n_frames, 3, 3); None without stresses."""
        if self.stresses_eV_A3 is None or self.predicted_stresses_eV_A3 is None:
            return None
        return self.predicted_stresses_eV_A3 - self.stresses_eV_A3

    @property
    def force_mae_by_element_kcal_mol_A(self) -> dict[str, float]:
        """Mean absolute error of the force components on the atoms of each element."""
        errors = np.abs(self.force_errors_kcal_mol_A)
        return {
            chemical_symbols[number]: float(errors[:, self.atomic_numbers == number].mean())
            for number in np.unique(self.atomic_numbers)
        }

    def centered(self) -> Self:
        """Return the result with the mean energy error removed: levels of theory have zeros of their own."""
        mean = float((self.predicted_energies_eV - self.energies_eV).mean())
        return replace(self, predicted_energies_eV=self.predicted_energies_eV - mean)

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``"test"`` of `results.json`; the mean error is predicted minus true.

        Errors of forces are None for frames with energies only; keys of stresses, over their nine components,
        are there for frames with stresses only.
        """
        energy, force = self.energy_errors_kcal_mol, self.force_errors_kcal_mol_A
        has_forces = self.has_forces
        return {
            "energy_mae_kcal_mol": float(np.abs(energy).mean()),
            "force_mae_kcal_mol_A": float(np.abs(force).mean()) if has_forces else None,
            "energy_rmse_kcal_mol": float(np.sqrt(np.mean(energy**2))),
            "force_rmse_kcal_mol_A": float(np.sqrt(np.mean(force**2))) if has_forces else None,
            "n_frames": len(energy),
            "energy_mean_error_kcal_mol": float(energy.mean()),
            "energy_largest_error_kcal_mol": float(np.abs(energy).max()),
            "force_largest_error_kcal_mol_A": float(np.abs(force).max()) if has_forces else None,
            "force_mae_by_element_kcal_mol_A": self.force_mae_by_element_kcal_mol_A if has_forces else {},
            **self._of_stresses(),
        }

    def _of_stresses(self) -> dict[str, float]:
        errors = self.stress_errors_eV_A3
        if errors is None:
            return {}
        mae, rmse = float(np.abs(errors).mean()), float(np.sqrt(np.mean(errors**2)))
        return {
            "stress_mae_eV_A3": mae,
            "stress_mae_GPa": mae * GPA_PER_EV_A3,
            "stress_rmse_GPa": rmse * GPA_PER_EV_A3,
            "stress_mean_error_GPa": float(errors.mean()) * GPA_PER_EV_A3,
            "stress_largest_error_GPa": float(np.abs(errors).max()) * GPA_PER_EV_A3,
        }


def accuracy(predict: Predict, frames: FrameSet) -> AccuracyResult:
    """Return the errors of predicted energies and forces, and of stresses where both have them.

    Parameters
    ----------
    predict
        Returns energies and forces, and if it can stresses, of frames.
    frames
        Frames with the true energies, forces and, if known, stresses.

    Raises
    ------
    DataError
        If there is no frame, or a prediction has another shape than the frames or is not finite.
    """
    if len(frames) == 0:
        raise DataError(f"{frames.name}: no frame to compare with; expected at least one")
    return errors_of(predict(frames), frames)


def errors_of(predictions: Sequence[FloatArray], frames: FrameSet) -> AccuracyResult:
    """Return the errors of what was predicted of frames.

    Parameters
    ----------
    predictions
        Energies and forces, and stresses where the model has some, as `Predict` returns them.
    frames
        As for `accuracy`.

    Raises
    ------
    DataError
        If a prediction has another shape than the frames or is not finite.
    """
    predicted = [np.asarray(values, dtype=float) for values in predictions]
    given = [frames.energies, frames.forces]
    if len(predicted) > 2 and frames.known_stresses is not None:
        given.append(frames.known_stresses)
    for what, values, true in zip(("energies", "forces", "stresses"), predicted, given, strict=False):
        if values.shape != true.shape:
            raise DataError(f"predicted {what} have shape {values.shape}; {frames.name} has {true.shape}")
        if not np.isfinite(values).all():
            bad = int(np.argwhere(~np.isfinite(values))[0][0])
            raise DataError(
                f"predicted {what} of {shown(frames, [bad])} of {frames.name} are not finite; leave this "
                "frame out, or train again"
            )
    pairs = [array for pair in zip(given, predicted, strict=False) for array in pair]
    return AccuracyResult(frames.atomic_numbers, *pairs)


def joined_accuracy(results: Sequence[AccuracyResult]) -> AccuracyResult:
    """Return the errors on frames of several systems together, without stresses.

    Energies are relative to the mean true energy of each system. The forces are those of one frame with the
    atoms of all frames, of systems with forces if there are such.

    Parameters
    ----------
    results
        Errors on the frames of each system, at least one.
    """
    with_forces = [result for result in results if result.has_forces] or results
    means = [result.energies_eV.mean() for result in results]
    return AccuracyResult(
        np.concatenate([np.tile(r.atomic_numbers, len(r.forces_eV_A)) for r in with_forces]),
        np.concatenate([r.energies_eV - mean for r, mean in zip(results, means, strict=True)]),
        np.concatenate([r.predicted_energies_eV - mean for r, mean in zip(results, means, strict=True)]),
        np.concatenate([r.forces_eV_A.reshape(1, -1, 3) for r in with_forces], axis=1),
        np.concatenate([r.predicted_forces_eV_A.reshape(1, -1, 3) for r in with_forces], axis=1),
    )


def accuracy_verdict(test: AccuracyResult | None) -> Verdict:
    """Return whether the force error on test frames is below `FORCE_LIMIT_KCAL_MOL_A`.

    Parameters
    ----------
    test
        Errors on the test frames; None without test frames.
    """
    name, limit = "accuracy on test frames", FORCE_LIMIT_KCAL_MOL_A
    if test is None:
        return Verdict(name, "cannot tell", None, limit, "There are no test frames (`--split.test`).")
    errors = test.to_json()
    value = errors["force_mae_kcal_mol_A"]
    text = (
        f"The force MAE is {value:.2g} kcal/mol/Å on {errors['n_frames']} frames, the limit is {limit:g}; "
        f"the energy MAE is {errors['energy_mae_kcal_mol']:.2g} kcal/mol."
    )
    return Verdict(name, "ok" if value <= limit else "warning", value, limit, text)
