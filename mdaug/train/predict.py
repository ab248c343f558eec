"""Energies and forces of many frames, and their errors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mdaug.frames.frame_set import FloatArray, FrameSet
from mdaug.model import SchNet
from mdaug.train.tensors import FrameTensors, species_of

BATCH = 50


@dataclass(frozen=True)
class Errors:
    """Mean absolute and mean squared errors in units of the model's energy scale (and Å)."""

    energy_mae: float
    force_mae: float
    energy_mse: float
    force_mse: float


def errors(model: SchNet, frames: FrameTensors) -> Errors:
    """Errors of a model on frames; the model is left in evaluation mode."""
    energies, forces = predict_tensors(model, frames)
    de = (energies - frames.energies).double()
    df = (forces - frames.forces).double()
    return Errors(
        float(de.abs().mean()), float(df.abs().mean()), float(de.square().mean()), float(df.square().mean())
    )


def predict_tensors(model: SchNet, frames: FrameTensors) -> tuple[Tensor, Tensor]:
    """Energies (n_frames,) without references and forces (n_frames, n_atoms, 3) in energy scales."""
    model.eval()
    energies, forces = [], []
    with torch.no_grad():
        for index in torch.arange(frames.n_frames, device=frames.energies.device).split(BATCH):
            e, f = model(frames.batch(index).graph)
            energies.append(e)
            forces.append(f.reshape(len(index), -1, 3))
    return torch.cat(energies), torch.cat(forces)


def predict(model: SchNet, frames: FrameSet) -> tuple[FloatArray, FloatArray]:
    """Energies (n_frames,), eV, references included, and forces (n_frames, n_atoms, 3), eV/Å, of a model."""
    scale = float(model.energy_scale)
    energies, forces = predict_tensors(model, FrameTensors(frames, model))
    reference = float(model.reference_energies.cpu()[species_of(frames, model)].sum())
    return energies.double().cpu().numpy() * scale + reference, forces.double().cpu().numpy() * scale
