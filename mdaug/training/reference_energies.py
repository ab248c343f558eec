"""What is taken off the energies before training, and the unit of what is left."""

import numpy as np

from mdaug.frames import FrameSet
from mdaug.units import EV_PER_KCAL_MOL


def reference_energies(frames: FrameSet, atomic_numbers: list[int], kind: str) -> list[float]:
    """Energies (eV) an element, in the order of `atomic_numbers`, that fit the mean energy of the frames.

    All frames share one composition, so least squares an element and the mean an atom have the same total;
    the former is the minimum-norm solution, weighted by how often an element occurs.
    """
    counts = np.array([(frames.atomic_numbers == z).sum() for z in atomic_numbers], dtype=float)
    mean = float(frames.energies.mean())
    if kind == "element":
        return list(mean * counts / (counts @ counts))
    return [mean / frames.n_atoms] * len(atomic_numbers)


def energy_scale(frames: FrameSet, kind: str) -> float:
    """Unit (eV) of the network's output."""
    if kind == "forces":
        return float(np.sqrt(np.mean(frames.forces**2))) or 1.0
    return EV_PER_KCAL_MOL if kind == "kcal/mol" else 1.0
