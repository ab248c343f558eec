"""Comparison of a structure with the training frames of a model.

The manifest of a model records the molecules of its training frames (``training["molecules"]``), the longest
bonds that define them (``training["bond_limits_A"]``), and the range of distances of each pair of elements
(``training["distance_range_A"]``). Imports no torch.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.symbols import Symbols

from mdaug.calculators.structures import StructureError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BOND_SCALE, BondImages, bond_images, single_bond_lengths
from mdaug.geometry.graph_hash import HASH_LENGTH, graph_hash
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.geometry.pairs import structure_pairs

CLOSER = 0.9
"""Least distance of two atoms, in units of the shortest distance of their elements in training."""

SAMPLED_FRAMES = 200
"""Number of frames, evenly spaced, whose molecules are recorded."""

_NAMED = 3


# ---- molecules


@dataclass(frozen=True)
class Molecule:
    """A kind of connected atoms.

    Parameters
    ----------
    formula
        Hill formula; of a network that is bonded to its own images, such as a crystal, the empirical formula.
    graph
        Hash of the bond graph; empty for a network.
    bonds
        Number of bonds of each pair of elements, such as ``H-C``; empty for a network.
    """

    formula: str
    graph: str
    bonds: tuple[tuple[str, int], ...] = ()

    def describe_bonds(self) -> str:
        """Return the bonds as text, such as "1 C-O and 6 H-C"."""
        return _join([f"{count} {name}" for name, count in self.bonds]) or "no bonds"


def molecules_of(atoms: Atoms) -> Counter[Molecule]:
    """Return the number of molecules of each kind in a structure, with bonds by covalent radii.

    Parameters
    ----------
    atoms
        Molecules, in a cell or not, or a crystal.
    """
    return _molecules(atoms.numbers, bond_images(atoms))


def molecule_record(frames: FrameSet) -> list[dict[str, Any]]:
    """Return the entry ``training["molecules"]`` of a manifest: the kinds of molecules in the frames.

    Parameters
    ----------
    frames
        The training frames; `SAMPLED_FRAMES` of them are examined.
    """
    sample = frames.evenly_spaced(SAMPLED_FRAMES)
    total: Counter[Molecule] = Counter()
    for n in range(len(sample)):
        total += molecules_of(sample.structure(n))
    n_all = sum(total.values())
    return [
        {"formula": kind.formula, "graph": kind.graph, "bonds": dict(kind.bonds), "share": count / n_all}
        for kind, count in total.most_common()
    ]


def bond_limits_A(elements: Iterable[int]) -> dict[str, float]:
    """Return the entry ``training["bond_limits_A"]`` of a manifest: the longest bond of each element pair.

    Parameters
    ----------
    elements
        Atomic numbers.
    """
    numbers = sorted({int(number) for number in elements})
    return {
        pair_name(a, b): BOND_SCALE * float(single_bond_lengths(a, b))
        for n, a in enumerate(numbers)
        for b in numbers[n:]
    }


def _molecules(numbers: IntArray, bonds: BondImages) -> Counter[Molecule]:
    part = molecule_of_atom(len(numbers), bonds.index)
    place = np.empty(len(numbers), np.int64)
    networks = _networks(part, bonds)
    order = np.argsort(part, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(part[order])) + 1)
    ends = part[bonds.index[:, 0]] if len(bonds.index) else np.empty(0, int)
    by_part = np.argsort(ends, kind="stable")
    first = np.searchsorted(ends[by_part], np.arange(len(members) + 1))
    kinds: Counter[Molecule] = Counter()
    for n, atoms in enumerate(members):
        if n in networks:
            kinds[Molecule(_empirical_formula(numbers[atoms]), "")] += 1
            continue
        own = bonds.index[by_part[first[n] : first[n + 1]]]
        names = Counter(pair_name(numbers[i], numbers[j]) for i, j in own)
        formula = Symbols(numbers[atoms]).get_chemical_formula("hill")
        place[atoms] = np.arange(len(atoms))
        graph = graph_hash(numbers[atoms], place[own])
        kinds[Molecule(formula, graph, tuple(sorted(names.items())))] += 1
    return kinds


def pair_name(a: int, b: int) -> str:
    """Return the name of a pair of elements, such as ``H-O``: in order of atomic number.

    Parameters
    ----------
    a, b
        Atomic numbers.
    """
    return "-".join(chemical_symbols[number] for number in sorted((int(a), int(b))))


def _networks(part: IntArray, bonds: BondImages) -> set[int]:
    """Return the connected sets of atoms that are bonded to their own periodic images."""
    if not bonds.shifts.any():
        return set()
    neighbors: dict[int, list[tuple[int, FloatArray]]] = {}
    for (i, j), shift in zip(bonds.index.tolist(), bonds.shifts, strict=True):
        neighbors.setdefault(i, []).append((j, shift))
        neighbors.setdefault(j, []).append((i, -shift))
    offset: dict[int, FloatArray] = {}
    networks: set[int] = set()
    for start in neighbors:
        if start in offset:
            continue
        offset[start], stack = np.zeros(3), [start]
        while stack:
            i = stack.pop()
            for j, shift in neighbors[i]:
                if j not in offset:
                    offset[j] = offset[i] + shift
                    stack.append(j)
                elif np.abs(offset[i] + shift - offset[j]).max() > 1e-6:
                    networks.add(int(part[start]))
    return networks


def _empirical_formula(numbers: IntArray) -> str:
    counts = Counter(numbers.tolist())
    divisor = gcd(*counts.values())
    reduced = [number for number, count in counts.items() for _ in range(count // divisor)]
    return str(Symbols(reduced).get_chemical_formula("hill"))


# ---- comparison with the training frames


def mismatches(atoms: Atoms, manifest: Mapping[str, Any]) -> list[str]:
    """Return how a structure differs from the training frames of a model, each as one sentence.

    The comparison includes the composition and the bond graph of each molecule, and the closest distance of
    each pair of elements. Several molecules of the trained kinds, in a periodic box or not, are not a
    difference; for crystals only the empirical formula is compared. Properties that are missing in the
    manifest are not compared.

    Parameters
    ----------
    atoms
        The structure, with finite positions and cell.
    manifest
        Manifest of the model.
    """
    training = manifest.get("training") or {}
    trained = _trained_molecules(training)
    differences = _other_molecules(molecules_of(atoms), trained) if trained else []
    return [*differences, *_closer_pairs(atoms, training.get("distance_range_A") or {})]


def check_applicability(atoms: Atoms, manifest: Mapping[str, Any], *, strict: bool = False) -> list[str]:
    """Compare a structure with the training frames of a model; warn of each difference, or raise an error.

    Parameters
    ----------
    atoms
        The structure.
    manifest
        Manifest of the model.
    strict
        Raise instead of warning.

    Returns
    -------
    list of str
        The `mismatches`.

    Raises
    ------
    StructureError
        `strict`, and there is a difference.
    """
    differences = mismatches(atoms, manifest)
    if differences and strict:
        raise StructureError(f"{'; '.join(differences)} (refused by the strict option)")
    for text in differences:
        warnings.warn(text, stacklevel=2)
    return differences


def _trained_molecules(training: Mapping[str, Any]) -> list[Molecule]:
    """Return the molecules that a manifest records, or those of its reference structure if it has none."""
    if training.get("molecules"):
        return [
            Molecule(entry["formula"], entry["graph"], tuple(sorted(entry["bonds"].items())))
            for entry in training["molecules"]
        ]
    structure = training.get("reference_structure")
    if not structure:
        return []
    atoms = Atoms(
        structure["atomic_numbers"],
        structure["positions"],
        cell=structure.get("cell"),
        pbc=structure.get("pbc", False),
    )
    kinds = molecules_of(atoms)
    if training.get("bonds") and not atoms.pbc.any():
        index = np.array([entry["atoms"] for entry in training["bonds"]], dtype=np.int64)
        kinds += _molecules(atoms.numbers, BondImages(index, np.zeros((len(index), 3)), np.zeros(len(index))))
    return [kind for kind, _ in kinds.most_common()]


def _other_molecules(kinds: Counter[Molecule], trained: list[Molecule]) -> list[str]:
    formulas = {kind.formula for kind in trained}
    others = [kind for kind, _ in kinds.most_common() if kind.formula not in formulas]
    if others:
        remark = (
            "a model of one molecule describes only that molecule"
            if len(formulas) == 1
            else "a model describes only the molecules of its training frames"
        )
        return [f"trained on {_formulas(trained)}; this is {_formulas(others)}: {remark}"]
    other = next((kind for kind in kinds if not any(_is_like(kind, one) for one in trained)), None)
    if other is None:
        return []
    like = next(kind for kind in trained if kind.formula == other.formula)
    has = other.describe_bonds() if other.bonds != like.bonds else "the same bonds in another arrangement"
    return [
        f"trained on {like.formula} with {like.describe_bonds()}; this {other.formula} has {has}: "
        "an isomer or a broken molecule, which is not in the training frames"
    ]


def _is_like(kind: Molecule, trained: Molecule) -> bool:
    """Whether two molecules are of one kind; by formula and bonds if the hash is of another length."""
    if trained.graph and len(trained.graph) != HASH_LENGTH:
        return (kind.formula, kind.bonds) == (trained.formula, trained.bonds)
    return (kind.formula, kind.graph) == (trained.formula, trained.graph)


def _closer_pairs(atoms: Atoms, ranges: Mapping[str, Iterable[float]]) -> list[str]:
    nearest = {name: min(limits) for name, limits in ranges.items()}
    if not nearest or len(atoms) < 2:
        return []
    idx_i, idx_j, shifts = structure_pairs(atoms, atoms.positions, max(nearest.values()))
    distances = np.linalg.norm(atoms.positions[idx_j] - atoms.positions[idx_i] + shifts, axis=1)
    texts: dict[str, str] = {}
    for p in np.argsort(distances):
        i, j = int(idx_i[p]), int(idx_j[p])
        name = pair_name(atoms.numbers[i], atoms.numbers[j])
        if name not in texts and distances[p] < CLOSER * nearest.get(name, 0.0):
            texts[name] = (
                f"atoms {i} and {j} ({name}) are {distances[p]:.2f} Å apart; the shortest {name} distance "
                f"in training is {nearest[name]:.2f} Å"
            )
    return list(texts.values())


def _formulas(kinds: Iterable[Molecule]) -> str:
    formulas = list(dict.fromkeys(kind.formula for kind in kinds))
    more = [f"{len(formulas) - _NAMED} more"] if len(formulas) > _NAMED else []
    return _join(formulas[:_NAMED] + more)


def _join(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
