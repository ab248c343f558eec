"""Bonds of the training frames with their ranges, and hydrogens that have several partners in the frames.

With this record a breaking bond can be distinguished from a bond that is long in the training frames too: a
shared proton moves between its partners.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.data import atomic_numbers as number_of
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bond_name, bonded
from mdaug.geometry.molecules import AT_ONCE, LASTING, mean_bonds
from mdaug.geometry.pairs import pair_lengths


@dataclass(frozen=True)
class SharedHydrogen:
    """A hydrogen that is bonded to different atoms in different frames.

    Parameters
    ----------
    atom
        Index of the hydrogen, 0-based.
    partners
        Atoms to which it is bonded in at least one frame, the most frequent one first.
    mean_A
        Mean distance to the nearest of them, over frames.
    range_A
        Shortest and longest distance to the nearest of them.
    """

    atom: int
    partners: tuple[int, ...]
    mean_A: float
    range_A: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``training.shared_hydrogens`` in a model's manifest."""
        return {
            "atom": self.atom,
            "partners": list(self.partners),
            "mean_A": self.mean_A,
            "range_A": list(self.range_A),
        }

    def nearest_A(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return the distance to the nearest partner, shape (n_frames,), Å.

        Parameters
        ----------
        positions
            Shape (n_frames, n_atoms, 3), Å.
        cells
            Shape (n_frames, 3, 3), Å; None for molecules.
        """
        partners = np.array(self.partners)
        lengths = pair_lengths(positions, cells, partners, np.full_like(partners, self.atom))
        return np.asarray(lengths.min(axis=1))


@dataclass(frozen=True)
class TrainingBonds:
    """The bonds of the training frames.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), i < j; one for each shared hydrogen, to its most frequent partner.
    mean_A
        Mean lengths, shape (n_bonds,); for a shared hydrogen, the mean distance to its nearest partner.
    range_A
        Shortest and longest lengths, shape (n_bonds, 2); NaN where unknown.
    shared
        Hydrogens with several partners in the frames.
    pbc
        Periodic directions of the training frames.
    """

    atomic_numbers: IntArray
    bonds: IntArray
    mean_A: FloatArray
    range_A: FloatArray
    shared: tuple[SharedHydrogen, ...] = ()
    pbc: tuple[bool, bool, bool] = (False, False, False)

    @property
    def names(self) -> tuple[str, ...]:
        """The bonds as text, for example ``O2-H8``."""
        return tuple(bond_name(self.atomic_numbers, bond) for bond in self.bonds)

    def lengths(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return the lengths of the bonds; for a shared hydrogen, the distance to its nearest partner.

        Parameters
        ----------
        positions
            Shape (n_frames, n_atoms, 3), Å.
        cells
            Shape (n_frames, 3, 3), Å; None for molecules.

        Returns
        -------
        FloatArray
            Shape (n_frames, n_bonds), Å, to the nearest image.
        """
        lengths = pair_lengths(positions, cells, *self.bonds.T)
        for hydrogen in self.shared:
            of_hydrogen = (self.bonds == hydrogen.atom).any(axis=1)
            lengths[:, of_hydrogen] = hydrogen.nearest_A(positions, cells)[:, None]
        return lengths

    @classmethod
    def from_frames(cls, frames: FrameSet) -> "TrainingBonds":
        """Return the pairs whose mean distance (nearest image) is that of a bond, and the shared hydrogens.

        Parameters
        ----------
        frames
            The training frames.

        Raises
        ------
        DataError
            If there is none.
        """
        shared = shared_hydrogens(frames)
        pairs = _with_shared(mean_bonds(frames)[0], shared)
        if not len(pairs):
            raise DataError(
                f"{frames.name}: no two atoms are bonded on average, so there is no bond that could break"
            )
        n_bonds, cells = len(pairs), frames.periodic_cells
        record = cls(
            frames.atomic_numbers, pairs, np.zeros(n_bonds), np.empty((n_bonds, 2)), shared, frames.pbc
        )
        total, ranges = np.zeros(n_bonds), np.tile([np.inf, -np.inf], (n_bonds, 1))
        size = max(1, AT_ONCE // n_bonds)
        for k in range(0, len(frames), size):
            part = slice(k, k + size)
            lengths = record.lengths(frames.positions[part], None if cells is None else cells[part])
            total += lengths.sum(axis=0)
            ranges[:, 0] = np.minimum(ranges[:, 0], lengths.min(axis=0))
            ranges[:, 1] = np.maximum(ranges[:, 1], lengths.max(axis=0))
        return cls(frames.atomic_numbers, pairs, total / len(frames), ranges, shared, frames.pbc)

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
        bonds, structure = training.get("bonds") or [], training.get("reference_structure")
        shared = tuple(
            SharedHydrogen(
                int(entry["atom"]),
                tuple(int(partner) for partner in entry["partners"]),
                float(entry["mean_A"]),
                (float(entry["range_A"][0]), float(entry["range_A"][1])),
            )
            for entry in training.get("shared_hydrogens") or []
        )
        if not (bonds or shared) or not structure:
            raise DataError("the model's manifest records no training bonds; name the frames with --data")
        recorded = {tuple(sorted(bond["atoms"])): bond for bond in bonds}
        of_hydrogen = {hydrogen.atom: hydrogen for hydrogen in shared}
        pairs = _with_shared(np.array(list(recorded), dtype=np.int64).reshape(-1, 2), shared)
        means, ranges = [], []
        for i, j in pairs.tolist():
            hydrogen = of_hydrogen.get(i) or of_hydrogen.get(j)
            means.append(hydrogen.mean_A if hydrogen else recorded[i, j]["mean_A"])
            ranges.append(hydrogen.range_A if hydrogen else recorded[i, j].get("range_A", (np.nan, np.nan)))
        return cls(
            np.array(structure["atomic_numbers"], dtype=np.int64),
            pairs,
            np.array(means, dtype=float),
            np.array(ranges, dtype=float),
            shared,
            tuple(structure.get("pbc", cls.pbc)),
        )


def shared_hydrogens(frames: FrameSet) -> tuple[SharedHydrogen, ...]:
    """Return the hydrogens that are bonded to two or more heavier atoms, to one of them in some frames only.

    A hydrogen that is bonded to all of them in nearly all frames bridges them, and is not shared.

    Parameters
    ----------
    frames
        The training frames.
    """
    numbers, hydrogen = frames.atomic_numbers, number_of["H"]
    hydrogens, others = np.flatnonzero(numbers == hydrogen), np.flatnonzero(numbers != hydrogen)
    if len(others) < 2:
        return ()
    shared = []
    for atom in hydrogens.tolist():
        times_bonded = np.zeros(len(others), dtype=np.int64)
        idx_j, size = np.full_like(others, atom), max(1, AT_ONCE // len(others))
        cells = frames.periodic_cells
        for k in range(0, len(frames), size):
            part = slice(k, k + size)
            lengths = pair_lengths(
                frames.positions[part], None if cells is None else cells[part], others, idx_j
            )
            times_bonded += bonded(numbers, others, idx_j, lengths).sum(axis=0)
        partners = times_bonded > 0
        if partners.sum() < 2 or times_bonded[partners].min() >= LASTING * len(frames):
            continue
        by_frequency = others[np.argsort(-times_bonded, kind="stable")][: partners.sum()]
        without_range = SharedHydrogen(atom, tuple(by_frequency.tolist()), 0.0, (0.0, 0.0))
        nearest = without_range.nearest_A(frames.positions, cells)
        range_A = float(nearest.min()), float(nearest.max())
        shared.append(replace(without_range, mean_A=float(nearest.mean()), range_A=range_A))
    return tuple(shared)


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


def _with_shared(pairs: IntArray, shared: tuple[SharedHydrogen, ...]) -> IntArray:
    """Return `pairs` (n, 2) with one pair for each shared hydrogen, to its most frequent partner."""
    atoms = [hydrogen.atom for hydrogen in shared]
    ordinary = pairs[~np.isin(pairs, atoms).any(axis=1)].tolist()
    own = [sorted((hydrogen.partners[0], hydrogen.atom)) for hydrogen in shared]
    return np.array(sorted(ordinary + own), dtype=np.int64).reshape(-1, 2)
