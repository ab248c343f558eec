"""Labels from springs: energies and forces of displaced frames, one function per rule.

With the springs k_ij read at the parent's distance and held, and s_ij = d'_ij − d_ij (signed):

- isotropic   ΔE = Σ_i Σ_{j≠i} ½ k_ij |Δr_i|² over the displaced i      F'_i = F_i − Σ_j k_ij Δr_i
- projected   ΔE = Σ_{i<j} ½ k_ij s_ij²                                 F' = F − ∂ΔE/∂Δr
- gradient    ΔE = −Σ_i F_i·Δr_i + Σ_{i<j} ½ k_ij s_ij²                 F' = −∂ΔE/∂Δr
- signed      ΔE = Σ_i σ_i Σ_{j≠i} ½ k_ij |Δr_i|²                       F'_i = F_i − σ_i Σ_j k_ij Δr_i
  with σ_i = −1 where F_i·Δr_i > 0, else 1

docs/theory.md compares their errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mdaug.augmentation.displacements import Displacements
from mdaug.frames import FloatArray
from mdaug.springs.distances import element_pairs
from mdaug.springs.springs import LookupRule, Springs


@dataclass(frozen=True)
class Labels:
    """Labels of displaced frames.

    Parameters
    ----------
    energy_change
        ΔE against the parent, eV, shape (n_frames,).
    forces
        F', eV/Å, shape (n_frames, n_atoms, 3).
    force_error
        Expected rms error of a force component, eV/Å, shape (n_frames,); None where the rule has no estimate.
    """

    energy_change: FloatArray
    forces: FloatArray
    force_error: FloatArray | None = None


SpringRule = Callable[[Displacements, FloatArray], Labels]
"""Takes the displaced frames and k_ij (eV/Å², shape (n_frames, n_pairs))."""


def read_springs(displaced: Displacements, springs: Springs, rule: LookupRule, cutoff: float) -> FloatArray:
    """Return k_ij at the parents' distances, eV/Å², shape (n_frames, n_pairs); 0 beyond a cell's cutoff.

    Parameters
    ----------
    displaced
        Frames with displacements.
    springs
        Springs of all their element pairs.
    rule
        How a spring is chosen by distance.
    cutoff
        Longest pair of periodic frames that has a spring, Å.
    """
    parents = displaced.parents
    d = np.linalg.norm(displaced.vectors, axis=-1)
    within = d <= cutoff if parents.periodic else np.ones_like(d, dtype=bool)
    k = np.zeros_like(d)
    for name, members in element_pairs(parents.atomic_numbers)[2].items():
        if within[:, members].any():
            k[:, members] = springs.lookup(name, d[:, members], rule)
    return np.where(within, k, 0.0)


def isotropic(displaced: Displacements, k: FloatArray) -> Labels:
    """Return labels as published: all springs of a displaced atom push it back, whatever the direction.

    A pair with both ends displaced counts once for each end. The forces do not add up to zero.

    Parameters
    ----------
    displaced
        Frames with displacements.
    k
        k_ij, eV/Å², shape (n_frames, n_pairs).
    """
    total = k @ _incidence(displaced, sign=1.0)  # K_i = Σ_j k_ij, (n_frames, n_atoms)
    squared = np.sum(displaced.displacements**2, axis=-1)
    restoring = total[..., None] * displaced.displacements
    return Labels(0.5 * np.sum(total * squared, axis=-1), displaced.parents.forces - restoring)


def projected(displaced: Displacements, k: FloatArray) -> Labels:
    """Return labels from the change of pair distances; the energy leaves out the parent's own slope.

    Parameters
    ----------
    displaced
        Frames with displacements.
    k
        k_ij, eV/Å², shape (n_frames, n_pairs).
    """
    energy, slope = _spring_energy(displaced, k)
    return Labels(energy, displaced.parents.forces - slope)


def gradient(displaced: Displacements, k: FloatArray) -> Labels:
    """Return labels from the parent's slope and the change of pair distances; forces are the exact gradient.

    Parameters
    ----------
    displaced
        Frames with displacements.
    k
        k_ij, eV/Å², shape (n_frames, n_pairs).
    """
    energy, slope = _spring_energy(displaced, k)
    forces = displaced.parents.forces
    work = np.sum(forces * displaced.displacements, axis=(1, 2))
    return Labels(energy - work, forces - slope)


def signed(displaced: Displacements, k: FloatArray) -> Labels:
    """Return labels as the paper's Discussion proposes: downhill the springs lower the energy.

    An atom displaced along its force counts negative. The energy has a kink where a displacement is at right
    angles to the force.

    Parameters
    ----------
    displaced
        Frames with displacements.
    k
        k_ij, eV/Å², shape (n_frames, n_pairs).
    """
    total = k @ _incidence(displaced, sign=1.0)
    forces, shift = displaced.parents.forces, displaced.displacements
    sign = np.where(np.sum(forces * shift, axis=-1) > 0, -1.0, 1.0)
    energy = 0.5 * np.sum(sign * total * np.sum(shift**2, axis=-1), axis=-1)
    return Labels(energy, forces - (sign * total)[..., None] * shift)


SPRING_RULES: MappingProxyType[str, SpringRule] = MappingProxyType(
    {"isotropic": isotropic, "projected": projected, "gradient": gradient, "signed": signed}
)


def _spring_energy(displaced: Displacements, k: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Σ ½ k (d' − d)² and its derivative with respect to the displacements."""
    d = np.linalg.norm(displaced.vectors, axis=-1)
    vectors = displaced.displaced_vectors
    d_new = np.linalg.norm(vectors, axis=-1)
    stretch = d_new - d
    pull = (k * stretch / d_new)[..., None] * vectors  # k s r'_ij/d'_ij, on j; its opposite on i
    slope = np.einsum("fpx,pa->fax", pull, _incidence(displaced, sign=-1.0), optimize=True)
    return 0.5 * np.sum(k * stretch**2, axis=-1), slope


def _incidence(displaced: Displacements, *, sign: float) -> FloatArray:
    """Return the matrix (n_pairs, n_atoms) with 1 at j and `sign` at i of each pair."""
    pairs = np.arange(len(displaced.idx_i))
    matrix = np.zeros((len(pairs), displaced.parents.n_atoms))
    matrix[pairs, displaced.idx_j] = 1.0
    matrix[pairs, displaced.idx_i] = sign
    return matrix
