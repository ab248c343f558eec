"""Statistics of the last layer's features in the training frames, and the extrapolation they define.

The extrapolation of an atom of element Z is the Mahalanobis distance of its features u (of the last layer,
before the activation, `Network.last_features`) from those of all atoms of Z in the training frames, in units
of the largest one there:

    x = |W_Z (u − m_Z)|,    W_Z = Λ^(−1/2) Vᵀ / d_Z,    Λ = diag(λ_k + RIDGE max_k λ_k)

with the mean m_Z, eigenvalues λ_k and eigenvectors V of the covariance, and d_Z so that the largest x of all
atoms of Z in the training frames is 1 (distance: Lee et al. 2018, arXiv:1807.03888).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mdaug.deployment.deployed_model import DeployedModel
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.frame_pairs import pairs_of_frames
from mdaug.models import SchNet
from mdaug.models.species import elements_of_frames, species_of

RIDGE = 1e-3
"""Added to the variances along the principal axes, in units of the largest; without it an axis along which
features hardly vary in training would decide."""

MAX_ATOMS = 100_000
"""Atoms whose features are computed; of more, frames evenly spaced are taken."""

_BATCH_ATOMS = 2000


class FeatureStatistics(NamedTuple):
    """Statistics of the last layer's features in the training frames.

    Attributes
    ----------
    means
        Shape (n_elements, n_features), m_Z.
    whitening
        Shape (n_elements, n_features, n_features), W_Z; its rows are axes.
    n_frames
        Number of frames they are computed from.
    """

    means: Tensor
    whitening: Tensor
    n_frames: int


def last_layer_statistics(model: SchNet, training: Sequence[FrameSet]) -> FeatureStatistics | None:
    """Return the statistics of a model's features in its training frames.

    Parameters
    ----------
    model
        The trained model.
    training
        All frames that it was trained on, augmented ones too, of one or several systems, with their atom
        types.

    Returns
    -------
    FeatureStatistics or None
        None if the features of an element do not vary, as in a single frame.
    """
    deployed = DeployedModel(model).eval()
    training = _thinned(training)
    elements = [elements_of_frames(frames, model.atomic_numbers) for frames in training]
    of_atoms = np.concatenate([np.tile(own, len(of)) for own, of in zip(elements, training, strict=True)])
    values = np.concatenate([_features(deployed, frames) for frames in training])
    n_elements = len(deployed.atomic_numbers)
    means, whitening = [], []
    for element in range(n_elements):
        own = values[of_atoms == element]
        if len(own) < 2 or not np.ptp(own, axis=0).max() > 0:
            return None
        means.append(own.mean(axis=0))
        whitening.append(_whitening(own - means[-1]))
    n_frames = sum(len(frames) for frames in training)
    return FeatureStatistics(torch.tensor(np.array(means)), torch.tensor(np.array(whitening)), n_frames)


def _thinned(training: Sequence[FrameSet]) -> list[FrameSet]:
    share = min(1.0, MAX_ATOMS / sum(len(frames) * frames.n_atoms for frames in training))
    return [frames.evenly_spaced(max(1, round(share * len(frames)))) for frames in training if len(frames)]


def _features(deployed: DeployedModel, frames: FrameSet) -> FloatArray:
    """Return the features (n, n_features) of the atoms in all frames."""
    species = torch.as_tensor(species_of(frames, deployed.atomic_numbers.tolist()))
    parts, size = [], max(1, _BATCH_ATOMS // frames.n_atoms)
    for start in range(0, len(frames), size):
        batch = frames.select(np.arange(start, min(start + size, len(frames))))
        pairs = [torch.as_tensor(values) for values in pairs_of_frames(batch, deployed.cutoff)]
        positions = torch.as_tensor(batch.positions.reshape(-1, 3))
        with torch.inference_mode():
            features = deployed.last_features(species.repeat(len(batch)), positions, *pairs)
        parts.append(features.numpy())
    return np.concatenate(parts)


def _whitening(deviations: FloatArray) -> FloatArray:
    variances, axes = np.linalg.eigh(np.cov(deviations, rowvar=False).reshape(2 * [deviations.shape[1]]))
    variances = np.maximum(variances, 0.0)
    whitening = axes.T / np.sqrt(variances + RIDGE * variances.max())[:, None]
    return np.asarray(whitening / np.linalg.norm(deviations @ whitening.T, axis=1).max())
