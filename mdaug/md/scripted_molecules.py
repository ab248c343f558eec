"""Replicas of a molecule as one batch by TorchScript, on a CPU or a GPU, with the steps of the C++ core.

All tensors of a step have fixed shapes, and no step waits for a number from the device, so that on a GPU a
step is one CUDA graph. On a CPU the same function is called step by step.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mdaug.calculators.core import State
from mdaug.calculators.molecules import Molecules
from mdaug.deployment import load_model, read_manifest
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import molecule_pairs
from mdaug.md.scripted_steps import Move, free_step, thermostatted_step
from mdaug.options import Precision

WARM_UP_STEPS = 3
"""Steps before a CUDA graph is recorded: TorchScript is compiled in the first ones."""

LARGE_A = 1e6
"""Stands for an infinite coordinate, Å."""


@dataclass
class _Batch:
    """Tensors of n replicas, on the device, that keep their places.

    Parameters
    ----------
    species, idx_i, idx_j, shifts, molecules, offsets
        Arguments of `DeployedModel.evaluate_molecules` for all replicas.
    positions, momenta, forces
        State, shape (n, n_atoms, 3).
    noise
        Of the next step, the same shape.
    energies
        Shape (n,), eV.
    extrapolation
        Shape (n, n_atoms).
    running
        Whether all forces have been finite so far.
    done
        Number of steps.
    """

    species: Tensor
    idx_i: Tensor
    idx_j: Tensor
    shifts: Tensor
    molecules: list[Tensor]
    offsets: Tensor
    positions: Tensor
    momenta: Tensor
    forces: Tensor
    noise: Tensor
    energies: Tensor
    extrapolation: Tensor
    running: Tensor
    done: Tensor

    @property
    def n(self) -> int:
        return len(self.energies)

    def load(self, state: State) -> None:
        """Copy positions, momenta and forces of up to n replicas."""
        kept = self.positions, self.momenta, self.forces
        for tensor, values in zip(kept, state, strict=True):
            tensor.copy_(_padded(values, self.n))
        self.running.fill_(True)
        self.done.zero_()


class ScriptedMolecules:
    """Energies, forces and dynamics of replicas of one molecule, as `Core` has them.

    Parameters
    ----------
    path
        A model.pt.
    dtype
        Precision of the network; the manifest's if None.
    device
        ``cpu`` or ``cuda``.
    molecules
        Of one replica, for a model with a baseline; None for others.
    """

    def __init__(
        self, path: str | Path, dtype: Precision | None, device: str, molecules: Molecules | None
    ) -> None:
        self.device = torch.device(device)
        self._script = load_model(path, dtype, device)
        self._molecules = () if molecules is None else molecules.atoms
        self.has_extrapolation = "extrapolation" in read_manifest(path)
        self._batches: dict[tuple[int, bytes], _Batch] = {}
        self._graphs: dict[tuple[int, str], torch.cuda.CUDAGraph] = {}
        self._extrapolation: FloatArray | None = None

    def evaluate_molecules(self, species: IntArray, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return energies (n,), eV, and forces (n, n_atoms, 3), eV/Å, of n replicas.

        Parameters
        ----------
        species
            Shape (n_atoms,), index of each atom's element, the same for each replica.
        positions
            Shape (n, n_atoms, 3), Å.
        """
        n, batch = len(positions), self._batch(species, len(positions))
        with torch.inference_mode():
            batch.positions.copy_(_padded(positions, batch.n))
            energies, forces, extrapolation = self._evaluate(batch, batch.positions)
        self._keep_extrapolation(extrapolation, n)
        return _array(energies)[:n], _array(forces)[:n]

    def extrapolation(self, *shape: int) -> FloatArray | None:
        """Return the extrapolation of the atoms in the last evaluation; None if the model has none.

        Parameters
        ----------
        *shape
            Of the result: (n, n_atoms), or (n_atoms,) for one replica.
        """
        return None if self._extrapolation is None else self._extrapolation.reshape(shape).copy()

    def verlet(
        self,
        species: IntArray,
        masses: FloatArray,
        timestep: float,
        n_steps: int,
        state: State,
    ) -> tuple[int, FloatArray]:
        """Integrate n replicas by velocity Verlet, in place; as `Core.verlet`.

        Parameters
        ----------
        species, masses
            Shape (n_atoms,); masses in amu.
        timestep
            ASE units.
        n_steps
            Number of steps.
        state
            Positions, momenta and forces, each (n, n_atoms, 3), float64; ASE units.
        """
        move = partial(free_step, self._masses(masses), timestep)
        return self._integrate(species, f"verlet {timestep!r}", (move, timestep), n_steps, None, state)

    def langevin(
        self,
        species: IntArray,
        masses: FloatArray,
        timestep: float,
        thermostat: tuple[float, float, FloatArray],
        state: State,
    ) -> tuple[int, FloatArray]:
        """Integrate n replicas by Langevin dynamics (BAOAB), in place; as `Core.langevin`.

        Parameters
        ----------
        species, masses, timestep, state
            As for `verlet`.
        thermostat
            Friction, 1 / ASE time unit; k_B T, eV; standard normal numbers (n, n_steps, n_atoms, 3).
        """
        friction, kT, noise = thermostat
        kept = float(np.exp(-friction * timestep))
        move = partial(thermostatted_step, self._masses(masses), timestep, kept, kT)
        name = f"langevin {timestep!r} {friction!r} {kT!r}"
        return self._integrate(species, name, (move, timestep), noise.shape[1], noise, state)

    def _masses(self, masses: FloatArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(masses)).to(self.device).unsqueeze(-1)

    def _integrate(  # noqa: PLR0917
        self,
        species: IntArray,
        name: str,
        moving: tuple[Move, float],
        n_steps: int,
        noise: FloatArray | None,
        state: State,
    ) -> tuple[int, FloatArray]:
        n, batch = len(state[0]), self._batch(species, len(state[0]))
        kept = batch.positions, batch.momenta, batch.forces
        with torch.inference_mode():
            batch.load(state)
            step = self._step(batch, name, *moving)
            batch.load(state)  # the recording of a CUDA graph has moved it
            noises = None if noise is None else _padded(noise, batch.n).to(self.device)
            for k in range(n_steps):
                if noises is not None:
                    batch.noise.copy_(noises[:, k])
                step()
            for tensor, values in zip(kept, state, strict=True):
                values[...] = _array(tensor)[:n]
        done = int(batch.done)
        if done:
            self._keep_extrapolation(batch.extrapolation, n)
        return done, _array(batch.energies)[:n].copy()

    def _step(self, batch: _Batch, name: str, move: Move, timestep: float) -> Callable[[], None]:
        """Return the function that takes one step; on a GPU it launches a CUDA graph."""
        step = partial(self._take_step, batch, move, timestep)
        if self.device.type != "cuda":
            return step
        if (batch.n, name) not in self._graphs:
            try:
                self._graphs[batch.n, name] = _graph(step)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                warnings.warn(f"no CUDA graph, so every step is launched anew: {reason}", stacklevel=2)
                return step
        return self._graphs[batch.n, name].replay

    def _take_step(self, batch: _Batch, move: Move, timestep: float) -> None:
        """Take a step in place; after forces that are not finite nothing changes."""
        momenta = batch.momenta + 0.5 * timestep * batch.forces
        positions, momenta = move(batch.positions, momenta, batch.noise)
        energies, forces, extrapolation = self._evaluate(batch, positions)
        momenta = momenta + 0.5 * timestep * forces
        for kept, new in (
            (batch.positions, positions),
            (batch.momenta, momenta),
            (batch.forces, forces),
            (batch.energies, energies),
            (batch.extrapolation, extrapolation),
        ):
            kept.copy_(torch.where(batch.running, new, kept))
        batch.done.add_(batch.running)
        batch.running.logical_and_(forces.isfinite().all())

    def _evaluate(self, batch: _Batch, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return energies (n,), forces (n, n_atoms, 3), and extrapolation (n, n_atoms), as it is in the batch
        if the model has none; forces of replicas whose positions are not finite are NaN."""
        lost = positions.isfinite().all(2).all(1).logical_not()
        # a distance that is NaN would be looked up outside the tables of the model
        finite = positions.nan_to_num(0.0, LARGE_A, -LARGE_A)
        given = batch.species, finite.flatten(0, 1), batch.idx_i, batch.idx_j, batch.shifts
        if hasattr(self._script, "evaluate_molecules"):
            out = self._script.evaluate_molecules(*given, batch.molecules, batch.offsets)
        else:  # a file of the first versions
            out = self._script.evaluate(*given)
        extrapolation = batch.extrapolation
        if self.has_extrapolation:
            values = out["extrapolation"] if "extrapolation" in out else self._script.extrapolation(*given)
            extrapolation = values.view(extrapolation.shape)
        forces = out["forces"].view_as(positions).masked_fill(lost[:, None, None], float("nan"))
        return out["atomic_energies"].view(batch.n, -1).sum(1), forces, extrapolation

    def _batch(self, species: IntArray, n: int) -> _Batch:
        """Return tensors for n replicas or, as replicas drop out, the smallest present ones for more."""
        of_molecule = np.ascontiguousarray(species, dtype=np.int64).tobytes()
        sizes = [size for size, key in self._batches if key == of_molecule and n <= size <= 2 * n]
        size = min(sizes, default=n)
        if not sizes:
            self._batches[n, of_molecule] = self._new_batch(species, n)
        return self._batches[size, of_molecule]

    def _new_batch(self, species: IntArray, n: int) -> _Batch:
        n_atoms, first = len(species), np.arange(n)[:, None] * len(species)
        idx_i, idx_j = ((first + pairs).ravel() for pairs in molecule_pairs(n_atoms))
        molecules = [(first[:, None] + atoms).reshape(-1, atoms.shape[1]) for atoms in self._molecules]

        def on_device(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=self.device)

        return _Batch(
            on_device(np.tile(np.asarray(species, dtype=np.int64), n)),
            on_device(idx_i),
            on_device(idx_j),
            zeros(len(idx_i), 3),
            [on_device(atoms) for atoms in molecules],
            zeros(n * n_atoms, 3),
            positions=zeros(n, n_atoms, 3),
            momenta=zeros(n, n_atoms, 3),
            forces=zeros(n, n_atoms, 3),
            noise=zeros(n, n_atoms, 3),
            energies=zeros(n),
            extrapolation=zeros(n, n_atoms),
            running=torch.ones((), dtype=torch.bool, device=self.device),
            done=torch.zeros((), dtype=torch.int64, device=self.device),
        )

    def _keep_extrapolation(self, values: Tensor, n: int) -> None:
        if self.has_extrapolation:
            self._extrapolation = _array(values)[:n].copy()


def _graph(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """Return a step as a CUDA graph; the state has then been advanced by some steps."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


def _padded(values: FloatArray, n: int) -> Tensor:
    """Return values of replicas with the last one repeated, so that there are n."""
    if len(values) < n:
        values = np.concatenate([values, np.repeat(values[-1:], n - len(values), axis=0)])
    return torch.from_numpy(np.ascontiguousarray(values))


def _array(tensor: Tensor) -> FloatArray:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)
