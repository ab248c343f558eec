"""The fixed pair prior of a training: made from its frames, and taken off their energies and forces."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.pairs import all_frame_pairs
from mdaug.models.graph import forces_from_pairs
from mdaug.models.options import SchNetOptions
from mdaug.models.pair_prior import PairPrior, pair_energies, zbl_prior
from mdaug.training.prior_fit import fit_prior


def choose_prior(frames: FrameSet, atomic_numbers: Sequence[int], options: SchNetOptions) -> PairPrior | None:
    """Return the prior that `options` ask for; fitted ones see the first frame of each group only.

    That leaves out augmented copies, which come after their parents.
    """
    if options.prior == "none":
        return None
    if options.prior == "zbl":
        return zbl_prior(atomic_numbers, options.cutoff)
    _, first = np.unique(frames.group, return_index=True)
    return fit_prior(frames.select(np.sort(first)), atomic_numbers, options.cutoff)


def prior_results(frames: FrameSet, prior: PairPrior) -> tuple[FloatArray, FloatArray]:
    """Energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, that the prior gives the frames."""
    n_frames, n_atoms = len(frames), frames.n_atoms
    idx_i, idx_j, r_ij = map(torch.from_numpy, all_frame_pairs(frames, prior.cutoff))
    d_ij = r_ij.norm(dim=1)
    species = torch.from_numpy(np.searchsorted(prior.atomic_numbers, frames.atomic_numbers)).repeat(n_frames)
    of_pairs, slopes = pair_energies(prior.table.cpu(), prior.spacing, species[idx_i], species[idx_j], d_ij)
    energies = torch.zeros(n_frames).double().index_add(0, idx_i // n_atoms, of_pairs)
    forces = forces_from_pairs(slopes, r_ij / d_ij.unsqueeze(1), idx_i, idx_j, n_frames * n_atoms)
    return energies.numpy(), forces.reshape(n_frames, n_atoms, 3).numpy()


def without_prior(frames: FrameSet, prior: PairPrior | None) -> FrameSet:
    """Return the frames with what the prior gives taken off their energies and forces."""
    if prior is None:
        return frames
    energies, forces = prior_results(frames, prior)
    return replace(frames, energies=frames.energies - energies, forces=frames.forces - forces)
