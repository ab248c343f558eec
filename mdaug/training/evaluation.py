"""Energies and forces of many frames by a model in training, and their errors."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import FloatArray, FrameSet
from mdaug.models import SchNet
from mdaug.models.species import elements_of_frames
from mdaug.training.pair_prior import prior_results
from mdaug.training.parallel import ProcessGroup
from mdaug.training.systems import SetTensors
from mdaug.training.tensors import FrameTensors

BATCH = 50
"""Frames that are evaluated at once."""


@dataclass(frozen=True)
class Errors:
    """Mean absolute and mean squared errors in units of the model's energy scale (and Å).

    Those of strain derivatives (volume times stress, per component) are zero if no frame has a stress.
    """

    energy_mae: float
    force_mae: float
    strain_mae: float
    energy_mse: float
    force_mse: float
    strain_mse: float


def errors(model: SchNet, frames: SetTensors, group: ProcessGroup | None = None) -> Errors:
    """Return the errors of a model on frames; the model is left in evaluation mode.

    Force errors of several systems are means over frames of the means over the components of each.

    Parameters
    ----------
    model
        The model.
    frames
        Frames with energies and forces.
    group
        Processes among which the frames are distributed; None for this process alone.
    """
    of_parts = [list(vars(_errors(model, part, group or ProcessGroup())).values()) for part in frames.parts]
    if len(of_parts) == 1:
        return Errors(*of_parts[0])
    return Errors(*np.average(of_parts, axis=0, weights=[part.n_frames for part in frames.parts]).tolist())


def virial_mae(measured: Errors, frames: SetTensors, scale: float) -> float | None:
    """Return the mean absolute error of volume times stress, per component, of the systems with stresses.

    Parameters
    ----------
    measured
        Errors of a model, in which systems without stresses count as zero.
    frames
        The frames, of one system or several.
    scale
        Factor on the errors: the model's energy scale in the unit of the result.

    Returns
    -------
    float or None
        None if no system has stresses.
    """
    n_known = sum(part.n_frames for part in frames.parts if part.strain is not None)
    return measured.strain_mae * scale * frames.n_frames / n_known if n_known else None


def _errors(model: SchNet, frames: FrameTensors, group: ProcessGroup) -> Errors:
    """Return the errors of a model on the frames of one system, in units of the model's energy scale."""
    index = group.shard(torch.arange(frames.n_frames, device=frames.energies.device))
    energies, forces, strain = predict_tensors(model, frames, index, strain=frames.strain is not None)
    de = (energies - frames.energies[index]).double()
    df = (forces - frames.forces[index]).double()
    n, n_known, ds = frames.n_frames, 1.0, de.new_zeros(0)
    if frames.strain is not None and strain is not None:
        known = frames.strain.known
        n_known = float(known.sum())
        ds = ((strain - frames.strain.derivatives[index]) * known[index][:, None, None]).double()
    sums = torch.stack([e.abs().sum() for e in (de, df, ds)] + [e.square().sum() for e in (de, df, ds)])
    counts = torch.tensor([n, 3 * n * frames.n_atoms, 9 * n_known] * 2, dtype=sums.dtype)
    unit = frames.unit / float(model.energy_scale)
    units = torch.tensor([unit] * 3 + [unit**2] * 3, dtype=sums.dtype)
    return Errors(*(group.all_reduce(sums).cpu() / counts * units).tolist())


def predict_tensors(
    model: SchNet, frames: FrameTensors, index: Tensor, *, strain: bool = False
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return energies, forces and strain derivatives of the network, without reference energies and prior.

    Parameters
    ----------
    model
        The model; it is left in evaluation mode.
    frames
        Frames.
    index
        Shape (n,), which of them.
    strain
        Whether strain derivatives are computed; else they are None.

    Returns
    -------
    tuple
        Energies (n,) in the unit of `frames`, forces (n, n_atoms, 3) in these per Å, and ∂E/∂ε (n, 3, 3) in
        these.
    """
    model.eval()
    energies = torch.empty(len(index), dtype=frames.energies.dtype, device=index.device)
    forces = torch.empty((len(index), frames.n_atoms, 3), dtype=energies.dtype, device=index.device)
    derivatives = (
        torch.empty((len(index), 3, 3), dtype=energies.dtype, device=index.device) if strain else None
    )
    with torch.no_grad():
        for part in torch.arange(len(index), device=index.device).split(BATCH):
            if len(part):
                e, f, s = model.with_strain(frames.batch(index[part]).graph, strain=strain)
                energies[part], forces[part] = e, f.reshape(len(part), -1, 3)
                if derivatives is not None and s is not None:
                    derivatives[part] = s
    return energies, forces, derivatives


def predict(model: SchNet, frames: FrameSet) -> tuple[FloatArray, FloatArray]:
    """Return energies and forces of frames, with reference energies and prior.

    Parameters
    ----------
    model
        The model; it is left in evaluation mode.
    frames
        Frames of the model's elements.

    Returns
    -------
    tuple of array
        Energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, F = −∂E/∂r.
    """
    tensors = FrameTensors(frames, model)
    index = torch.arange(tensors.n_frames, device=tensors.energies.device)
    network_energies, network_forces, _ = predict_tensors(model, tensors, index)
    reference = float(model.reference_energies.cpu()[elements_of_frames(frames, model.atomic_numbers)].sum())
    energies = network_energies.double().cpu().numpy() * tensors.unit + reference
    forces = network_forces.double().cpu().numpy() * tensors.unit
    if model.prior is None:
        return energies, forces
    prior_energies, prior_forces = prior_results(frames, model.prior)
    return energies + prior_energies, forces + prior_forces
