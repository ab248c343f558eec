"""Random displacements of atoms, with a guard against close contacts."""

from dataclasses import dataclass

import numpy as np

from mdaug.augmentation.options import AugmentOptions, Draw
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.molecules import frame_molecules
from mdaug.geometry.pairs import pair_lengths
from mdaug.springs.distances import blocks, element_pairs, pair_distances, pair_vectors

ATTEMPTS = 1000
"""Draws of a frame's displacements before an error."""

CONTACT = 0.85
"""Least distance of atoms of different molecules, in shortest distances of their element pair in the
frames."""


@dataclass(frozen=True)
class Displacements:
    """Frames with displacements of their atoms, and the pairs of atoms.

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
        """Return displacements with the pairs of atoms of `parents`.

        Parameters
        ----------
        parents
            The frames that are displaced.
        displacements
            Δr, shape (n_frames, n_atoms, 3), Å.
        cutoff
            Longest pair of periodic frames, Å.
        """
        idx_i, idx_j, _ = element_pairs(parents.atomic_numbers)
        return cls(parents, displacements, idx_i, idx_j, pair_vectors(parents, idx_i, idx_j, cutoff))

    @property
    def displaced_vectors(self) -> FloatArray:
        """r'_ij = r_ij + Δr_j − Δr_i, shape (n_frames, n_pairs, 3), Å."""
        return self.vectors + self.displacements[:, self.idx_j] - self.displacements[:, self.idx_i]


def draw_parents(n_frames: int, options: AugmentOptions, rng: np.random.Generator) -> IntArray:
    """Return the indices of the frames to displace, shape (options.n_frames,).

    Parameters
    ----------
    n_frames
        Number of frames to draw from.
    options
        Number of draws, with or without replacement.
    rng
        Random numbers.

    Raises
    ------
    DataError
        If `options` want more frames than there are, without replacement.
    """
    n_drawn = options.n_frames or 0
    if not options.replacement and n_drawn > n_frames:
        raise DataError(
            f"{n_drawn} augmented frames without replacement, but there are {n_frames} frames to "
            "draw from; give a lower --n-frames, or draw with replacement (--replacement)"
        )
    return rng.choice(n_frames, n_drawn, replace=options.replacement)


def draw_displacements(
    n_frames: int, n_atoms: int, options: AugmentOptions, rng: np.random.Generator
) -> FloatArray:
    """Displace `n_displaced` random atoms (0: all) of each frame by random vectors, 0 < |Δr| ≤ ε.

    Parameters
    ----------
    n_frames, n_atoms
        Number of frames, and of atoms in each.
    options
        ε, `n_displaced` and the distribution of the vectors.
    rng
        Random numbers.

    Returns
    -------
    FloatArray
        Δr, Å, shape (n_frames, n_atoms, 3).
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
    """Return random vectors of lengths in (0, longest], shape (*shape, 3).

    Parameters
    ----------
    shape
        Shape of the array of vectors.
    longest
        Longest length.
    draw
        ``shell``: uniform in direction and in length; ``ball``: uniform in the ball.
    rng
        Random numbers.
    """
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
    """Draw displacements of `parents`, again where atoms come too close.

    Parameters
    ----------
    parents
        The frames to displace.
    shortest
        Least distance (Å) of each element pair; empty for no limit.
    options
        Number of displaced atoms, their longest displacement and its distribution.
    rng
        Random numbers.
    contacts
        Least distances of atoms of different molecules, from `least_contacts`; None for one molecule.

    Raises
    ------
    DataError
        If the frames have fewer atoms than `options.n_displaced`, or no allowed displacement is found.
    """
    if options.n_displaced > parents.n_atoms:
        raise DataError(
            f"{parents.name}: --n-displaced is {options.n_displaced}, but the frames have "
            f"{parents.n_atoms} atoms; expected at most that many"
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
    """Return the least distances of atoms of different molecules, Å, shape (n_pairs,); None for one molecule.

    0 for pairs of one molecule; in the order of the pairs of `Displacements`. A crystal is one molecule.

    Parameters
    ----------
    frames
        Frames of the same molecules.
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
    least, different = np.zeros(len(idx_i)), molecule[idx_i] != molecule[idx_j]
    for index in members.values():
        between = index[different[index]]
        least[between] = CONTACT * closest[between].min(initial=np.inf)
    return least


def shortest_distances(frames: FrameSet, options: AugmentOptions) -> dict[str, float]:
    """Return the least distance (Å) of each element pair; empty without limit.

    Parameters
    ----------
    frames
        Frames whose shortest distances are taken.
    options
        `min_distance_fraction`, and the `cutoff` of periodic frames.
    """
    if options.min_distance_fraction == 0:
        return {}
    samples = pair_distances(frames, options.cutoff)
    return {name: options.min_distance_fraction * float(d.min()) for name, (d, _) in samples.items()}
