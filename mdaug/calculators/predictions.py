"""Energies and forces of many frames with a model.pt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdaug.calculators.evaluators import Evaluate, make_evaluator, make_finder
from mdaug.calculators.structures import check_positions, elements_of
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.frame_pairs import pairs_of_frames
from mdaug.options import Precision


@dataclass(frozen=True)
class Predictions:
    """What a model predicts of frames.

    Parameters
    ----------
    energies
        Shape (n_frames,), eV.
    forces
        Shape (n_frames, n_atoms, 3), eV/Å.
    stresses
        Shape (n_frames, 3, 3), eV/Å³, tension positive; None where the frames have none.
    extrapolation
        Shape (n_frames,), the largest of an atom, 1 is the largest in training; None if the model has no
        statistics of its training frames.
    """

    energies: FloatArray
    forces: FloatArray
    stresses: FloatArray | None
    extrapolation: FloatArray | None

    @property
    def labels(self) -> tuple[FloatArray, ...]:
        """Energies, forces and, where the frames have some, stresses."""
        labels = self.energies, self.forces
        return labels if self.stresses is None else (*labels, self.stresses)


def predict(
    model: str | Path,
    frames: FrameSet,
    *,
    batch_size: int = 50,
    device: str = "cpu",
    dtype: Precision | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, of `frames`.

    Parameters
    ----------
    model
        A model.pt.
    frames
        Molecules or periodic cells.
    batch_size
        Number of frames evaluated at once.
    device, dtype
        As for `MDAugCalculator`.
    progress
        Called with the number of frames done and the number of all frames.

    Raises
    ------
    DataError
        The file is not a model of mdaug, the model does not have an element, or positions are not finite.
    """
    opened = _Model.open(model, device, dtype)
    predicted = opened.predict(frames, batch_size=batch_size, progress=progress)
    return predicted.energies, predicted.forces


def predict_all(model: str | Path, systems: Sequence[FrameSet]) -> list[Predictions]:
    """Return all that the model predicts of the frames of each system, evaluated once.

    Parameters
    ----------
    model
        A model.pt, which is opened once.
    systems
        Molecules or periodic cells, with or without stresses.

    Raises
    ------
    DataError
        As `predict`.
    """
    opened = _Model.open(model)
    return [opened.predict(frames, with_stresses=frames.known_stresses is not None) for frames in systems]


def predict_extrapolation(
    model: str | Path, frames: FrameSet, *, progress: Callable[[int, int], None] | None = None
) -> FloatArray:
    """Return the largest extrapolation of an atom in each frame, (n_frames,); 1 is the largest in training.

    Parameters
    ----------
    model
        A model.pt.
    frames
        Molecules or periodic cells.
    progress
        Called with the number of frames done and the number of all frames.

    Raises
    ------
    DataError
        The model has no statistics of its training frames; otherwise as `predict`.
    """
    if "extrapolation" not in read_manifest(model):
        raise DataError(
            f"{model}: it has no statistics of its training frames, so no extrapolation; `mdaug export` adds "
            "them in the folder of its training"
        )
    extrapolation = _Model.open(model).predict(frames, progress=progress).extrapolation
    assert extrapolation is not None
    return extrapolation


@dataclass(frozen=True)
class _Model:
    """An open model: its manifest, and the function that evaluates it."""

    manifest: dict[str, Any]
    evaluate: Evaluate
    device: torch.device

    @classmethod
    def open(cls, model: str | Path, device: str = "cpu", dtype: Precision | None = None) -> "_Model":
        manifest = read_manifest(model)
        evaluate, _ = make_evaluator(model, dtype, device, 0, "auto")
        return cls(manifest, evaluate, torch.device(device))

    def predict(
        self,
        frames: FrameSet,
        *,
        batch_size: int = 50,
        progress: Callable[[int, int], None] | None = None,
        with_stresses: bool = False,
    ) -> Predictions:
        for n, positions in enumerate(frames.positions):
            check_positions(positions, f"{frames.name}, frame {n}: ")
        species = elements_of(frames.atomic_numbers, self.manifest["elements"])
        n_frames, n_atoms = len(frames), frames.n_atoms
        finder = make_finder(self.manifest)  # that of other frames would take isomers for theirs
        predicted = Predictions(
            np.empty(n_frames),
            np.empty(frames.positions.shape),
            np.empty((n_frames, 3, 3)) if with_stresses else None,
            np.empty(n_frames) if "extrapolation" in self.manifest else None,
        )
        if with_stresses:
            batch_size = 1  # a model has one strain derivative of all that it evaluates at once
        for start in range(0, n_frames, batch_size):
            batch = frames.select(slice(start, start + batch_size))
            part = slice(start, start + len(batch))
            idx_i, idx_j, shifts = pairs_of_frames(batch, self.manifest["cutoff_A"])
            on_device = [torch.as_tensor(values, device=self.device) for values in (idx_i, idx_j, shifts)]
            pairs = on_device[0], on_device[1], on_device[2]
            molecules = None if finder is None else finder.find_in_frames(batch)
            values = self.evaluate(
                np.tile(species, len(batch)), batch.positions.reshape(-1, 3), pairs, molecules
            )
            predicted.energies[part] = values["atomic_energies"].reshape(-1, n_atoms).sum(1)
            predicted.forces[part] = values["forces"].reshape(-1, n_atoms, 3)
            if predicted.stresses is not None and batch.cells is not None:
                predicted.stresses[part] = values["strain_derivative"] / np.abs(np.linalg.det(batch.cells[0]))
            if predicted.extrapolation is not None:
                predicted.extrapolation[part] = values["extrapolation"].reshape(-1, n_atoms).max(1)
            if progress is not None:
                progress(part.stop, n_frames)
        return predicted
