"""Frames of hundreds of small molecules by GFN2-xTB, for the table of many molecules in docs/data.md.

`python benchmarks/many_molecules.py many.xyz --molecules 420`: closed shells of ASE's G2 set, and these with
a hydrogen replaced; 4 to 12 frames of each from Langevin dynamics at 450 K, in random order.
"""

import argparse
from pathlib import Path

import networkx as nx
import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.collections import g2
from ase.data import covalent_radii
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from tblite.ase import TBLite

TEMPERATURE_K = 450.0
ELEMENTS = {"H", "C", "N", "O", "F", "S", "Cl"}
GROUPS = {
    "F": (1.35, 0, 0.0),
    "Cl": (1.75, 0, 0.0),
    "O": (1.42, 1, 0.96),
    "N": (1.45, 2, 1.0),
    "C": (1.5, 3, 1.09),
    "S": (1.8, 1, 1.34),
}
"""First atom of a group that replaces a hydrogen: its distance, its number of hydrogens, and theirs (Å)."""


def adjacency(atoms: Atoms) -> np.ndarray:
    """Return which atoms are bonded, (n_atoms, n_atoms)."""
    distances, radii = atoms.get_all_distances(), covalent_radii[atoms.numbers]
    return (distances < 1.25 * (radii[:, None] + radii)) & (distances > 0.1)


def key(atoms: Atoms) -> tuple[str, str]:
    """Return what atoms of one molecule have in common: composition and hash of the bond graph."""
    graph = nx.from_numpy_array(adjacency(atoms).astype(int))
    nx.set_node_attributes(graph, {n: str(z) for n, z in enumerate(atoms.numbers)}, "z")
    return atoms.get_chemical_formula(), nx.weisfeiler_lehman_graph_hash(graph, node_attr="z", iterations=4)


def substituted(atoms: Atoms, hydrogen: int, symbol: str, rng: np.random.Generator) -> Atoms:
    """Return a molecule with a group in place of a hydrogen."""
    length, n_hydrogens, of_hydrogens = GROUPS[symbol]
    heavy = atoms.positions[np.flatnonzero(adjacency(atoms)[hydrogen])[0]]
    axis = (atoms.positions[hydrogen] - heavy) / np.linalg.norm(atoms.positions[hydrogen] - heavy)
    across = np.cross(axis, rng.normal(size=3))
    across /= np.linalg.norm(across)
    new, center = atoms.copy(), heavy + length * axis
    del new[hydrogen]
    new += Atoms(symbol, positions=[center])
    for angle in 2 * np.pi * np.arange(n_hydrogens) / 3:
        ring = np.cos(angle) * across + np.sin(angle) * np.cross(axis, across)
        new += Atoms("H", positions=[center + of_hydrogens * (0.34 * axis + 0.94 * ring)])
    return new


def candidates(rng: np.random.Generator) -> list[Atoms]:
    """Return the molecules, and those with a group in place of one hydrogen of each kind."""
    bases = [molecule(name) for name in g2.names]
    bases = [
        atoms
        for atoms in bases
        if set(atoms.symbols) <= ELEMENTS and 3 <= len(atoms) <= 14
        if not atoms.get_initial_magnetic_moments().any() and sum(atoms.numbers) % 2 == 0
    ]
    varied = []
    for atoms in bases:
        bonds, seen = adjacency(atoms), set()
        for hydrogen in np.flatnonzero(atoms.numbers == 1):
            for heavy in np.flatnonzero(bonds[hydrogen])[:1]:
                kind = atoms.numbers[heavy], tuple(sorted(atoms.numbers[bonds[heavy]]))
                if kind not in seen and atoms.numbers[heavy] != 1:
                    seen.add(kind)
                    groups = GROUPS if atoms.numbers[heavy] == 6 else ("C",)
                    varied += [substituted(atoms, int(hydrogen), symbol, rng) for symbol in groups]
    return bases + varied


def sampled(atoms: Atoms, rng: np.random.Generator) -> list[Atoms]:
    """Return labeled frames of a relaxed molecule; none if it breaks."""
    of_molecule = key(atoms)
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE_K, rng=rng)
    dynamics = Langevin(atoms, 1.0 * units.fs, temperature_K=TEMPERATURE_K, friction=0.02 / units.fs, rng=rng)
    dynamics.run(60)
    frames = []
    for _ in range(rng.integers(4, 13)):
        dynamics.run(10)
        info = {"energy": atoms.get_potential_energy(), "temperature_K": TEMPERATURE_K}
        frames.append(Atoms(atoms.numbers, atoms.positions, info=info))
        frames[-1].arrays["forces"] = atoms.get_forces()
    return frames if key(frames[-1]) == of_molecule else []


def main() -> None:
    """Write the frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--molecules", type=int, default=420)
    given = parser.parse_args()
    rng, seen, frames = np.random.default_rng(1), set[tuple[str, str]](), list[Atoms]()
    for atoms in candidates(rng):
        if len(seen) == given.molecules:
            break
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        BFGS(atoms, logfile=None).run(fmax=0.1, steps=60)
        if key(atoms) in seen:
            continue
        own = sampled(atoms, rng)
        if own:
            seen.add(key(own[-1]))
            frames += own
    write(given.out, [frames[n] for n in rng.permutation(len(frames))], format="extxyz")
    print(f"{len(frames)} frames of {len(seen)} molecules")


if __name__ == "__main__":
    main()
