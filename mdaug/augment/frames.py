"""From frames and springs to augmented frames."""

from dataclasses import replace

import numpy as np

from mdaug.augment.displacements import Displacements, displace, draw_parents, shortest_distances
from mdaug.augment.labels import LABEL_RULES
from mdaug.augment.options import AugmentOptions
from mdaug.errors import DataError
from mdaug.frames.frame_set import FloatArray, FrameSet
from mdaug.springs.distances import blocks, element_pairs
from mdaug.springs.springs import LookupRule, Springs


def augment(frames: FrameSet, springs: Springs, options: AugmentOptions | None = None) -> FrameSet:
    """Displace atoms of randomly drawn frames and label the results.

    Parameters
    ----------
    frames
        The frames to draw from.
    springs
        Of all element pairs of `frames`.

    Returns
    -------
    FrameSet
        Labelled copies. ``info`` holds for each the index of its parent in `frames` (``parent``), the
        ``rule`` and the ``displacement`` Δr (n_atoms, 3) in Å. ``group`` is the parent's, so that a copy is
        never split from it; ``weights`` are the options'. Stresses are left out, as the rules
        do not give them.

    Raises
    ------
    DataError
        If the options ask for more frames or atoms than there are, springs are missing for an element pair,
        or atoms cannot be kept apart.
    """
    options = options or AugmentOptions()
    if len(frames) == 0:
        raise DataError(f"{frames.name}: no frames to augment; expected at least one")
    rng = np.random.default_rng(options.seed)
    parent = draw_parents(len(frames), options, rng)
    shortest = shortest_distances(frames, options)
    n_pairs = frames.n_atoms * (frames.n_atoms - 1) // 2
    parts = [
        _augment_block(frames.select(parent[block]), springs, shortest, options, rng)
        for block in blocks(len(parent), n_pairs)
    ]
    positions, energies, forces, displacements = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    return replace(
        frames.select(parent),
        positions=positions,
        energies=energies,
        forces=forces,
        stresses=None,
        weights=np.full(len(parent), options.weight),
        name=f"{frames.name}, augmented",
        info={"parent": parent, "rule": np.full(len(parent), options.rule), "displacement": displacements},
    )


def read_springs(displaced: Displacements, springs: Springs, rule: LookupRule, cutoff: float) -> FloatArray:
    """Return k_ij (eV/Å²) at the parents' distances, shape (n_frames, n_pairs); 0 beyond a cell's cutoff."""
    parents = displaced.parents
    d = np.linalg.norm(displaced.vectors, axis=-1)
    within = d <= cutoff if parents.periodic else np.ones_like(d, dtype=bool)
    k = np.zeros_like(d)
    for name, members in element_pairs(parents.atomic_numbers)[2].items():
        if within[:, members].any():
            k[:, members] = springs.lookup(name, d[:, members], rule)
    return np.where(within, k, 0.0)


def _augment_block(
    parents: FrameSet,
    springs: Springs,
    shortest: dict[str, float],
    options: AugmentOptions,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    displaced = displace(parents, shortest, options, rng)
    k = read_springs(displaced, springs, options.lookup, options.cutoff)
    labels = LABEL_RULES[options.rule](displaced, k)
    return (
        parents.positions + displaced.displacements,
        parents.energies + labels.energy_change,
        labels.forces,
        displaced.displacements,
    )
