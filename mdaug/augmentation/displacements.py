"""Which atoms of which frames are displaced, and by what."""

from dataclasses import dataclass

import numpy as np

from mdaug.augmentation.options import AugmentOptions, Draw
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.molecules import frame_molecules
from mdaug.geometry.pairs import pair_lengths
from mdaug.springs.distances import blocks, element_pairs, pair_distances, pair_vectors

ATTEMPTS = 1000
"""Draws of a frame's displacements before the guard gives up."""

CONTACT = 0.85
"""Atoms of different molecules come no closer than this times the shortest distance of such atoms."""


@dataclass(frozen=True)
class Displacements:
    """Frames with the displacements of their atoms and the pairs that feel them.

    Parameters
    ----------
    parents
        The frames that are displaced, n_frames of them.
    displacements
        Δr, shape (n_frames, n_atoms, 3), Å; zero for atoms that stay.
    idx_i, idx_j
        Atom pairs, shape (n_pairs,).
    vectors
        r_ij = r_j − r_i in the parents, shape (n_frames, n_pairs, 3), Å; the same image of j is kept.
    """

    parents: FrameSet
    displacements: FloatArray
    idx_i: IntArray
    idx_j: IntArray
    vectors: FloatArray

    @classmethod
    def of(cls, parents: FrameSet, displacements: FloatArray, cutoff: float) -> "Displacements":
        """Return `displacements` with the pairs of `parents`; those of a cell within `cutoff` (Å)."""
        idx_i, idx_j, _ = element_pairs(parents.atomic_numbers)
        return cls(parents, displacements, idx_i, idx_j, pair_vectors(parents, idx_i, idx_j, cutoff))

    @property
    def displaced_vectors(self) -> FloatArray:
        """r'_ij = r_ij + Δr_j − Δr_i, shape (n_frames, n_pairs, 3), Å."""
        return self.vectors + self.displacements[:, self.idx_j] - self.displacements[:, self.idx_i]


def draw_parents(n_frames: int, options: AugmentOptions, rng: np.random.Generator) -> IntArray:
    """Return the indices of the frames to displace.

    Raises
    ------
    DataError
        If more are asked for than there are, without replacement.
    """
    if not options.replacement and options.n_frames > n_frames:
        raise DataError(
            f"{options.n_frames} augmented frames were asked for, but there are only {n_frames} to draw "
            "from; ask for fewer (--n-frames), or draw with replacement (--replacement)"
        )
    return rng.choice(n_frames, options.n_frames, replace=options.replacement)


def draw_displacements(
    n_frames: int, n_atoms: int, options: AugmentOptions, rng: np.random.Generator
) -> FloatArray:
    """Displace `n_displaced` random atoms (0: all) of each frame by independent random vectors, 0 < |Δr| ≤ ε.

    Returns
    -------
    Shape (n_frames, n_atoms, 3), Å.
    """
    chosen = rng.permuted(np.tile(np.arange(n_atoms), (n_frames, 1)), axis=1)
    chosen = chosen[:, : options.n_displaced or n_atoms]
    displacements = np.zeros((n_frames, n_atoms, 3))
    vectors = random_vectors(chosen.shape, options.epsilon, options.draw, rng)
    np.put_along_axis(displacements, chosen[..., None], vectors, axis=1)
    return displacements


def random_vectors(
    shape: tuple[int, ...], longest: float, draw: Draw, rng: np.random.Generator
) -> FloatArray:
    """Return vectors (*shape, 3) of lengths in (0, longest], distributed as `draw` says."""
    directions = rng.standard_normal((*shape, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    fractions = 1.0 - rng.random((*shape, 1))  # uniform in (0, 1]
    if draw == "ball":
        fractions = np.cbrt(fractions)
    vectors: FloatArray = longest * fractions * directions
    return vectors


def displace(
    parents: FrameSet,
    shortest: dict[str, float],
    options: AugmentOptions,
    rng: np.random.Generator,
    contacts: FloatArray | None = None,
) -> Displacements:
    """Draw displacements of `parents`, again where atoms would come too close.

    Parameters
    ----------
    shortest
        Least distance (Å) allowed to each element pair; empty for no limit.
    contacts
        From `least_contacts`.

    Raises
    ------
    DataError
        If there are fewer atoms than are to be displaced, or no allowed displacement is found.
    """
    if options.n_displaced > parents.n_atoms:
        raise DataError(
            f"{parents.name}: {options.n_displaced} atoms were to be displaced, but the frames have "
            f"{parents.n_atoms}; ask for at most that many (--n-displaced)"
        )
    idx_i, idx_j, members = element_pairs(parents.atomic_numbers)
    vectors = pair_vectors(parents, idx_i, idx_j, options.cutoff)
    least = np.zeros(len(idx_i))
    for name, limit in shortest.items():
        least[members[name]] = limit
    if contacts is not None:
        least = np.maximum(least, contacts)
    displacements = np.zeros_like(parents.positions)
    redo = np.arange(len(parents))
    for _ in range(ATTEMPTS):
        drawn = draw_displacements(len(redo), parents.n_atoms, options, rng)
        displacements[redo] = drawn
        change = drawn[:, idx_j] - drawn[:, idx_i]
        too_close = np.linalg.norm(vectors[redo] + change, axis=-1) < least
        failed = too_close.any(axis=1)
        if not failed.any():
            return Displacements(parents, displacements, idx_i, idx_j, vectors)
        redo = redo[failed]
    pair = too_close[failed][0].argmax()
    n_displaced = options.n_displaced or parents.n_atoms
    raise DataError(
        f"{parents.name}: in {ATTEMPTS} draws no displacement of {n_displaced} atoms by up to "
        f"{options.epsilon} Å kept atoms {idx_i[pair]} and {idx_j[pair]} {least[pair]:.3f} Å apart; take a "
        "smaller --epsilon, --n-displaced or --min-distance-fraction (0 allows any distance)"
    )


def least_contacts(frames: FrameSet) -> FloatArray | None:
    """Return the least distance (Å) allowed to each pair of atoms of different molecules, 0 to others.

    Shape (n_pairs,), in the order of `Displacements`; None for one molecule (a crystal is one, too).
    """
    molecule = frame_molecules(frames)
    if not molecule.any():
        return None
    idx_i, idx_j, members = element_pairs(frames.atomic_numbers)
    closest = np.full(len(idx_i), np.inf)
    for block in blocks(len(frames), len(idx_i)):
        part = frames.select(block)
        lengths = pair_lengths(part.positions, part.periodic_cells, idx_i, idx_j)
        closest = np.minimum(closest, lengths.min(axis=0))
    least, apart = np.zeros(len(idx_i)), molecule[idx_i] != molecule[idx_j]
    for index in members.values():
        between = index[apart[index]]
        least[between] = CONTACT * closest[between].min(initial=np.inf)
    return least


def shortest_distances(frames: FrameSet, options: AugmentOptions) -> dict[str, float]:
    """Return the least distance (Å) that the guard allows to each element pair; empty if it is off."""
    if options.min_distance_fraction == 0:
        return {}
    samples = pair_distances(frames, options.cutoff)
    return {name: options.min_distance_fraction * float(d.min()) for name, (d, _) in samples.items()}
