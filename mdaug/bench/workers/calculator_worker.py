"""Worker process that measures an ASE calculator of another package: PaiNN, MACE, or MACE by symmetrix.

`mdaug bench --baseline mace …` starts this file; see serving.py. Networks are untrained, which has no effect
on their speed, and have the cutoff and as many channels as the network of mdaug has features.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.verlet import VelocityVerlet
from serving import Seconds, main

Setup = dict[str, Any]

BOX_A = 100.0
"""Cell of the molecule, without periodic boundaries: symmetrix finds no neighbors without a cell."""


class CalculatorCases:
    """Energy and forces of one molecule, and a step of ASE's integrator."""

    def __init__(self, setup: Setup, make_calculator: Callable[[Setup], Calculator]) -> None:
        torch.set_num_threads(1)
        self.numbers = np.array(setup["molecule"]["atomic_numbers"])
        self.positions = np.array(setup["molecule"]["positions"])
        self.timestep_fs = setup["timestep_fs"]
        self.calculator = make_calculator(setup)

    def time(self, case: str, threads: int, repeats: int) -> Seconds:
        """Return the seconds of `repeats` calls: of the wall clock, and of CPU time of this process."""
        torch.set_num_threads(threads)
        atoms = Atoms(self.numbers, self.positions[0], cell=[BOX_A] * 3)
        atoms.calc = self.calculator
        body = {"energy_forces": self._energy_forces, "nve_step": self._nve}[case]
        atoms.get_forces()  # the first forces of a run are not those of a step
        wall, cpu = time.perf_counter(), time.process_time()
        body(atoms, repeats)
        return time.perf_counter() - wall, time.process_time() - cpu

    def _energy_forces(self, atoms: Atoms, repeats: int) -> None:
        """Compute both in one evaluation."""
        for k in range(repeats):
            atoms.positions = self.positions[k % len(self.positions)]
            self.calculator.calculate(atoms, ["energy", "forces"], all_changes)

    def _nve(self, atoms: Atoms, repeats: int) -> None:
        VelocityVerlet(atoms, self.timestep_fs * units.fs).run(repeats)


def make_painn(setup: Setup) -> Calculator:
    """Return PaiNN of SchNetPack, with the radial basis of its MD17 experiment."""
    import schnetpack as spk
    import schnetpack_worker as schnetpack
    from schnetpack import transform

    representation = spk.representation.PaiNN(
        n_atom_basis=setup["n_atom_basis"],
        n_interactions=setup["n_interactions"],
        radial_basis=spk.nn.GaussianRBF(n_rbf=setup["n_gaussians"], cutoff=setup["cutoff"]),
        cutoff_fn=spk.nn.CosineCutoff(setup["cutoff"]),
    )
    model = schnetpack.make_potential(setup, representation)
    dtype = getattr(torch, setup["dtype"])
    return schnetpack.Calculator(
        model.to(setup["device"], dtype),
        transform.MatScipyNeighborList(cutoff=setup["cutoff"]),
        energy_key="energy",
        force_key="forces",
        energy_unit=setup["energy_unit"],
        position_unit="Ang",
        device=torch.device(setup["device"]),
        dtype=dtype,
    )


def mace_model(setup: Setup, highest_l: int) -> torch.nn.Module:
    """Return MACE with the default settings of its trainer: two layers, correlation order 3."""
    from e3nn import o3
    from mace import modules

    channels = setup["n_atom_basis"]
    elements = sorted(set(setup["molecule"]["atomic_numbers"]))
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, setup["dtype"]))
    return modules.ScaleShiftMACE(
        r_max=setup["cutoff"],
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticInteractionBlock"],
        num_interactions=2,
        num_elements=len(elements),
        hidden_irreps=o3.Irreps(f"{channels}x0e" + (f" + {channels}x1o" if highest_l else "")),
        MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(len(elements)),
        avg_num_neighbors=float(len(setup["molecule"]["atomic_numbers"]) - 1),
        atomic_numbers=elements,
        correlation=3,
        radial_type="bessel",
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


def make_mace(setup: Setup, highest_l: int = 0) -> Calculator:
    """Return MACE through its own ASE calculator."""
    from mace.calculators import MACECalculator

    model = mace_model(setup, highest_l)
    return MACECalculator(models=[model], device=setup["device"], default_dtype=setup["dtype"])


def make_symmetrix(setup: Setup) -> Calculator:
    """Return invariant MACE evaluated by symmetrix, from the file that its converter writes."""
    from symmetrix.calculator import Symmetrix
    from symmetrix.extract_mace_data import extract_mace_data

    torch.save(mace_model(setup, 0), "mace.model")
    Path("mace.json").write_text(json.dumps(extract_mace_data("mace.model")))
    return Symmetrix(str(Path("mace.json").resolve()), dtype=setup["dtype"])


KINDS: dict[str, tuple[Callable[[Setup], Calculator], tuple[str, ...]]] = {
    "painn": (make_painn, ("schnetpack", "torch")),
    "mace": (make_mace, ("mace-torch", "torch")),
    "mace-l1": (lambda setup: make_mace(setup, 1), ("mace-torch", "torch")),
    "symmetrix": (make_symmetrix, ("symmetrix-xl", "mace-torch", "torch")),
}
"""Name of a baseline -> its calculator, and the packages whose versions are reported."""


if __name__ == "__main__":
    make, needed = KINDS[sys.argv[1]]
    main(lambda setup: CalculatorCases(setup, make), needed)
