"""Frames as tensors on the device, with their pairs found once: a batch is an index away."""

from typing import NamedTuple

import numpy as np
import torch
from ase.data import chemical_symbols
from torch import Tensor

from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.pairs import frame_pairs
from mdaug.models import Graph, SchNet
from mdaug.training.pair_prior import without_prior


class Batch(NamedTuple):
    """A graph with its targets in units of the model's energy scale (and Å), and a weight for each frame."""

    graph: Graph
    energies: Tensor
    forces: Tensor
    weights: Tensor


class FrameTensors:
    """All frames of a set on the device of a model, energies and forces without its prior in its units."""

    def __init__(self, frames: FrameSet, model: SchNet) -> None:
        parameter = next(model.parameters())
        device, dtype = parameter.device, parameter.dtype
        self.n_frames, self.n_atoms = len(frames), frames.n_atoms
        species = species_of(frames, model)
        reference = float(model.reference_energies.cpu()[species].sum())
        energy_scale = float(model.energy_scale)
        frames = without_prior(frames, model.prior)
        self.species = torch.as_tensor(species, device=device)
        self.energies = torch.as_tensor((frames.energies - reference) / energy_scale).to(device, dtype)
        self.forces = torch.as_tensor(frames.forces / energy_scale).to(device, dtype)
        self.weights = torch.as_tensor(frames.weights).to(device, dtype)
        found = [frame_pairs(frames, n, model.options.cutoff) for n in range(len(frames))]
        self.idx_i, self.idx_j = (
            torch.as_tensor(np.concatenate([*(pairs[k] for pairs in found), [0]]), device=device)
            for k in (0, 1)
        )
        vectors = np.concatenate([*(pairs[2] for pairs in found), [[model.options.cutoff, 0.0, 0.0]]])
        distances = np.linalg.norm(vectors, axis=1)
        self.d_ij = torch.as_tensor(distances).to(device, dtype)
        self.unit_ij = torch.as_tensor(vectors / distances[:, None]).to(device, dtype)
        self.pair_rows = torch.as_tensor(_pair_rows([len(pairs[0]) for pairs in found]), device=device)
        self.n_pairs = len(distances) - 1
        ragged = bool((self.pair_rows == self.n_pairs).any())
        self.fixed_size = not ragged or (device.type == "cuda" and model.options.cutoff_function != "none")

    def batch(self, index: Tensor) -> Batch:
        """Return the frames of `index` (n,) as one graph.

        With `fixed_size` all batches of n frames have the same number of pairs: the lists of frames with
        fewer are filled up with a pair at the cutoff, where filters and slopes are zero.
        """
        n = len(index)
        frame = torch.arange(n, device=index.device).unsqueeze(1)
        rows = self.pair_rows.index_select(0, index)
        pair, first_atom = rows.flatten(), (frame * self.n_atoms).expand_as(rows).flatten()
        if not self.fixed_size:
            found = pair < self.n_pairs
            pair, first_atom = pair[found], first_atom[found]
        graph = Graph(
            species=self.species.repeat(n),
            idx_i=self.idx_i.index_select(0, pair) + first_atom,
            idx_j=self.idx_j.index_select(0, pair) + first_atom,
            d_ij=self.d_ij.index_select(0, pair),
            unit_ij=self.unit_ij.index_select(0, pair),
            system=frame.expand(n, self.n_atoms).flatten(),
            n_systems=n,
        )
        return Batch(graph, self.energies[index], self.forces[index].reshape(-1, 3), self.weights[index])


def _pair_rows(counts: list[int]) -> IntArray:
    """Rows of each frame's pairs among those of all, (n_frames, longest); the row after the last fills up."""
    ends = np.cumsum(counts)
    place = np.arange(max(counts, default=0))
    rows = (ends - counts)[:, None] + place
    return np.where(place < np.asarray(counts)[:, None], rows, ends[-1] if len(ends) else 0)


def species_of(frames: FrameSet, model: SchNet) -> IntArray:
    """Index (n_atoms,) of each atom's element among the model's.

    Raises
    ------
    DataError
        The model does not know an element of the frames.
    """
    unknown = sorted(set(frames.atomic_numbers.tolist()) - set(model.atomic_numbers))
    if unknown:
        strange, known = (
            ", ".join(chemical_symbols[z] for z in numbers) for numbers in (unknown, model.atomic_numbers)
        )
        raise DataError(
            f"{frames.name} has {strange}, which the model does not know; its elements are {known}"
        )
    return np.searchsorted(model.atomic_numbers, frames.atomic_numbers)
