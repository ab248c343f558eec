"""Single point of one geometry at one level of theory: total energy, its parts, and forces."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree

from mdaug.frames import IntArray
from mdaug.geometry.rigid_motion import internal_basis
from mdaug.quantum.level import COMPOSITE, Level
from mdaug.quantum.mean_field import (
    Bond,
    NotConvergedError,
    broken_symmetry,
    build_molecule,
    mean_field,
    pyscf,
    spin_square,
    stable,
    unrestricted_solution,
)
from mdaug.quantum.point_store import PointKind, Record

CC_CYCLES = 150
CC_DIIS_SPACE = 10
STEP_A = 0.003
"""Step of central differences (Å); the error is 0.01 kcal/mol/Å for a compressed bond to hydrogen."""
PAIRED = 1e-3
"""Below this ⟨S²⟩ an unrestricted solution counts as the restricted one and is not computed again."""


def guess_or_none(
    atoms: Atoms, level: Level, bonds: IntArray, breaking: tuple[Bond, ...], start: Any = None
) -> Any:
    """Return the density matrix of the stable unrestricted solution in the small basis.

    Parameters
    ----------
    atoms
        The geometry.
    level
        Level of theory.
    bonds
        Bonds of the molecule, shape (n_bonds, 2).
    breaking
        Breaking bonds.
    start
        Density matrix of a neighboring geometry to start from, shape (2, n, n); None for a new guess.

    Returns
    -------
    density
        Shape (2, n, n); None if the solution does not converge.
    """
    try:
        if start is None and breaking:
            return broken_symmetry(atoms, breaking, bonds, level).make_rdm1()
        return unrestricted_solution(atoms, level, start).make_rdm1()
    except NotConvergedError:
        return None


def single_point(atoms: Atoms, level: Level, *, unrestricted: bool, guess: Any = None) -> Record:
    """Return the record of one point.

    Parameters
    ----------
    atoms
        The geometry.
    level
        Level of theory.
    unrestricted
        Use unrestricted orbitals.
    guess
        Density matrix to start from, shape (2, n, n), in the level's small basis.

    Returns
    -------
    Record
        ``energy_Eh`` (None if it did not converge, with ``error``), ``parts_Eh``, ``spin_square`` (of the
        unrestricted solution), ``forces_eV_A``, ``seconds``, and the geometry.
    """
    compute = _composite if level.method == COMPOSITE else _plain
    kind: PointKind = "unrestricted" if unrestricted else "restricted"
    return _recorded(atoms, level, kind, lambda: compute(atoms, level, unrestricted, guess))


def core_correlation(atoms: Atoms, level: Level) -> Record:
    """Return the record of the core electrons' part of DF-MP2 in the large basis.

    Restricted orbitals are used even where a bond breaks, because the core correlation hardly depends on the
    spins of the bond.

    Parameters
    ----------
    atoms
        The geometry.
    level
        Level of theory.
    """

    def compute() -> Record:
        solver = mean_field(build_molecule(atoms, level.basis, level), level, unrestricted=False, fitted=True)
        frozen = _df_mp2(solver, level).e_tot
        everything = _df_mp2(solver, level.model_copy(update={"frozen_core": False})).e_tot
        return {"energy_Eh": float(everything - frozen)}

    return _recorded(atoms, level, "core", compute)


def _recorded(atoms: Atoms, level: Level, kind: PointKind, compute: Callable[[], Record]) -> Record:
    started = time.perf_counter()
    try:
        result = compute()
    except NotConvergedError as error:
        result = {"energy_Eh": None, "error": str(error)}
    return {
        "level": level.identity,
        "orbitals": kind,
        "numbers": atoms.numbers.tolist(),
        "positions_A": atoms.positions.round(8).tolist(),
        **result,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _composite(atoms: Atoms, level: Level, unrestricted: bool, guess: Any) -> Record:
    """Return DF-MP2 in the large basis + [CCSD(T) − MP2] in the small one; no energy if spins are paired."""
    small = _converged(atoms, level, unrestricted, guess)
    if unrestricted and level.multiplicity == 1 and spin_square(small) < PAIRED:
        return {"energy_Eh": None, "spin_square": 0.0}
    large_molecule = build_molecule(atoms, level.basis, level)
    projected = pyscf("scf.addons").project_dm_nr2nr(small.mol, small.make_rdm1(), large_molecule)
    large = mean_field(large_molecule, level, unrestricted=unrestricted, fitted=True, guess=projected)
    parts = {
        "hf_small": small.e_tot,
        "mp2_small": _mp2(small, level).e_tot,
        "ccsd(t)_small": _coupled_cluster(small, level, triples=True),
        "hf_large": large.e_tot,
        "mp2_large": _df_mp2(large, level).e_tot,
    }
    record = _record(composite_energy(parts), parts, small, unrestricted)
    return record | ({"spin_square_large": spin_square(large)} if unrestricted else {})


def composite_energy(parts: dict[str, float]) -> float:
    """Return E = MP2/large + CCSD(T)/small − MP2/small.

    Parameters
    ----------
    parts
        ``mp2_large``, ``ccsd(t)_small`` and ``mp2_small``, Hartree.
    """
    return parts["mp2_large"] + parts["ccsd(t)_small"] - parts["mp2_small"]


def _plain(atoms: Atoms, level: Level, unrestricted: bool, guess: Any) -> Record:
    solver = _converged(atoms, level, unrestricted, guess)
    parts = {"mean_field": solver.e_tot}
    if level.method in ("ccsd", "ccsd(t)"):
        parts["total"] = _coupled_cluster(solver, level, triples=level.method == "ccsd(t)")
        return _record(parts["total"], parts, solver, unrestricted)
    correlated = {"mp2": _mp2, "df-mp2": _df_mp2}.get(level.method, lambda solver, _: solver)(solver, level)
    parts["total"] = correlated.e_tot
    record = _record(correlated.e_tot, parts, solver, unrestricted)
    if not level.forces:
        return record
    if level.method == "df-mp2":  # PySCF has no gradient of this method
        return record | _forces_by_differences(atoms, level, solver)
    return record | _forces(correlated)


def _converged(atoms: Atoms, level: Level, unrestricted: bool, guess: Any) -> Any:
    """Return the mean field in the small basis; an unrestricted one without a guess is made stable."""
    molecule = build_molecule(atoms, level.small_basis, level)
    fitted = level.method == "df-mp2"
    solver = mean_field(molecule, level, unrestricted=unrestricted, fitted=fitted, guess=guess)
    return stable(solver) if unrestricted and guess is None else solver


def _n_core(solver: Any, level: Level) -> int:
    return int(pyscf("data.elements").chemcore(solver.mol)) if level.frozen_core else 0


def _mp2(solver: Any, level: Level) -> Any:
    method = pyscf("mp").MP2(solver, frozen=_n_core(solver, level))
    method.kernel()
    return method


def _df_mp2(solver: Any, level: Level) -> Any:
    """Return density-fitted MP2 (with the auxiliary basis for MP2)."""
    unrestricted = solver.mo_coeff[0].ndim == 2
    fitted = pyscf("mp.dfump2_native").DFUMP2 if unrestricted else pyscf("mp.dfmp2_native").DFRMP2
    method = fitted(solver, frozen=_n_core(solver, level))
    method.kernel()
    return method


def _coupled_cluster(solver: Any, level: Level, *, triples: bool) -> float:
    """Return the total energy of CCSD or CCSD(T), restricted or not as `solver` is."""
    method = pyscf("cc").CCSD(solver, frozen=_n_core(solver, level))
    method.max_cycle, method.diis_space = CC_CYCLES, CC_DIIS_SPACE
    method.kernel()
    if not method.converged:
        raise NotConvergedError("the coupled-cluster equations did not converge")
    return float(method.e_tot + (method.ccsd_t() if triples else 0.0))


def _forces(method: Any) -> Record:
    gradient = np.asarray(method.nuc_grad_method().kernel())  # Hartree/Bohr
    return {"forces_eV_A": (-gradient * Hartree / Bohr).tolist()}


def _forces_by_differences(atoms: Atoms, level: Level, solver: Any) -> Record:
    """Return DF-MP2's forces by central differences along internal motions."""
    density, forces = solver.make_rdm1(), np.zeros_like(atoms.positions)
    for direction in internal_basis(atoms.positions, np.ones(len(atoms))):
        energies = []
        for sign in (1, -1):
            moved = Atoms(atoms.numbers, atoms.positions + sign * STEP_A * direction)
            molecule = build_molecule(moved, level.basis, level)
            field = mean_field(molecule, level, unrestricted=density.ndim == 3, fitted=True, guess=density)
            energies.append(_df_mp2(field, level).e_tot)
        forces -= direction * (energies[0] - energies[1]) / (2 * STEP_A) * Hartree
    return {"forces_eV_A": forces.tolist()}


def _record(energy: float, parts: dict[str, float], solver: Any, unrestricted: bool) -> Record:
    record: Record = {
        "energy_Eh": float(energy),
        "parts_Eh": {name: float(part) for name, part in parts.items()},
    }
    return record | ({"spin_square": spin_square(solver)} if unrestricted else {})
