"""Keys of points: the same for the same molecule turned, moved, mirrored, or with like atoms exchanged."""

import hashlib
from typing import Literal

import numpy as np
from ase import Atoms

from mdaug.quantum.level import Level

DECIMALS = 6
"""Distances (Å) that agree to this many decimals are the same."""


PointKind = Literal["restricted", "unrestricted", "core"]
"""What is stored of a geometry: total energies, and the correlation of the core electrons."""


def point_key(atoms: Atoms, level: Level, kind: PointKind) -> str:
    """Return the key under which an energy of `atoms` at `level` is stored.

    Each atom is described by its element and the sorted list of its distances to the others with their
    elements; the key is of the sorted list of atoms. Energies do not change under turning, mirroring and
    exchange of like atoms, so equivalent bonds of a symmetric molecule are computed once. Forces do, so
    with forces the key is of the positions themselves.
    """
    if level.forces:
        described = [(int(z), *row) for z, row in zip(atoms.numbers, _rounded(atoms.positions), strict=True)]
        described.append((0, "with forces"))
    else:
        described = sorted(_surroundings(atoms))
    text = f"{level.identity}|{kind}|{described}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _surroundings(atoms: Atoms) -> list[tuple]:
    distances = _rounded(atoms.get_all_distances())
    numbers = atoms.numbers.tolist()
    return [
        (numbers[i], tuple(sorted((numbers[j], distances[i][j]) for j in range(len(atoms)) if j != i)))
        for i in range(len(atoms))
    ]


def _rounded(values: np.ndarray) -> list:
    # adding zero turns −0.0 into 0.0, which print differently
    return (np.round(values, DECIMALS) + 0.0).tolist()
