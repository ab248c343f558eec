"""The ASE calculator of a model.pt."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from torch import Tensor

from mdaug.calculators.evaluators import EvaluatorName, make_evaluator
from mdaug.calculators.structures import StructureError, check_positions, species_of
from mdaug.deployment import read_manifest
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.verlet_list import PairList
from mdaug.options import Precision


class MDAugCalculator(Calculator):
    """Energy (eV), forces (eV/Å), stress (eV/Å³, tension positive) and atomic energies (eV) of a model.pt.

    The file alone is enough. Molecules and cells periodic in any directions are supported, including cells
    smaller than the cutoff; ``stress`` needs all three directions.

    Parameters
    ----------
    model
        A model.pt.
    device
        ``cpu`` or ``cuda``.
    dtype
        Precision of the network, ``float32`` or ``float64``; the manifest's if None. Positions, sums and
        results are float64 in both.
    threads
        CPU threads; 0 takes torch's setting. With TorchScript this sets torch's threads of the whole process.
        Small molecules gain nothing from more than one.
    skin
        Å, at least 0; in periodic systems and large molecules pairs are searched again when an atom has moved
        more than half of it.
    evaluator
        ``core``, the C++ core, compiled at its first use on a machine; ``torchscript``; or ``auto``: the core
        on a CPU, or TorchScript, with a warning that says why, where the core is not available.

    Attributes
    ----------
    evaluator
        ``core`` or ``torchscript``.
    manifest
        The model's manifest (see `mdaug.deployment.read_manifest`).

    Raises
    ------
    DataError
        The file is not a model of mdaug; `evaluator` is ``core`` and the core is not available. From
        `calculate`: an element that the model does not know, positions that are not finite, atoms at the same
        place, or a periodic direction without a cell vector.

    Examples
    --------
    >>> atoms = ase.io.read("ethanol.xyz")
    >>> atoms.calc = MDAugCalculator("runs/latest/model.pt")
    >>> atoms.get_potential_energy(), atoms.get_forces().shape  # eV, eV/Å  # doctest: +SKIP
    (-306.6, (9, 3))
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012

    def __init__(
        self,
        model: str | Path,
        device: str = "cpu",
        dtype: Precision | None = None,
        threads: int = 1,
        skin: float = 1.0,
        *,
        evaluator: EvaluatorName = "auto",
    ) -> None:
        super().__init__()
        self.manifest: dict[str, Any] = read_manifest(model)
        self._device = torch.device(device)
        self._evaluate, self.evaluator = make_evaluator(model, dtype, device, threads, evaluator)
        self._pair_list = PairList(self.manifest["cutoff_A"], skin, self._device, sort=True)
        self._numbers: IntArray | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results`` with all properties, from one evaluation.

        Parameters
        ----------
        atoms
            The atoms; those of the last call if None.
        properties, system_changes
            Ignored, part of ASE's interface.
        """
        if atoms is not None:
            self.atoms = atoms.copy()
        positions = self.atoms.positions
        check_positions(positions)
        if self._numbers is None or not np.array_equal(self.atoms.numbers, self._numbers):
            self._species = species_of(self.atoms.numbers, self.manifest["elements"])
            self._numbers = self.atoms.numbers.copy()
        pairs = self._pair_list.pairs(positions, cell_of(self.atoms), tuple(self.atoms.pbc.tolist()))
        self.results = self._results(self._in_order(positions, pairs))

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """Return what differs from the atoms of the last evaluation; much faster than ASE's own method.

        Parameters
        ----------
        atoms
            Atoms to compare.
        tol
            Ignored: any difference counts.
        """
        before = self.atoms
        if before is None:
            return list(all_changes)
        same = {
            "positions": np.array_equal(before.positions, atoms.positions),
            "numbers": np.array_equal(before.numbers, atoms.numbers),
            "cell": np.array_equal(before.cell.array, atoms.cell.array),
            "pbc": np.array_equal(before.pbc, atoms.pbc),
        }
        return [name for name, unchanged in same.items() if not unchanged]

    def _in_order(self, positions: FloatArray, pairs: tuple[Tensor, Tensor, Tensor]) -> dict[str, FloatArray]:
        """Evaluate atoms in the order of the pair list; return values in the order of the atoms."""
        order = self._pair_list.order
        if order is None:
            return self._evaluate(self._species, positions, pairs)
        values = self._evaluate(self._species[order], positions[order], pairs)
        for name in ("atomic_energies", "forces"):
            own = np.empty_like(values[name])
            own[order] = values[name]
            values[name] = own
        return values

    def _results(self, values: dict[str, FloatArray]) -> dict[str, Any]:
        energy, forces = float(values["energy"]), values["forces"]
        if not np.isfinite(forces.sum() + energy):
            raise StructureError("energy or forces are not finite: two atoms at one place, or far too close")
        results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "energies": values["atomic_energies"],
        }
        if self.atoms.pbc.all():
            results["stress"] = full_3x3_to_voigt_6_stress(
                values["strain_derivative"] / self.atoms.get_volume()
            )
        return results


def cell_of(atoms: Atoms) -> FloatArray | None:
    """Return the cell (3, 3) of periodic atoms, None of a molecule; refuse a missing periodic vector."""
    if not atoms.pbc.any():
        return None
    missing = atoms.pbc & (atoms.cell.lengths() == 0)
    if missing.any():
        axis = "abc"[int(missing.argmax())]
        raise StructureError(
            f"periodic along {axis}, but the cell lacks that vector; set atoms.cell or atoms.pbc"
        )
    return atoms.cell.complete().array
