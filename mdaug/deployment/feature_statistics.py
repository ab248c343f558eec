"""Statistics of the last layer's features in the training frames, and the extrapolation they define.

The extrapolation of an atom is the Mahalanobis distance of its features u (of the last layer, before the
activation, `Network.last_features`) from those of all atoms of its kind k in the training frames, in units of
the largest one there:

    x = |W_k (u − m_k)|,    W_k = Λ^(−1/2) Vᵀ / d_k,    Λ = diag(λ + RIDGE max λ)

with the mean m_k, eigenvalues λ and eigenvectors V of the covariance, and d_k so that the largest x of all
atoms of the kind in the training frames is 1 (distance: Lee et al. 2018, arXiv:1807.03888). Kinds are the
rows of the embedding: atom types, and elements for atoms without a type. The features of one element differ
more from type to type than within a type, so that a covariance of the element would hide most of what is
unlike the training frames.

The covariance of a type from n atoms is C = (n C_own + n_0 C_within) / (n + n_0), where C_within is the mean
covariance within the types of the same element, and n_0 the number of features: a type of few atoms has no
covariance of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mdaug.deployment.deployed_model import DeployedModel
from mdaug.frames import FloatArray, FrameSet, IntArray
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
        Shape (n_rows, n_features), m_k of the rows of the embedding: the elements, then the atom types.
    whitening
        Shape (n_rows, n_features, n_features), W_k; its rows are axes. NaN, as the mean, for a type that no
        training frame has.
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
    elements = _of_atoms(training, [elements_of_frames(each, model.atomic_numbers) for each in training])
    rows = _of_atoms(training, [species_of(each, model.atomic_numbers) for each in training])
    values = np.concatenate([_features(deployed, frames) for frames in training])
    shape = model.network.embedding.num_embeddings, values.shape[1]
    means, whitening = np.full(shape, np.nan), np.full((*shape, shape[1]), np.nan)
    for element in range(len(model.atomic_numbers)):
        own = elements == element
        if own.sum() < 2 or not np.ptp(values[own], axis=0).max() > 0:
            return None
        means[element], whitening[element] = _statistics(values[own])
        types = np.unique(rows[own & (rows != element)])
        within = _covariance_within([values[rows == row] for row in types])
        for row in types:
            means[row], whitening[row] = _statistics(values[rows == row], within)
    n_frames = sum(len(frames) for frames in training)
    return FeatureStatistics(torch.tensor(means), torch.tensor(whitening), n_frames)


def _of_atoms(training: Sequence[FrameSet], of_frame: Sequence[IntArray]) -> IntArray:
    """Return values of the atoms of a frame for the atoms of all frames."""
    return np.concatenate([np.tile(own, len(frames)) for own, frames in zip(of_frame, training, strict=True)])


def _covariance_within(of_types: Sequence[FloatArray]) -> FloatArray | None:
    """Return the mean covariance (n_features, n_features) within types, each weighted by its atoms."""
    if not of_types:
        return None
    deviations = np.concatenate([values - values.mean(axis=0) for values in of_types])
    return np.asarray(deviations.T @ deviations / len(deviations))


def _statistics(values: FloatArray, within: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return mean and whitening of the features of a kind, given the covariance within types."""
    mean = values.mean(axis=0)
    deviations = values - mean
    covariance = deviations.T @ deviations / len(values)
    if within is not None:
        n, n_0 = values.shape
        covariance = (n * covariance + n_0 * within) / (n + n_0)
    variances, axes = np.linalg.eigh(covariance)
    variances = np.maximum(variances, 0.0)
    whitening = axes.T / np.sqrt(variances + RIDGE * variances.max())[:, None]
    return mean, np.asarray(whitening / np.linalg.norm(deviations @ whitening.T, axis=1).max())


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
