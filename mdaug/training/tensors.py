"""Frames as tensors on the device, with their pairs; reference energies and the unit of energy.

Pairs are searched once; a batch needs only an index operation.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from mdaug.frames import Frames, FrameSet, IntArray, systems_of
from mdaug.geometry.pairs import frame_pairs
from mdaug.models import Graph, SchNet
from mdaug.models.species import elements_of_frames, species_of
from mdaug.training.pair_prior import without_prior
from mdaug.units import EV_PER_KCAL_MOL


class Batch(NamedTuple):
    """A graph with its targets in the units of the network (and Å), and a weight for each frame.

    Attributes
    ----------
    graph
        The atoms and pairs of all frames.
    energies
        Shape (n_frames,).
    forces
        Shape (n_frames · n_atoms, 3).
    weights
        Shape (n_frames,), weights in the loss.
    strain
        The derivatives of the energies in strain, V σ; None if no frame of the training has a stress.
    """

    graph: Graph
    energies: Tensor
    forces: Tensor
    weights: Tensor
    strain: "StrainTargets | None" = None


class StrainTargets(NamedTuple):
    """Derivatives of the energies of frames in strain.

    Attributes
    ----------
    derivatives
        Shape (n_frames, 3, 3), ∂E/∂ε = V σ in units of the network; zero for frames without stress.
    known
        Shape (n_frames,), 1 for frames with a stress, else 0.
    """

    derivatives: Tensor
    known: Tensor


class FrameTensors:
    """All frames of a set on the device of a model.

    Energies and forces are those of the frames minus reference energies and prior, in units of the network
    for these atoms (and Å).

    Parameters
    ----------
    frames
        Frames of the model's elements.
    model
        Model with device, precision, cutoff, reference energies, prior and scales.

    Attributes
    ----------
    unit
        Energy (eV) of one unit of the network for these atoms (`SchNet.unit`).

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """

    def __init__(self, frames: FrameSet, model: SchNet) -> None:
        parameter = next(model.parameters())
        device, dtype = parameter.device, parameter.dtype
        self.n_frames, self.n_atoms = len(frames), frames.n_atoms
        elements = elements_of_frames(frames, model.atomic_numbers)
        reference = float(model.reference_energies.cpu()[elements].sum())
        frames = without_prior(frames, model.prior)
        species = species_of(frames, model.atomic_numbers)
        self.unit = scale = model.unit(species)
        self.species = torch.as_tensor(species, device=device)
        self.energies = torch.as_tensor((frames.energies - reference) / scale).to(device, dtype)
        self.forces = torch.as_tensor(frames.forces / scale).to(device, dtype)
        self.weights = torch.as_tensor(frames.weights).to(device, dtype)
        self.strain = _strain_targets(frames, scale, self.energies)
        # the last pair fills up batches: see `batch`
        pairs = [frame_pairs(frames, n, model.options.cutoff) for n in range(len(frames))]
        self.idx_i, self.idx_j = (
            torch.as_tensor(np.concatenate([*(of_frame[k] for of_frame in pairs), [0]]), device=device)
            for k in (0, 1)
        )
        vectors = np.concatenate([*(of_frame[2] for of_frame in pairs), [[model.options.cutoff, 0.0, 0.0]]])
        distances = np.linalg.norm(vectors, axis=1)
        self.d_ij = torch.as_tensor(distances).to(device, dtype)
        self.unit_ij = torch.as_tensor(vectors / distances[:, None]).to(device, dtype)
        self.pair_rows = torch.as_tensor(_pair_rows([len(of_frame[0]) for of_frame in pairs]), device=device)
        self.n_pairs = len(distances) - 1
        ragged = bool((self.pair_rows == self.n_pairs).any())
        self.fixed_size = not ragged or (device.type == "cuda" and model.options.cutoff_function != "none")

    def batch(self, index: Tensor) -> Batch:
        """Return frames as one graph.

        With `fixed_size` all batches of n frames have the same number of pairs: the lists of frames with
        fewer pairs are filled up with a pair at the cutoff, where filters and slopes are zero.

        Parameters
        ----------
        index
            Shape (n,), which frames.
        """
        n = len(index)
        frame = torch.arange(n, device=index.device).unsqueeze(1)
        rows = self.pair_rows.index_select(0, index)
        pair, first_atom = rows.flatten(), (frame * self.n_atoms).expand_as(rows).flatten()
        if not self.fixed_size:
            exists = pair < self.n_pairs
            pair, first_atom = pair[exists], first_atom[exists]
        graph = Graph(
            species=self.species.repeat(n),
            idx_i=self.idx_i.index_select(0, pair) + first_atom,
            idx_j=self.idx_j.index_select(0, pair) + first_atom,
            d_ij=self.d_ij.index_select(0, pair),
            unit_ij=self.unit_ij.index_select(0, pair),
            system=frame.expand(n, self.n_atoms).flatten(),
            n_systems=n,
        )
        strain = None if self.strain is None else StrainTargets(*(of[index] for of in self.strain))
        targets = self.energies[index], self.forces[index].reshape(-1, 3), self.weights[index]
        return Batch(graph, *targets, strain)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return the numbers of all frames in random order, shape (n_frames,).

        Parameters
        ----------
        generator
            Of random numbers.
        """
        return torch.randperm(self.n_frames, generator=generator)

    @property
    def parts(self) -> "tuple[FrameTensors, ...]":
        """The frames of each system: these."""
        return (self,)


def _strain_targets(frames: FrameSet, scale: float, like: Tensor) -> StrainTargets | None:
    """Return V σ of the frames in the given unit (eV); None if no frame has a stress."""
    stresses = frames.known_stresses
    if stresses is None or frames.cells is None:
        return None
    known = np.isfinite(stresses).all(axis=(1, 2))
    volumes = np.abs(np.linalg.det(frames.cells))
    derivatives = np.nan_to_num(stresses) * (volumes / scale)[:, None, None]
    return StrainTargets(torch.as_tensor(derivatives).to(like), torch.as_tensor(known).to(like))


def _pair_rows(counts: list[int]) -> IntArray:
    """Return the rows of each frame's pairs, (n_frames, largest count), filled up with the last row."""
    ends = np.cumsum(counts)
    place = np.arange(max(counts, default=0))
    rows = (ends - counts)[:, None] + place
    return np.where(place < np.asarray(counts)[:, None], rows, ends[-1] if len(ends) else 0)


def energy_scale(frames: Frames, kind: str) -> float:
    """Return the unit (eV) of the network's output.

    Parameters
    ----------
    frames
        Training frames, without the prior.
    kind
        ``forces``, their rms times 1 Å; ``kcal/mol`` or ``eV``.
    """
    if kind == "forces":
        systems = systems_of(frames)
        squares = [float(np.mean(system.forces**2)) for system in systems]
        if len(systems) > 1:
            return float(np.sqrt(np.average(squares, weights=[len(system) for system in systems]))) or 1.0
        return float(np.sqrt(squares[0])) or 1.0
    return EV_PER_KCAL_MOL if kind == "kcal/mol" else 1.0


def output_scales(frames: Frames, n_elements: int, n_atom_types: int, unit_eV: float) -> list[float] | None:
    """Return factors on the network's energies by element and atom type: a unit for each system.

    What a network learns of a liquid, the forces between molecules, is several times as large as what it
    learns of molecules with a baseline. With one unit for both, the errors of the molecules are as large as
    those of the liquid (docs/benchmarks/other_systems.md). Therefore the atoms of each system have their rms
    force, times 1 Å, as unit. Systems with atom types in common have one unit, and so do all with atoms
    without type.

    Parameters
    ----------
    frames
        Training frames, without prior and baseline. Forces count with the weights of their frames, so that
        augmented ones hardly matter.
    n_elements, n_atom_types
        Number of elements and of atom types of the model.
    unit_eV
        The unit (eV) to which the factors are relative.

    Returns
    -------
    list of float or None
        One factor for each element (atoms without type), and then for each atom type; 1 for those that no
        frame has. None if the systems have one unit.
    """
    systems = systems_of(frames)
    types = [np.array([-1]) if system.atom_types is None else system.atom_types for system in systems]
    has_type = np.array([np.isin(np.arange(-1, n_atom_types), of_system) for of_system in types])
    n_units, unit_of = connected_components(has_type.astype(int) @ has_type.T, directed=False)
    if n_units == 1:
        return None
    factors = np.ones(1 + n_atom_types)
    for number in range(n_units):
        members = np.flatnonzero(unit_of == number)
        weights = np.concatenate([systems[n].weights for n in members])
        squares = np.concatenate([np.mean(systems[n].forces ** 2, axis=(1, 2)) for n in members])
        rms = float(np.sqrt(np.average(squares, weights=weights))) if weights.any() else 0.0
        factors[has_type[members].any(0)] = rms / unit_eV or 1.0
    return [*np.repeat(factors[0], n_elements), *factors[1:]]
