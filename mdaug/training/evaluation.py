"""Energies and forces of many frames, and their errors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mdaug.frames import FloatArray, FrameSet
from mdaug.models import SchNet
from mdaug.training.pair_prior import prior_results
from mdaug.training.parallel import ProcessGroup
from mdaug.training.tensors import FrameTensors, species_of

BATCH = 50


@dataclass(frozen=True)
class Errors:
    """Mean absolute and mean squared errors in units of the model's energy scale (and Å)."""

    energy_mae: float
    force_mae: float
    energy_mse: float
    force_mse: float


def errors(model: SchNet, frames: FrameTensors, group: ProcessGroup | None = None) -> Errors:
    """Errors of a model on frames, shared out among the processes; the model is left in evaluation mode."""
    group = group or ProcessGroup()
    index = group.shard(torch.arange(frames.n_frames, device=frames.energies.device))
    energies, forces = predict_tensors(model, frames, index)
    de = (energies - frames.energies[index]).double()
    df = (forces - frames.forces[index]).double()
    sums = torch.stack([de.abs().sum(), df.abs().sum(), de.square().sum(), df.square().sum()])
    n = frames.n_frames
    counts = torch.tensor([n, 3 * n * frames.n_atoms] * 2, dtype=sums.dtype)
    return Errors(*(group.all_reduce(sums).cpu() / counts).tolist())


def predict_tensors(model: SchNet, frames: FrameTensors, index: Tensor) -> tuple[Tensor, Tensor]:
    """Energies (n,) and forces (n, n_atoms, 3) of the frames `index`, without references and prior.

    In energy scales (and Å).
    """
    model.eval()
    energies = torch.empty(len(index), dtype=frames.energies.dtype, device=index.device)
    forces = torch.empty((len(index), frames.n_atoms, 3), dtype=energies.dtype, device=index.device)
    with torch.no_grad():
        for part in torch.arange(len(index), device=index.device).split(BATCH):
            if len(part):
                e, f = model(frames.batch(index[part]).graph)
                energies[part], forces[part] = e, f.reshape(len(part), -1, 3)
    return energies, forces


def predict(model: SchNet, frames: FrameSet) -> tuple[FloatArray, FloatArray]:
    """Energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å; references and prior included."""
    scale = float(model.energy_scale)
    tensors = FrameTensors(frames, model)
    every = torch.arange(tensors.n_frames, device=tensors.energies.device)
    energies, forces = predict_tensors(model, tensors, every)
    reference = float(model.reference_energies.cpu()[species_of(frames, model)].sum())
    found = energies.double().cpu().numpy() * scale + reference, forces.double().cpu().numpy() * scale
    if model.prior is None:
        return found
    of_prior = prior_results(frames, model.prior)
    return found[0] + of_prior[0], found[1] + of_prior[1]
