"""Hartree-Fock and Kohn-Sham by PySCF, and broken-symmetry solutions where bonds break."""

import os
from importlib import import_module
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from mdaug.errors import DataError, MDAugError, MissingDependencyError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bonded, sides
from mdaug.geometry.molecules import sampled_pair_lengths
from mdaug.geometry.pairs import molecule_pairs
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


STRETCHED = 1.3
"""A bond longer than this times the sum of its covalent radii may be breaking (O-H 1.26, C-H 1.39, C-O 1.85,
C-C 1.98 Å): ethanol's restricted solutions become unstable at 1.33, 1.68, 1.9 and 2.1 Å."""

Bond = tuple[int, int]


def breaking_bonds(atoms: Atoms, bonds: IntArray) -> tuple[Bond, ...]:
    """Return those of `bonds` (n_bonds, 2) that are stretched beyond 1.3 covalent radii and in no ring."""
    found = []
    for i, j in bonds.tolist():
        limit = STRETCHED * (covalent_radii[atoms.numbers[i]] + covalent_radii[atoms.numbers[j]])
        if atoms.get_distance(i, j) > limit and sides(len(atoms), bonds, (i, j)) is not None:
            found.append((i, j))
    return tuple(found)


def median_bonds(frames: FrameSet) -> IntArray:
    """Return the bonds (n_bonds, 2) of molecules by their median distances.

    Some frames with broken bonds, which such sets often have, shift a mean and not a median.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    median = np.median(sampled_pair_lengths(frames), axis=0)
    return np.stack([idx_i, idx_j], axis=1)[bonded(frames.atomic_numbers, idx_i, idx_j, median)]


def broken_symmetry(atoms: Atoms, breaking: tuple[Bond, ...], bonds: IntArray, level: Level) -> Any:
    """Return a stable unrestricted solution with opposite spins at both ends of each breaking bond.

    It starts from the high-spin state with one electron more on either side of each breaking bond, whose
    spins are then flipped on every other fragment.
    """
    colors = fragment_colors(len(atoms), bonds, breaking)
    n_open = 2 * len(breaking)
    high = build_molecule(atoms, level.small_basis, level, multiplicity=n_open + level.multiplicity)
    high_spin = mean_field(high, level, unrestricted=True)
    on_flipped = np.repeat(colors == 1, np.diff(high.aoslice_by_atom()[:, 2:])[:, 0])
    return unrestricted_solution(atoms, level, flipped(high_spin.make_rdm1(), on_flipped))


def unrestricted_solution(atoms: Atoms, level: Level, guess: Any = None) -> Any:
    """Return a stable unrestricted solution in the level's small basis, started from `guess` (2, n, n)."""
    molecule = build_molecule(atoms, level.small_basis, level)
    return stable(mean_field(molecule, level, unrestricted=True, guess=guess))


def flipped(density: FloatArray, on_flipped: Any) -> FloatArray:
    """Return `density` (2, n, n) with alpha and beta exchanged among the basis functions `on_flipped` (n,).

    Blocks between flipped and unflipped functions take the mean of both spins.
    """
    new = density.copy()
    inside, between = (
        np.logical_and.outer(on_flipped, on_flipped),
        np.logical_xor.outer(on_flipped, on_flipped),
    )
    new[:, inside] = density[::-1, inside]
    new[:, between] = density[:, between].mean(axis=0)
    return new


def fragment_colors(n_atoms: int, bonds: IntArray, breaking: tuple[Bond, ...]) -> IntArray:
    """Return 0 or 1 for each atom, shape (n_atoms,): different at both ends of each breaking bond only."""
    colors = np.zeros(n_atoms, dtype=np.int64)
    for bond in breaking:
        parts = sides(n_atoms, bonds, bond)
        assert parts is not None, "breaking bonds are in no ring"
        colors[parts[1]] ^= 1
    return colors
