"""Hartree-Fock and Kohn-Sham by PySCF: converged, and for broken bonds stable."""

import os
from importlib import import_module
from typing import Any

from ase import Atoms

from mdaug.errors import DataError, MDAugError, MissingDependencyError
from mdaug.processor import cpuinfo
from mdaug.quantum.level import COMPOSITE, WAVE_FUNCTIONS, Level

SCF_TOLERANCE_EH = 1e-9
MAX_STABILITY_ROUNDS = 8


class NotConvergedError(MDAugError):
    """A point whose equations were not solved; it is kept as unknown."""


def pyscf(module: str) -> Any:
    """Import ``pyscf.module``.

    Raises
    ------
    MissingDependencyError
        If PySCF is not installed.
    """
    _name_processor()
    try:
        return import_module(f"pyscf.{module}")
    except ImportError as error:
        raise MissingDependencyError(
            f"ab-initio energies need PySCF ({error}): pip install 'mdaug[reference]'"
        ) from error


def _name_processor() -> None:
    """Tell the OpenBLAS 0.3.3 in PySCF's wheels which kernels to take, unless the user did.

    It takes processors newer than itself for a Prescott of 2004: coupled cluster is then 1.5 times slower.
    """
    if "avx2" in cpuinfo("flags").split():
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


def build_molecule(atoms: Atoms, basis: str, level: Level, multiplicity: int | None = None) -> Any:
    """Return PySCF's molecule of `atoms` (Å); `multiplicity` overrides the level's.

    Raises
    ------
    DataError
        If PySCF does not know the basis for these elements, or the electrons cannot have that spin.
    """
    multiplicity = multiplicity or level.multiplicity
    gto = pyscf("gto")
    try:
        return gto.M(
            atom=list(zip(atoms.get_chemical_symbols(), atoms.positions.tolist(), strict=True)),
            basis=basis,
            charge=level.charge,
            spin=multiplicity - 1,
            verbose=0,
        )
    except (RuntimeError, KeyError, ValueError) as error:
        what = f"basis {basis!r}, charge {level.charge}, multiplicity {multiplicity}"
        raise DataError(f"{what} of {atoms.get_chemical_formula()}: PySCF says {error}") from error


def mean_field(
    molecule: Any, level: Level, *, unrestricted: bool, fitted: bool = False, guess: Any = None
) -> Any:
    """Return a converged mean-field object.

    Parameters
    ----------
    fitted
        Density fitting (PySCF's default auxiliary basis for JK).
    guess
        Density matrix to start from: (n, n), or (2, n, n) for alpha and beta.

    Raises
    ------
    NotConvergedError
        If neither DIIS nor the second-order solver converges.
    """
    if level.is_density_functional:
        solver = _kohn_sham(molecule, level.method, unrestricted)
    else:
        scf = pyscf("scf")
        solver = (scf.UHF if unrestricted else scf.RHF)(molecule)
    if fitted:
        solver = solver.density_fit()
    solver.conv_tol = SCF_TOLERANCE_EH
    solver.kernel(dm0=guess)
    return solver if solver.converged else _second_order(solver, solver.mo_coeff)


def _kohn_sham(molecule: Any, functional: str, unrestricted: bool) -> Any:
    dft = pyscf("dft")
    try:
        dft.libxc.parse_xc(functional)
    except (KeyError, ValueError) as error:
        methods = ", ".join((COMPOSITE, *WAVE_FUNCTIONS))
        raise DataError(
            f"method {functional!r}: expected {methods}, or a density functional that PySCF knows, as pbe"
        ) from error
    return (dft.UKS if unrestricted else dft.RKS)(molecule, xc=functional)


def stable(solver: Any) -> Any:
    """Return an unrestricted solution without internal instability, at or below `solver`.

    The stability analysis (DOI 10.1063/1.434318) turns the orbitals along the unstable direction, from
    where the second-order solver goes downhill, until none is left.

    Raises
    ------
    NotConvergedError
        If an instability is left after 8 rounds.
    """
    analyse = pyscf("scf.stability").uhf_internal
    for _ in range(MAX_STABILITY_ROUNDS):
        # with_symmetry: PySCF's search would start alike for both spins and never see them part
        orbitals, is_stable = analyse(solver, with_symmetry=False, return_status=True)
        if is_stable:
            return solver
        solver = _second_order(solver, orbitals)
    raise NotConvergedError(f"the unrestricted solution is unstable after {MAX_STABILITY_ROUNDS} rounds")


def spin_square(solver: Any) -> float:
    """Return ⟨S²⟩ of an unrestricted solution: 0 for a pure singlet, 1 for a broken-symmetry diradical."""
    return float(solver.spin_square()[0])


def _second_order(solver: Any, orbitals: Any) -> Any:
    newton = solver.newton()
    newton.conv_tol = SCF_TOLERANCE_EH
    newton.kernel(orbitals, solver.mo_occ)
    if not newton.converged:
        raise NotConvergedError("the self-consistent field did not converge")
    return newton.undo_newton() if hasattr(newton, "undo_newton") else newton
