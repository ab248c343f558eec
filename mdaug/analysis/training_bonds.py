"""Bonds of the training frames with their lengths, from the frames or from a model's manifest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mdaug.analysis.distributions import chunks
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bond_name
from mdaug.geometry.molecules import mean_bonds
from mdaug.geometry.pairs import pair_lengths


@dataclass(frozen=True)
class TrainingBonds:
    """The bonds of the training frames.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), i < j.
    mean_A
        Mean lengths, shape (n_bonds,).
    pbc
        Periodic directions of the training frames.
    """

    atomic_numbers: IntArray
    bonds: IntArray
    mean_A: FloatArray
    pbc: tuple[bool, bool, bool] = (False, False, False)

    @property
    def names(self) -> tuple[str, ...]:
        """The bonds as text, for example ``O2-H8``."""
        return tuple(bond_name(self.atomic_numbers, bond) for bond in self.bonds)

    @classmethod
    def from_frames(cls, frames: FrameSet) -> "TrainingBonds":
        """Return the pairs whose mean distance (nearest image) is that of a bond.

        Parameters
        ----------
        frames
            The training frames.

        Raises
        ------
        DataError
            If there is none.
        """
        bonds, _ = mean_bonds(frames)
        if not len(bonds):
            raise DataError(f"{frames.name}: no two atoms are bonded on average, so no bond can break")
        total = np.zeros(len(bonds))
        for positions, cells in chunks(frames):
            total += pair_lengths(positions, cells, *bonds.T).sum(axis=0)
        return cls(frames.atomic_numbers, bonds, total / len(frames), frames.pbc)

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> "TrainingBonds":
        """Return the bonds recorded in a model's manifest.

        Parameters
        ----------
        manifest
            Manifest of the model.

        Raises
        ------
        DataError
            If the manifest has none.
        """
        training = manifest.get("training") or {}
        bonds, structure = training.get("bonds"), training.get("reference_structure")
        if not bonds or not structure:
            raise DataError("the model's manifest records no training bonds; name the frames with --data")
        return cls(
            np.array(structure["atomic_numbers"], dtype=np.int64),
            np.array([sorted(bond["atoms"]) for bond in bonds], dtype=np.int64),
            np.array([bond["mean_A"] for bond in bonds], dtype=float),
            tuple(structure.get("pbc", cls.pbc)),
        )


def training_range_A(
    manifest: dict[str, Any], atomic_numbers: IntArray, bond: tuple[int, int]
) -> tuple[float, float] | None:
    """Return the shortest and longest distance of a bond in the training frames of a model, Å.

    From the manifest: the range of that bond, or its mean ± 3 standard deviations, or the range of all pairs
    of its elements.

    Parameters
    ----------
    manifest
        Manifest of the model.
    atomic_numbers
        Shape (n_atoms,).
    bond
        The two atoms, 0-based.

    Returns
    -------
    tuple of float or None
        None if the manifest records none of these.
    """
    training = manifest.get("training") or {}
    for entry in training.get("bonds") or []:
        if sorted(entry["atoms"]) == sorted(bond):
            if "range_A" in entry:
                return float(entry["range_A"][0]), float(entry["range_A"][1])
            return entry["mean_A"] - 3 * entry["std_A"], entry["mean_A"] + 3 * entry["std_A"]
    elements = "-".join(chemical_symbols[number] for number in sorted(atomic_numbers[list(bond)]))
    of_elements = (training.get("distance_range_A") or {}).get(elements)
    return None if of_elements is None else (float(of_elements[0]), float(of_elements[1]))
