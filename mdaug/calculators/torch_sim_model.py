"""Model of torch-sim (https://torchsim.github.io/torch-sim): many systems are evaluated as one batch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from torch_sim.models.interface import ModelInterface

from mdaug.calculators.evaluators import make_evaluator, make_finder
from mdaug.calculators.molecules import Molecules
from mdaug.calculators.structures import elements_of
from mdaug.deployment import read_manifest
from mdaug.frames import IntArray
from mdaug.geometry.pairs import structure_pairs
from mdaug.options import Precision


class MDAugTorchSim(ModelInterface):
    """Energies and forces of a model.pt for torch-sim: by the C++ core on a CPU, by TorchScript on a GPU.

    Neighbors are found on the CPU. There are no stresses, and no warnings about unknown structures.

    Parameters
    ----------
    model
        Path of the model.pt.
    device
        Of the states, ``"cpu"`` or ``"cuda"``.
    dtype
        Precision of the network; the model's if None. Energies and forces have the type of the positions.

    Raises
    ------
    DataError
        The file is not a model of mdaug.
    """

    def __init__(
        self, model: str | Path, device: str | torch.device = "cpu", dtype: Precision | None = None
    ) -> None:
        super().__init__()
        self._device, self._dtype = torch.device(device), torch.float64
        self._compute_stress, self._compute_forces = False, True
        self._memory_scales_with = "n_atoms_x_density"
        self._manifest = read_manifest(model)
        self._evaluate, _ = make_evaluator(model, dtype, str(self._device), 0, "auto")
        self._finders: list[Any] = []

    def forward(self, state: Any, **_: Any) -> dict[str, torch.Tensor]:
        """Return the energies, eV, shape (n_systems,), and forces, eV/Å, shape (n_atoms, 3).

        Parameters
        ----------
        state
            A SimState of torch-sim.

        Raises
        ------
        DataError
            The model does not have an element, or a system is not made of molecules of its baseline.
        """
        systems, positions = _systems(state), state.positions.detach().cpu().numpy().astype(float)
        first = np.cumsum([0, *map(len, systems)])
        pairs = [structure_pairs(atoms, atoms.positions, self._manifest["cutoff_A"]) for atoms in systems]
        parts = [(i + n, j + n, shifts) for (i, j, shifts), n in zip(pairs, first[:-1], strict=True)]
        idx_i, idx_j, shifts = (
            torch.as_tensor(np.concatenate(part), device=self._device) for part in zip(*parts, strict=True)
        )
        species = elements_of(
            np.concatenate([atoms.numbers for atoms in systems]), self._manifest["elements"]
        )
        values = self._evaluate(species, positions, (idx_i, idx_j, shifts), self._molecules(systems, first))
        energies = np.add.reduceat(values["atomic_energies"], first[:-1])
        results = {"energy": energies, "forces": values["forces"]}
        return {name: torch.as_tensor(array).to(state.positions) for name, array in results.items()}

    def _molecules(self, systems: list[Atoms], first: IntArray) -> Molecules | None:
        """Return the molecules of all systems, numbered as one structure; None without a baseline."""
        self._finders += [make_finder(self._manifest) for _ in systems[len(self._finders) :]]
        molecules = [
            finder.find(atoms) for finder, atoms in zip(self._finders, systems, strict=False) if finder
        ]
        if not molecules:
            return None
        moved = [[part + n for part in one.atoms] for one, n in zip(molecules, first[:-1], strict=True)]
        offsets = [one.offsets for one in molecules if one.offsets is not None]  # all have a cell, or none
        atoms_of = tuple(np.concatenate(parts) for parts in zip(*moved, strict=True))
        return Molecules(atoms_of, np.concatenate(offsets) if offsets else None)


def _systems(state: Any) -> list[Atoms]:
    """Return the systems of a state as ASE atoms."""
    index, numbers = state.system_idx.cpu().numpy(), state.atomic_numbers.cpu().numpy()
    positions, cells = state.positions.detach().cpu().numpy(), state.row_vector_cell.detach().cpu().numpy()
    pbc = np.broadcast_to(np.asarray(torch.as_tensor(state.pbc).cpu()), 3)
    return [
        Atoms(
            numbers[index == k],
            positions[index == k].astype(float),
            cell=cell if pbc.any() else None,
            pbc=pbc,
        )
        for k, cell in enumerate(cells)
    ]
