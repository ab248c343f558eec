"""Frames of several systems as tensors: batches of frames of different sizes, without padding."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import Dataset, Frames
from mdaug.models import Graph, SchNet
from mdaug.training.tensors import Batch, FrameTensors, StrainTargets


class SystemTensors:
    """Frames of several systems on the device of a model, numbered system by system.

    The loss of a frame is the mean of its squared force errors over its own components, and its squared
    energy error times the mean number of atoms over its own, because energies of large systems are sums over
    more atoms. Therefore the weight of a frame is multiplied by that ratio.

    Parameters
    ----------
    dataset
        Frames of the model's elements.
    model
        As for `FrameTensors`.

    Attributes
    ----------
    parts
        The frames of each system.
    n_frames
        Frames of all systems.
    n_atoms
        Mean number of atoms of a frame.
    n_pairs
        Pairs of all frames.
    strain
        Strain derivatives of a system with stresses; None if no system has any.
    fixed_size
        False: batches of as many frames have different numbers of atoms.

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """

    fixed_size = False

    def __init__(self, dataset: Dataset, model: SchNet) -> None:
        self.parts = tuple(FrameTensors(frames, model) for frames in dataset.systems)
        sizes = [part.n_frames for part in self.parts]
        self.n_frames, self.n_pairs = sum(sizes), sum(part.n_pairs for part in self.parts)
        self.n_atoms = float(np.average([part.n_atoms for part in self.parts], weights=sizes))
        self.strain = next((part.strain for part in self.parts if part.strain is not None), None)
        for part in self.parts:
            part.weights = part.weights * (self.n_atoms / part.n_atoms)  # the array of `dataset` stays
        self._ends = torch.tensor(np.cumsum(sizes), device=self.parts[0].energies.device)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return the numbers of all frames in random order, but with those of each system at equal intervals.

        Each batch has the same share of every system, so that gradients scatter less from batch to batch.

        Parameters
        ----------
        generator
            Of random numbers.
        """
        places = [
            (part.shuffled(generator) + torch.rand(1, dtype=torch.float64, generator=generator))
            / part.n_frames
            for part in self.parts
        ]
        return torch.cat(places).argsort()

    def batch(self, index: Tensor) -> Batch:
        """Return frames as one graph, in the order of their systems.

        Parameters
        ----------
        index
            Shape (n,), which frames.
        """
        order = index.sort().values
        counts = torch.diff(
            torch.searchsorted(order, self._ends), prepend=torch.zeros_like(self._ends[:1])
        ).tolist()
        first = [0, *self._ends[:-1].tolist()]
        chosen = zip(self.parts, order.split(counts), first, strict=True)
        batches = [part.batch(own - start) for part, own, start in chosen if len(own)]
        return _joined(batches)


SetTensors = FrameTensors | SystemTensors
"""Frames of one system or of several, as tensors."""


def tensors_of(frames: Frames, model: SchNet) -> SetTensors:
    """Return frames of one system or of several as tensors.

    Parameters
    ----------
    frames, model
        As for `FrameTensors` and `SystemTensors`.
    """
    return SystemTensors(frames, model) if isinstance(frames, Dataset) else FrameTensors(frames, model)


def _joined(batches: Sequence[Batch]) -> Batch:
    """Return several graphs as one, their atoms and frames numbered on."""
    if len(batches) == 1:
        return batches[0]
    graphs = [batch.graph for batch in batches]
    atoms = np.cumsum([0, *(len(graph.species) for graph in graphs)]).tolist()
    systems = np.cumsum([0, *(graph.n_systems for graph in graphs)]).tolist()
    graph = Graph(
        species=torch.cat([graph.species for graph in graphs]),
        idx_i=torch.cat([graph.idx_i + n for graph, n in zip(graphs, atoms, strict=False)]),
        idx_j=torch.cat([graph.idx_j + n for graph, n in zip(graphs, atoms, strict=False)]),
        d_ij=torch.cat([graph.d_ij for graph in graphs]),
        unit_ij=torch.cat([graph.unit_ij for graph in graphs]),
        system=torch.cat([graph.system + n for graph, n in zip(graphs, systems, strict=False)]),
        n_systems=systems[-1],
    )
    energies, forces, weights = (
        torch.cat([getattr(batch, name) for batch in batches]) for name in ("energies", "forces", "weights")
    )
    return Batch(graph, energies, forces, weights, _joined_strain(batches))


def _joined_strain(batches: Sequence[Batch]) -> StrainTargets | None:
    """Return the strain derivatives of all frames, zero and unknown for systems without stresses."""
    if all(batch.strain is None for batch in batches):
        return None
    parts = [
        batch.strain
        or StrainTargets(
            batch.energies.new_zeros(len(batch.energies), 3, 3), torch.zeros_like(batch.energies)
        )
        for batch in batches
    ]
    derivatives, known = (
        torch.cat([getattr(part, name) for part in parts]) for name in StrainTargets._fields
    )
    return StrainTargets(derivatives, known)
