"""Structures to start MD from: a file that ASE reads, or a SMILES string."""

import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

from mdaug.errors import DataError, MissingDependencyError


def starting_structures(source: str | Path, n: int, seed: int = 0) -> list[Atoms]:
    """Return `n` starting structures of one system.

    Parameters
    ----------
    source
        A structure file that ASE reads (its last frame; copied `n` times), or a SMILES string
        (`n` conformers embedded by RDKit with hydrogens added and relaxed with MMFF94; atoms in SMILES order,
        hydrogens after them).
    n
        Number of structures.
    seed
        Of the embedding.

    Raises
    ------
    DataError
        If `source` is neither a readable structure file nor a SMILES string.
    MissingDependencyError
        If a SMILES string is given and RDKit is not installed.
    """
    if Path(source).is_file():
        return [_read_structure(Path(source)).copy() for _ in range(n)]
    return _embed(str(source), n, seed)


def _read_structure(path: Path) -> Atoms:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = read(path, index=-1)
    except Exception as error:  # ASE's readers raise whatever their parser meets
        raise DataError(
            f"{path}: not a structure that ASE reads ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise DataError(f"{path}: holds no atoms")
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _embed(smiles: str, n: int, seed: int) -> list[Atoms]:
    try:
        chem, rd_logger = import_module("rdkit.Chem.AllChem"), import_module("rdkit.RDLogger")
    except ImportError as error:
        raise MissingDependencyError(
            f"{smiles}: no such file, and a SMILES string needs RDKit, which is not installed: "
            "pip install 'mdaug[xtb]'"
        ) from error
    rd_logger.DisableLog("rdApp.*")
    molecule = chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise DataError(f"{smiles}: neither a structure file nor a SMILES string that RDKit understands")
    molecule = chem.AddHs(molecule)
    conformers = chem.EmbedMultipleConfs(molecule, numConfs=n, randomSeed=seed)
    if len(conformers) < n:
        raise DataError(f"{smiles}: RDKit embeds no 3D structure; give a structure file instead")
    if chem.MMFFHasAllMoleculeParams(molecule):
        chem.MMFFOptimizeMoleculeConfs(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return [Atoms(numbers, molecule.GetConformer(c).GetPositions()) for c in conformers]
