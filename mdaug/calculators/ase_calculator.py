"""The ASE calculator of a model.pt."""

from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, Parameters, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from torch import Tensor

from mdaug.calculators.applicability import check_applicability
from mdaug.calculators.evaluators import (
    EvaluatorName,
    check_arguments,
    lone_atom_energies,
    make_evaluator,
    make_finder,
)
from mdaug.calculators.molecules import Molecules, molecule_order, with_atom_types
from mdaug.calculators.results import Results
from mdaug.calculators.structures import StructureError, cell_of, check_positions, elements_of
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.verlet_list import PairList
from mdaug.options import Precision


class MDAugCalculator(Calculator):
    """Energy (eV), forces (eV/Å), stress (eV/Å³, tension positive) and atomic energies (eV) of a model.pt.

    Besides, `extrapolation`, also ``results["extrapolation"]``: how unlike those of the training frames
    atoms are.

    The file alone is enough. Molecules and cells periodic in any directions are supported, including cells
    smaller than the cutoff; ``stress`` needs all three directions.

    Parameters
    ----------
    model
        A model.pt.
    device
        ``cpu`` or ``cuda``.
    dtype
        Precision of the network, ``float32`` or ``float64``; None for that of the manifest. Positions, sums
        and results are always float64.
    threads
        CPU threads; 0 takes torch's setting. With TorchScript this sets torch's threads of the whole process.
        Small molecules gain nothing from more than one.
    skin
        Å, at least 0; in periodic systems and large molecules pairs are searched again when an atom has moved
        more than half of it.
    evaluator
        ``core``, the C++ core, compiled at its first use on a machine; ``torchscript``; or ``auto``: the core
        on a CPU, or TorchScript, with a warning that says why, where the core is not available.
    reference
        Whether energies include the reference energies of the elements. If False they are relative to single
        atoms, as the model evaluates them.
    strict
        Reaction to a structure that differs from the training frames (composition, bond graph, closest
        distances): False warns, True raises StructureError, None makes no comparison.
    network
        Number of a network of the committee in the file (`mdaug train --committee N`); 0 is the model.

    Attributes
    ----------
    evaluator
        ``core`` or ``torchscript``.
    manifest
        The model's manifest (see `mdaug.deployment.read_manifest`).
    parameters
        The arguments, the evaluator and dtype in use, and ``weights_sha256``, the hash of the weights.

    Notes
    -----
    Several threads may use one calculator; one evaluates at a time. A pickled calculator contains the path of
    the model and the hash of its weights, so other processes need the same file at that path.

    Raises
    ------
    SettingsError
        An argument cannot have this value.
    DataError
        The file is not a model of mdaug; `evaluator` is ``core`` and the core is not available. From
        `calculate`: an element that the model does not have, positions that are not finite, atoms at the same
        place, or a cell that is not finite or lacks a direction; with `strict`, an unlike structure.

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
        reference: bool = True,
        strict: bool | None = False,
        network: int = 0,
    ) -> None:
        self._lock = RLock()
        self._arguments: dict[str, Any] = {}
        super().__init__()
        self.set(
            model=model,
            device=device,
            dtype=dtype,
            threads=threads,
            skin=skin,
            evaluator=evaluator,
            reference=reference,
            strict=strict,
            network=network,
        )

    def set(self, **arguments: Any) -> dict[str, Any]:
        """Change arguments of the calculator, load the model anew, and discard the results.

        Parameters
        ----------
        **arguments
            Arguments of the constructor, for example ``model="other.pt"``.

        Returns
        -------
        dict
            The arguments that have changed.

        Raises
        ------
        SettingsError
            There is no such argument, or it cannot have this value.
        DataError
            Same as for the constructor; the calculator is then unchanged.
        """
        if not arguments:  # called by ASE's constructor
            return {}
        with self._lock:
            new = check_arguments(self._arguments | arguments)
            changed = {name: value for name, value in new.items() if self._arguments.get(name) != value}
            if changed:
                self._load(new)
            return changed

    def _load(self, arguments: dict[str, Any]) -> None:
        manifest = read_manifest(arguments["model"], arguments["network"])
        names = "model", "dtype", "device", "threads", "evaluator"
        evaluate, evaluator = make_evaluator(
            *(arguments[name] for name in names), network=arguments["network"]
        )
        device = torch.device(arguments["device"])
        self.manifest, self._evaluate, self.evaluator = manifest, evaluate, evaluator
        self._finder = make_finder(manifest)
        self._pair_list = PairList(manifest["cutoff_A"], arguments["skin"], device, sort=True)
        self._lone_atoms = None if arguments["reference"] else lone_atom_energies(evaluate, manifest, device)
        self._strict: bool | None = arguments["strict"]
        self._numbers: IntArray | None = None
        self._cell: tuple[tuple[bytes, bytes], FloatArray | None] | None = None
        self._arguments = arguments
        self.parameters = Parameters(
            arguments
            | {
                "dtype": arguments["dtype"] or manifest["dtype"],
                "evaluator": evaluator,
                "weights_sha256": manifest["weights_sha256"],
            }
        )
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle path and hash of the model, not its weights."""
        with self._lock:
            state = {"atoms": self.atoms, "results": self.results}
            return _unpickle, (type(self), self._arguments, self.manifest["weights_sha256"]), state

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return one of ``implemented_properties``, evaluated if necessary; one thread at a time.

        Parameters
        ----------
        name
            Name of the property.
        atoms
            The atoms; those of the last call if None.
        allow_calculation
            If False, None is returned where an evaluation is necessary.
        """
        with self._lock:
            return super().get_property(name, atoms, allow_calculation)

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
        with self._lock:
            if atoms is not None:
                self.atoms = atoms.copy()
            positions = self.atoms.positions
            check_positions(positions)
            cell = self._checked_cell()
            if self._numbers is None or not np.array_equal(self.atoms.numbers, self._numbers):
                self._species = elements_of(self.atoms.numbers, self.manifest["elements"])
                if self._strict is not None:
                    check_applicability(self.atoms, self.manifest, strict=self._strict)
                self._numbers = self.atoms.numbers.copy()
            pairs = self._pair_list.pairs(positions, cell, tuple(self.atoms.pbc.tolist()))
            molecules = None if self._finder is None else self._finder.find(self.atoms)
            values = self._in_order(positions, pairs, molecules)
            if self._lone_atoms is not None:
                rows = with_atom_types(self._species, molecules, self.manifest)
                values["atomic_energies"] = values["atomic_energies"] - self._lone_atoms[rows]
            self.results = Results(self._results(values), extrapolation=values.get("extrapolation"))

    def find_molecules(self, atoms: Atoms) -> None:
        """Find the molecules of a baseline in a structure with intact bonds, and keep them when bonds break.

        Without a baseline nothing is done. Evaluations find the molecules themselves, but not in a structure
        whose bonds are broken already.

        Parameters
        ----------
        atoms
            A structure of the atoms that will be evaluated, in the same order.

        Raises
        ------
        StructureError
            It is not made of molecules of the model, or has no valid cell.
        """
        with self._lock:
            molecule_order(self._finder, atoms)

    @property
    def gives_extrapolation(self) -> bool:
        """Whether the model has the statistics behind `extrapolation`."""
        return "extrapolation" in self.manifest

    @property
    def extrapolation(self) -> FloatArray | None:
        """How unlike those of the training frames the features of each atom are, shape (n_atoms,), no unit.

        Of the last evaluation; 1 is the largest value of the training frames. None before an evaluation, and
        for files of earlier versions. ``results["extrapolation"]`` is the same, not listed in ``results``
        because ASE accepts its own names only.
        """
        return self.results.get("extrapolation")

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """Return the properties that changed since the last evaluation; much faster than ASE's own method.

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

    def _checked_cell(self) -> FloatArray | None:
        """Return `cell_of` the atoms; in MD the cell seldom changes."""
        given = self.atoms.cell.array.tobytes(), self.atoms.pbc.tobytes()
        if self._cell is None or self._cell[0] != given:
            self._cell = given, cell_of(self.atoms)
        return self._cell[1]

    def _in_order(
        self, positions: FloatArray, pairs: tuple[Tensor, Tensor, Tensor], molecules: Molecules | None
    ) -> dict[str, FloatArray]:
        """Evaluate atoms in the order of the pair list; return values in the order of the atoms."""
        order = self._pair_list.order
        if order is None:
            return self._evaluate(self._species, positions, pairs, molecules)
        ordered = None if molecules is None else molecules.ordered(order)
        values = self._evaluate(self._species[order], positions[order], pairs, ordered)
        for name in {"atomic_energies", "forces", "extrapolation"} & values.keys():
            own = np.empty_like(values[name])
            own[order] = values[name]
            values[name] = own
        return values

    def _results(self, values: dict[str, FloatArray]) -> dict[str, Any]:
        energies, forces = values["atomic_energies"], values["forces"]
        energy = float(energies.sum())
        if not np.isfinite(forces.sum() + energy):
            raise StructureError("energy or forces are not finite: two atoms at one place, or far too close")
        results = {"energy": energy, "free_energy": energy, "forces": forces, "energies": energies}
        if self.atoms.pbc.all():
            results["stress"] = full_3x3_to_voigt_6_stress(
                values["strain_derivative"] / self.atoms.get_volume()
            )
        return results


def _unpickle(kind: type[MDAugCalculator], arguments: dict[str, Any], weights_sha256: str) -> MDAugCalculator:
    calculator = kind(**arguments)
    if calculator.manifest["weights_sha256"] != weights_sha256:
        raise DataError(
            f"{arguments['model']}: not the model of the pickled calculator; keep the file that "
            "a pickled calculator names, or make the calculator anew"
        )
    return calculator
