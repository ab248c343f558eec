"""Hartree-Fock and Kohn-Sham by PySCF, and broken-symmetry solutions where bonds break."""

import os
from importlib import import_module
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.errors import DataError, MDAugError, MissingDependencyError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bonded, sides, single_bond_lengths
from mdaug.geometry.molecules import sampled_pair_lengths
from mdaug.geometry.pairs import molecule_pairs
from mdaug.processor import cpuinfo
from mdaug.quantum.level import COMPOSITE, WAVE_FUNCTIONS, Level

SCF_TOLERANCE_EH = 1e-9
MAX_STABILITY_ROUNDS = 8


class NotConvergedError(MDAugError):
    """The equations at a geometry did not converge; the energy is stored as unknown."""


def pyscf(module: str) -> Any:
    """Import and return a module of PySCF.

    Parameters
    ----------
    module
        Name of the module without ``pyscf.``.

    Raises
    ------
    MissingDependencyError
        PySCF is not installed.
    """
    _name_processor()
    try:
        return import_module(f"pyscf.{module}")
    except ImportError as error:
        raise MissingDependencyError(
            f"ab-initio energies need PySCF ({error}): pip install 'mdaug[reference]'"
        ) from error


def _name_processor() -> None:
    """Choose the kernels of the OpenBLAS 0.3.3 in PySCF's wheels, unless the user has chosen them.

    It treats processors newer than itself as a Prescott of 2004, which makes coupled cluster 1.5 times
    slower.
    """
    if "avx2" in cpuinfo("flags").split():
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


def build_molecule(atoms: Atoms, basis: str, level: Level, multiplicity: int | None = None) -> Any:
    """Return PySCF's molecule.

    Parameters
    ----------
    atoms
        The geometry.
    basis
        Basis set, by PySCF's name.
    level
        Level of theory with charge and multiplicity.
    multiplicity
        Overrides the level's.

    Raises
    ------
    DataError
        PySCF has no such basis for these elements, or the electrons cannot have that spin.
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
        settings = f"basis {basis!r}, charge {level.charge}, multiplicity {multiplicity}"
        raise DataError(
            f"{settings} of {atoms.get_chemical_formula()}: PySCF cannot build the molecule: {error}"
        ) from error


def mean_field(
    molecule: Any, level: Level, *, unrestricted: bool, fitted: bool = False, guess: Any = None
) -> Any:
    """Return PySCF's converged mean-field object.

    Parameters
    ----------
    molecule
        From `build_molecule`.
    level
        Level of theory with the method: a density functional, or Hartree-Fock for wave functions.
    unrestricted
        Separate orbitals for both spins.
    fitted
        Density fitting (PySCF's default auxiliary basis for JK).
    guess
        Density matrix to start from: (n, n), or (2, n, n) for alpha and beta.

    Raises
    ------
    NotConvergedError
        Neither DIIS nor the second-order solver converges.
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
            f"method {functional!r}: expected {methods}, or a density functional of PySCF, for example pbe"
        ) from error
    return (dft.UKS if unrestricted else dft.RKS)(molecule, xc=functional)


def stable(solver: Any) -> Any:
    """Return an unrestricted solution without internal instability, at or below a given one.

    The stability analysis (DOI 10.1063/1.434318) rotates the orbitals along the unstable direction, and the
    second-order solver minimizes the energy from there; both are repeated until no instability is left.

    Parameters
    ----------
    solver
        Converged unrestricted mean field.

    Raises
    ------
    NotConvergedError
        An instability is left after 8 rounds.
    """
    analyze = pyscf("scf.stability").uhf_internal
    for _ in range(MAX_STABILITY_ROUNDS):
        # with symmetry, PySCF's search would keep both spins equal
        orbitals, is_stable = analyze(solver, with_symmetry=False, return_status=True)
        if is_stable:
            return solver
        solver = _second_order(solver, orbitals)
    raise NotConvergedError(f"the unrestricted solution is unstable after {MAX_STABILITY_ROUNDS} rounds")


def spin_square(solver: Any) -> float:
    """Return ⟨S²⟩ of an unrestricted solution: 0 for a pure singlet, 1 for a broken-symmetry diradical.

    Parameters
    ----------
    solver
        Converged unrestricted mean field.
    """
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
    """Return the bonds that are longer than 1.3 times the sum of covalent radii and not in a ring.

    Parameters
    ----------
    atoms
        The geometry.
    bonds
        Bonds of the molecule, shape (n_bonds, 2).
    """
    breaking = []
    for i, j in bonds.tolist():
        limit = STRETCHED * single_bond_lengths(atoms.numbers[i], atoms.numbers[j])
        if atoms.get_distance(i, j) > limit and sides(len(atoms), bonds, (i, j)) is not None:
            breaking.append((i, j))
    return tuple(breaking)


def median_bonds(frames: FrameSet) -> IntArray:
    """Return the bonds of molecules by their median distances.

    Frames with broken bonds, which reference sets often contain, shift a mean but not a median.

    Parameters
    ----------
    frames
        Molecules.

    Returns
    -------
    bonds
        Shape (n_bonds, 2), i < j.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    median = np.median(sampled_pair_lengths(frames), axis=0)
    return np.stack([idx_i, idx_j], axis=1)[bonded(frames.atomic_numbers, idx_i, idx_j, median)]


def broken_symmetry(atoms: Atoms, breaking: tuple[Bond, ...], bonds: IntArray, level: Level) -> Any:
    """Return a stable unrestricted solution with opposite spins at both ends of each breaking bond.

    The start is the high-spin state with one more unpaired electron on either side of each breaking bond,
    whose spins are then flipped on every other fragment.

    Parameters
    ----------
    atoms
        The geometry.
    breaking
        Breaking bonds.
    bonds
        All bonds, shape (n_bonds, 2).
    level
        Level of theory; its small basis is used.
    """
    colors = fragment_colors(len(atoms), bonds, breaking)
    n_open = 2 * len(breaking)
    high = build_molecule(atoms, level.small_basis, level, multiplicity=n_open + level.multiplicity)
    high_spin = mean_field(high, level, unrestricted=True)
    on_flipped = np.repeat(colors == 1, np.diff(high.aoslice_by_atom()[:, 2:])[:, 0])
    return unrestricted_solution(atoms, level, flipped(high_spin.make_rdm1(), on_flipped))


def unrestricted_solution(atoms: Atoms, level: Level, guess: Any = None) -> Any:
    """Return a stable unrestricted solution in the level's small basis.

    Parameters
    ----------
    atoms
        The geometry.
    level
        Level of theory.
    guess
        Density matrix to start from, shape (2, n, n); None for PySCF's own.
    """
    molecule = build_molecule(atoms, level.small_basis, level)
    return stable(mean_field(molecule, level, unrestricted=True, guess=guess))


def flipped(density: FloatArray, on_flipped: Any) -> FloatArray:
    """Return a density matrix with alpha and beta exchanged among some basis functions.

    Blocks between flipped and unflipped functions take the mean of both spins.

    Parameters
    ----------
    density
        Shape (2, n, n).
    on_flipped
        Shape (n,): whether each basis function is flipped.
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
    """Return 0 or 1 for each atom: different at both ends of breaking bonds, and only there.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        All bonds, shape (n_bonds, 2).
    breaking
        Breaking bonds, none of them in a ring.

    Returns
    -------
    colors
        Shape (n_atoms,).
    """
    colors = np.zeros(n_atoms, dtype=np.int64)
    for bond in breaking:
        both_sides = sides(n_atoms, bonds, bond)
        assert both_sides is not None, "breaking bonds are not in rings"
        colors[both_sides[1]] ^= 1
    return colors
