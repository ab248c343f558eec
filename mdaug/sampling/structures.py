"""Starting structures of MD: from a file that ASE reads, or from a SMILES string."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from scipy.spatial.distance import cdist

from mdaug.data.readers import extxyz
from mdaug.data.readers.ase_outputs import SQLITE_MAGIC, sqlite_rows
from mdaug.data.readers.contents import HEAD_BYTES
from mdaug.errors import DataError, MissingDependencyError
from mdaug.frames import FloatArray, IntArray

CONTACT_A = 2.2
"""Distance (Å) between the nearest atoms of the molecules of one SMILES string, which are placed side by
side."""


def starting_structures(source: str | Path, n: int, seed: int = 0) -> list[Atoms]:
    """Return `n` starting structures of one system.

    Parameters
    ----------
    source
        A structure file that ASE reads (its last frame; copied `n` times), or a SMILES string
        (`n` conformers embedded by RDKit with hydrogens added and relaxed with MMFF94; atoms in SMILES order,
        hydrogens after them; several molecules, as ``O.O``, side by side).
    n
        Number of structures.
    seed
        Seed of the embedding.

    Raises
    ------
    DataError
        `source` is neither a readable structure file nor a SMILES string.
    MissingDependencyError
        `source` is a SMILES string and RDKit is not installed.
    """
    if Path(source).is_file():
        return [_read_structure(Path(source)).copy() for _ in range(n)]
    return _embed(str(source), n, seed)


def _read_structure(path: Path) -> Atoms:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    try:
        if extxyz.READER.sniff(path, head):
            extxyz.check_counts(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # ASE would open a database of any program for writing, and add its tables
            is_database = head.startswith(SQLITE_MAGIC)
            atoms = (
                sqlite_rows(path)[-1] if is_database else read(path, index=-1, do_not_split_by_at_sign=True)
            )
    except DataError:
        raise
    except Exception as error:  # ASE's readers raise errors of many kinds
        raise DataError(
            f"{path}: not a structure that ASE reads ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise DataError(f"{path}: contains no atoms")
    finite = np.isfinite(atoms.positions).all(axis=1)
    if not finite.all() or not np.isfinite(atoms.cell.array).all():
        where = "its cell" if finite.all() else f"atom {int(np.argmin(finite))}"
        raise DataError(f"{path}: {where} has NaN or infinite coordinates; expected numbers, in Å")
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def formal_charge(source: str | Path) -> int | None:
    """Return the charge of a SMILES string.

    Parameters
    ----------
    source
        As for `starting_structures`.

    Returns
    -------
    charge
        e; None for a structure file.

    Raises
    ------
    DataError, MissingDependencyError
        As in `starting_structures`.
    """
    if Path(source).is_file():
        return None
    return int(sum(atom.GetFormalCharge() for atom in _molecule(str(source))[0].GetAtoms()))


def _embed(smiles: str, n: int, seed: int) -> list[Atoms]:
    molecule, chem = _molecule(smiles)
    conformers = chem.EmbedMultipleConfs(molecule, numConfs=n, randomSeed=seed)
    if len(conformers) < n:
        raise DataError(f"{smiles}: RDKit embeds no 3D structure; give a structure file instead")
    molecules = [np.array(fragment) for fragment in chem.GetMolFrags(molecule)]
    for number, conformer in enumerate(conformers):
        rng = np.random.default_rng([seed, number])
        placed = molecule.GetConformer(conformer)
        for atom, position in enumerate(side_by_side(placed.GetPositions(), molecules, rng)):
            placed.SetAtomPosition(atom, position.tolist())
    if chem.MMFFHasAllMoleculeParams(molecule):
        chem.MMFFOptimizeMoleculeConfs(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return [Atoms(numbers, molecule.GetConformer(c).GetPositions()) for c in conformers]


def _molecule(smiles: str) -> tuple[Any, Any]:
    """Return RDKit's molecule of a SMILES string, with hydrogens, and the module ``rdkit.Chem.AllChem``."""
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
    return chem.AddHs(molecule), chem


def side_by_side(positions: FloatArray, molecules: list[IntArray], rng: np.random.Generator) -> FloatArray:
    """Return positions in which each molecule is moved away from the earlier ones, in a random direction.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å; RDKit embeds every molecule at the origin.
    molecules
        Indices of the atoms of each molecule.
    rng
        Source of the directions.

    Returns
    -------
    positions
        Shape (n_atoms, 3), Å.
    """
    placed = positions.copy()
    for k, molecule in enumerate(molecules[1:], 1):
        earlier = placed[np.concatenate(molecules[:k])]
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        while cdist(placed[molecule], earlier).min() < CONTACT_A:
            placed[molecule] += 0.1 * direction
    return placed
