"""Bonds of the training frames with their ranges, also those to several images of an atom.

With this record a breaking bond can be distinguished from a bond that is long in the training frames too: a
shared proton moves between its partners.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bond_name, bonded, longest_bond
from mdaug.geometry.image_distances import image_lengths
from mdaug.geometry.molecules import AT_ONCE, mean_bonds
from mdaug.geometry.pairs import half_width, pair_lengths
from mdaug.geometry.shared_hydrogens import SharedHydrogen, shared_hydrogens
from mdaug.geometry.torsions import rotatable_torsions

TRAINING_FRAMES = "the training frames"


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
    image
        Shape (n_bonds,): 0 for a bond to the nearest image, 1 to the second nearest, … In a narrow cell an
        atom may be bonded to several images of another.
    source
        Where the bonds are from, for messages.
    """

    atomic_numbers: IntArray
    bonds: IntArray
    mean_A: FloatArray
    range_A: FloatArray
    shared: tuple[SharedHydrogen, ...] = ()
    pbc: tuple[bool, bool, bool] = (False, False, False)
    image: IntArray | None = None
    source: str = TRAINING_FRAMES

    @property
    def names(self) -> tuple[str, ...]:
        """The bonds as text, for example ``O2-H8``, or ``Si0-Si1 (image 2)`` for the second nearest image."""
        names = [bond_name(self.atomic_numbers, bond) for bond in self.bonds]
        numbers = np.zeros(len(names), np.int64) if self.image is None else self.image
        return tuple(f"{name} (image {n + 1})" if n else name for name, n in zip(names, numbers, strict=True))

    @property
    def expected_lengths(self) -> str:
        """What the lengths are, as text: ``its mean length in the training frames``."""
        is_one_structure = bool((self.range_A[:, 0] == self.range_A[:, 1]).all())
        return f"its {'' if is_one_structure else 'mean '}length in {self.source}"

    @property
    def to_one_image(self) -> IntArray:
        """The bonds of atoms to one image of another, shape (n, 2): those that have angles and torsions."""
        pairs, count = np.unique(self.bonds, axis=0, return_counts=True)
        return np.asarray(pairs[count == 1])

    def torsions(self) -> IntArray:
        """Return the `rotatable_torsions` along bonds to one image, shape (n_torsions, 4)."""
        torsions = rotatable_torsions(self.atomic_numbers, np.unique(self.bonds, axis=0))
        usable = {tuple(bond) for bond in self.to_one_image.tolist()}
        kept = [
            all((min(pair), max(pair)) in usable for pair in pairwise(torsion))
            for torsion in torsions.tolist()
        ]
        return np.asarray(torsions[np.array(kept, dtype=bool)])

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
            Shape (n_frames, n_bonds), Å, to the image of each bond.
        """
        image = np.zeros(len(self.bonds), np.int64) if self.image is None else self.image
        if cells is not None and (image.any() or is_narrow(cells, self.atomic_numbers)):
            reach = 2 * longest_bond(self.atomic_numbers)
            lengths = image_lengths(positions, cells, self.bonds, image, reach)
        else:
            lengths = pair_lengths(positions, cells, *self.bonds.T)
        for hydrogen in self.shared:
            of_hydrogen = (self.bonds == hydrogen.atom).any(axis=1)
            lengths[:, of_hydrogen] = hydrogen.nearest_A(positions, cells)[:, None]
        return lengths

    @classmethod
    def from_frames(cls, frames: FrameSet, source: str = TRAINING_FRAMES) -> "TrainingBonds":
        """Return the pairs whose mean distance is that of a bond, and the shared hydrogens.

        Parameters
        ----------
        frames
            The training frames.
        source
            What they are, for messages.

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
        cells, image = frames.periodic_cells, None
        if cells is not None and is_narrow(cells, frames.atomic_numbers):
            pairs, image = _with_images(frames, pairs, shared)
        n_bonds = len(pairs)
        record = cls(
            frames.atomic_numbers,
            pairs,
            np.zeros(n_bonds),
            np.empty((n_bonds, 2)),
            shared,
            frames.pbc,
            image,
            source,
        )
        total, ranges = np.zeros(n_bonds), np.tile([np.inf, -np.inf], (n_bonds, 1))
        size = max(1, AT_ONCE // n_bonds)
        for k in range(0, len(frames), size):
            part = slice(k, k + size)
            lengths = record.lengths(frames.positions[part], None if cells is None else cells[part])
            total += lengths.sum(axis=0)
            ranges[:, 0] = np.minimum(ranges[:, 0], lengths.min(axis=0))
            ranges[:, 1] = np.maximum(ranges[:, 1], lengths.max(axis=0))
        return replace(record, mean_A=total / len(frames), range_A=ranges)

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


def is_narrow(cells: FloatArray, atomic_numbers: IntArray) -> bool:
    """Return whether atoms may be bonded to several images of another.

    Parameters
    ----------
    cells
        Shape (n_frames, 3, 3), Å.
    atomic_numbers
        Shape (n_atoms,).
    """
    return half_width(cells) < longest_bond(atomic_numbers)


def _with_images(
    frames: FrameSet, pairs: IntArray, shared: tuple[SharedHydrogen, ...]
) -> tuple[IntArray, IntArray]:
    """Return each pair once for each image to which it is bonded in most frames, and which image that is."""
    numbers, cells = frames.atomic_numbers, frames.periodic_cells
    assert cells is not None
    further = pairs[~np.isin(pairs, [hydrogen.atom for hydrogen in shared]).any(axis=1)]
    bonds, image = [pairs], [np.zeros(len(pairs), np.int64)]
    while len(further):
        image.append(np.full(len(further), len(image)))
        reach = longest_bond(numbers)
        lengths = image_lengths(frames.positions, cells, further, image[-1], reach)
        are_bonds = bonded(numbers, further[:, 0], further[:, 1], lengths).mean(axis=0) > 0.5
        further, image[-1] = further[are_bonds], image[-1][are_bonds]
        bonds.append(further)
    every, of_image = np.concatenate(bonds), np.concatenate(image)
    order = np.lexsort((of_image, every[:, 1], every[:, 0]))
    return every[order], of_image[order]


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
