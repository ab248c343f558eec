"""Stiffness of bonds from the variance of their lengths and from forces, which agree for consistent frames.

    python benchmarks/bond_stiffness.py FRAMES … [--temperature 500] [--units kcal/mol] [--badger]

By spread k = k_B T / σ²; by forces −k is the slope of the force along the bond (reduced mass, as of a
diatomic) against its length. With --badger: the stiffness by which `mdaug check` judges the unit of forces,
relative to Badger's rule, and the temperature of the bonds.
"""

import argparse

import numpy as np
from ase import Atoms
from ase.data import atomic_masses

from mdaug.data import load_frames
from mdaug.data.load import read_frames
from mdaug.data.verification.bond_stiffness import bond_stiffness
from mdaug.data.verification.temperature import bond_temperature
from mdaug.data.verification.unit_inference import STIFFNESS_FACTOR
from mdaug.frames import FrameSet
from mdaug.geometry.bonds import find_bonds
from mdaug.units import BOLTZMANN_EV_K, KCAL_MOL_PER_EV


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="+")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--units")
    parser.add_argument("--badger", action="store_true")
    given = parser.parse_args()
    if given.badger:
        print_badger(given.frames, given.units, given.temperature)
        return
    print("| frames | bond | k by spread | k by forces (kcal/mol/Å²) |\n" + "|---" * 4 + "|")
    for source in given.frames:
        frames = load_frames(source, units=given.units, temperature_K=given.temperature)
        first = Atoms(frames.atomic_numbers, frames.positions[0])
        for i, j in find_bonds(first).tolist():
            name = f"{first.symbols[i]}{i}-{first.symbols[j]}{j}"
            spread, forces = stiffness(frames, i, j)
            print(f"| {frames.name} | {name} | {spread:.0f} | {forces:.0f} |")


def print_badger(sources: list[str], units: str | None, temperature_K: float | None) -> None:
    """Print the median, smallest and largest measured over expected stiffness of each set."""
    limits = f"{1 / STIFFNESS_FACTOR:g} to {STIFFNESS_FACTOR:g}"
    print(
        f"| frames | k/k_Badger, median (range); allowed {limits} | bonds vibrate at | stated |\n"
        + "|---" * 4
        + "|"
    )
    for source in sources:
        frames = read_frames(source, units=units, temperature_K=temperature_K).frames
        bonds, measured = bond_stiffness(frames), bond_temperature(frames)
        of_bonds = of_heat = "–"
        if bonds is not None:
            ratio = bonds.measured / bonds.expected
            of_bonds = f"{bonds.factor:.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        if measured is not None:
            of_heat = f"{measured[0]:.0f} ± {measured[1]:.0f} K"
        stated = "–" if frames.temperature_K is None else f"{frames.temperature_K:g} K"
        print(f"| {source} | {of_bonds} | {of_heat} | {stated} |")


def stiffness(frames: FrameSet, i: int, j: int) -> tuple[float, float]:
    """Return k by spread and k by forces, kcal/mol/Å², of the bond of atoms i and j."""
    bond = frames.positions[:, j] - frames.positions[:, i]
    d = np.linalg.norm(bond, axis=1)
    along = bond / d[:, None]
    m_i, m_j = atomic_masses[frames.atomic_numbers[[i, j]]]
    pull = frames.forces[:, j] / m_j - frames.forces[:, i] / m_i
    force = np.sum(pull * along, axis=1) * m_i * m_j / (m_i + m_j)
    by_spread = BOLTZMANN_EV_K * frames.temperature_K / d.var()
    return by_spread * KCAL_MOL_PER_EV, -np.polyfit(d, force, 1)[0] * KCAL_MOL_PER_EV


if __name__ == "__main__":
    main()
