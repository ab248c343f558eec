"""Energies of broken bonds of small molecules, the source of the table of force_matching.

    python benchmarks/bond_energies.py [MOLECULE-A-B …] --out FOLDER

For each bond the molecule at its GFN2-xTB minimum and the two fragments, as they are in the molecule, far
from each other: UCCSD(T)/def2-SVP with frozen core, and UMP2/def2-TZVPP less UMP2/def2-SVP. Finished bonds
are kept in FOLDER/bond_energies.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from pyscf import cc, gto, mp, scf

from mdaug.analysis.relax import relax
from mdaug.files import write_json
from mdaug.geometry.bonds import find_bonds, sides
from mdaug.quantum.calculators import calculator_factory
from mdaug.sampling.structures import starting_structures
from mdaug.units import KCAL_MOL_PER_EV

HARTREE_KCAL_MOL = 27.211386 * KCAL_MOL_PER_EV

BONDS = {
    # SMILES, multiplicity, elements of the bond, multiplicities of the fragments in that order
    "H-B": ("B", 1, (2, 2)),
    "H-Br": ("Br", 1, (2, 2)),
    "H-I": ("I", 1, (2, 2)),
    "H-S": ("CS", 1, (2, 2)),
    "H-N": ("CN", 1, (2, 2)),
    "H-Si": ("C[SiH3]", 1, (2, 2)),
    "H-P": ("CP", 1, (2, 2)),
    "B-C": ("CB", 1, (2, 2)),
    "B-N": ("BN", 1, (2, 2)),
    "B-O": ("BO", 1, (2, 2)),
    "B-F": ("BF", 1, (2, 2)),
    "B-Cl": ("BCl", 1, (2, 2)),
    "C-N": ("CN", 1, (2, 2)),
    "C-F": ("CF", 1, (2, 2)),
    "C-Si": ("C[SiH3]", 1, (2, 2)),
    "C-P": ("CP", 1, (2, 2)),
    "C-S": ("CS", 1, (2, 2)),
    "C-Cl": ("CCl", 1, (2, 2)),
    "C-Br": ("CBr", 1, (2, 2)),
    "C-I": ("CI", 1, (2, 2)),
    "C=C": ("C=C", 1, (3, 3)),
    "C=N": ("C=N", 1, (3, 3)),
    "C=O": ("C=O", 1, (3, 3)),
    "C=S": ("C=S", 1, (3, 3)),
    "C#C": ("C#C", 1, (2, 2)),
    "C#N": ("C#N", 1, (4, 4)),
    "C#O": ("[C-]#[O+]", 1, (3, 3)),
    "N-N": ("NN", 1, (2, 2)),
    "N-O": ("NO", 1, (2, 2)),
    "N-F": ("NF", 1, (2, 2)),
    "N-Si": ("N[SiH3]", 1, (2, 2)),
    "N-P": ("NP", 1, (2, 2)),
    "N-S": ("NS", 1, (2, 2)),
    "N-Cl": ("NCl", 1, (2, 2)),
    "N=N": ("N=N", 1, (3, 3)),
    "N=O": ("N=O", 1, (3, 3)),
    "N#N": ("N#N", 1, (4, 4)),
    "O-O": ("OO", 1, (2, 2)),
    "O=O": ("O=O", 3, (3, 3)),
    "O-F": ("OF", 1, (2, 2)),
    "O-Si": ("O[SiH3]", 1, (2, 2)),
    "O-P": ("OP", 1, (2, 2)),
    "O=P": ("O=[PH3]", 1, (3, 1)),
    "O-S": ("OS", 1, (2, 2)),
    "O=S": ("O=S", 3, (3, 3)),
    "O=S sulfoxide": ("O=[SH2]", 1, (3, 1)),
    "O-Cl": ("OCl", 1, (2, 2)),
    "F-F": ("FF", 1, (2, 2)),
    "F-Si": ("F[SiH3]", 1, (2, 2)),
    "F-P": ("FP", 1, (2, 2)),
    "F-S": ("FS", 1, (2, 2)),
    "F-Cl": ("FCl", 1, (2, 2)),
    "F-Br": ("FBr", 1, (2, 2)),
    "F-I": ("FI", 1, (2, 2)),
    "Si-Si": ("[SiH3][SiH3]", 1, (2, 2)),
    "Si-Cl": ("[SiH3]Cl", 1, (2, 2)),
    "Si-Br": ("[SiH3]Br", 1, (2, 2)),
    "P-P": ("PP", 1, (2, 2)),
    "P-S": ("PS", 1, (2, 2)),
    "P=S": ("[PH3]=S", 1, (1, 3)),
    "P-Cl": ("PCl", 1, (2, 2)),
    "S-S": ("SS", 1, (2, 2)),
    "S=S": ("S=S", 3, (3, 3)),
    "S-Cl": ("SCl", 1, (2, 2)),
    "Cl-Cl": ("ClCl", 1, (2, 2)),
    "Cl-Br": ("ClBr", 1, (2, 2)),
    "Cl-I": ("ClI", 1, (2, 2)),
    "Br-Br": ("BrBr", 1, (2, 2)),
    "Br-I": ("BrI", 1, (2, 2)),
    "I-I": ("II", 1, (2, 2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bonds", nargs="*", choices=[*BONDS, []], default=list(BONDS))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "bond_energies.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name in given.bonds:
        if name not in known:
            known[name] = broken_bond(name)
            write_json(path, known)
        print(name, " ".join(f"{key} {value:.4g}" for key, value in known[name].items()), flush=True)


def broken_bond(name: str) -> dict[str, float]:
    """Return the length of a bond (Å) and the energy to break it (kcal/mol)."""
    smiles, multiplicity, spins = BONDS[name]
    start = starting_structures(smiles, 1)[0]
    atoms = relax(calculator_factory("GFN2-xTB", multiplicity=multiplicity)(), start).atoms
    symbols = "".join(c if c.isalpha() else " " for c in name.split(maxsplit=1)[0]).split()
    bonds = find_bonds(atoms)
    kinds = [sorted(chemical_symbols[z] for z in atoms.numbers[bond]) for bond in bonds]
    i, j = (int(atom) for atom in bonds[kinds.index(sorted(symbols))])
    both = sides(len(atoms), bonds, (i, j) if atoms.symbols[i] == symbols[0] else (j, i))
    assert both is not None, f"{name}: the bond is in a ring"
    parts = [atoms[side] for side in both]
    whole = energies(atoms, multiplicity)
    broken = np.sum([energies(part, spin) for part, spin in zip(parts, spins, strict=True)], axis=0)
    ccsd_t, larger_basis = HARTREE_KCAL_MOL * (broken - whole)
    return {
        "length_A": atoms.get_distance(i, j),
        "ccsd_t": ccsd_t,
        "mp2_tz": larger_basis,
        "sum": ccsd_t + larger_basis,
    }


def energies(atoms: Atoms, multiplicity: int) -> np.ndarray:
    """Return UCCSD(T)/def2-SVP, and UMP2/def2-TZVPP less UMP2/def2-SVP, in Hartree."""
    small = mean_field(atoms, multiplicity, "def2-svp")
    guess = scf.addons.project_dm_nr2nr
    large_molecule = molecule(atoms, multiplicity, "def2-tzvpp")
    large = scf.UHF(large_molecule).run(guess(small.mol, small.make_rdm1(), large_molecule), conv_tol=1e-9)
    mp2 = [field.e_tot + correlation(mp.UMP2, field) for field in (small, large)]
    return np.array([small.e_tot + correlation(cc.UCCSD, small), mp2[1] - mp2[0]])


def molecule(atoms: Atoms, multiplicity: int, basis: str) -> gto.Mole:
    heavy = {symbol: basis for symbol in set(atoms.symbols) if symbol == "I"}
    places = list(zip(atoms.symbols, atoms.positions, strict=True))
    return gto.M(atom=places, basis=basis, ecp=heavy, spin=multiplicity - 1, verbose=0)


def mean_field(atoms: Atoms, multiplicity: int, basis: str) -> scf.uhf.UHF:
    """Return a stable solution of unrestricted Hartree-Fock."""
    field = scf.UHF(molecule(atoms, multiplicity, basis)).run(conv_tol=1e-9)
    for _ in range(3):
        orbitals, _, stable, _ = field.stability(return_status=True)
        if stable:
            break
        field = field.run(field.make_rdm1(orbitals, field.mo_occ))
    return field


def correlation(method: type, field: scf.uhf.UHF) -> float:
    """Return a correlation energy with frozen core, with triples of coupled clusters."""
    if field.mol.nelectron == 1:
        return 0.0
    correlated = method(field).set_frozen().run()
    triples = correlated.ccsd_t() if method is cc.UCCSD and min(correlated.nocc) > 0 else 0.0
    return float(correlated.e_corr + triples)


if __name__ == "__main__":
    main()
