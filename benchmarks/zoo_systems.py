"""The 24 systems of zoo.py: structures, temperatures, and the halves for development and held aside."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.optimize import FIRE

from mdaug.quantum.calculators import calculator_factory


@dataclass(frozen=True, kw_only=True)
class System:
    """One system: structure, what it is in the zoo for, and options of `mdaug frames` that differ."""

    structure: str
    shows: str
    temperature: float = 500.0
    multiplicity: int = 1
    calculator: str = "GFN2-xTB"
    sampling: dict[str, float] = field(default_factory=dict)


SAMPLING = {"n_frames": 300, "n_replicas": 8, "spacing": 25.0, "equilibration": 0.5}
"""Options of `mdaug frames` of every system, unless it has its own."""

SLOW = {"n_frames": 100, "n_replicas": 1, "spacing": 5.0, "equilibration": 0.25}
"""Options where a step of MD takes half a second (cells): fewer frames of a shorter time."""

SYSTEMS = {
    "acetate": System(structure="CC(=O)[O-]", shows="an anion"),
    "acetylene": System(structure="C#C", shows="a triple bond, a linear molecule"),
    "alanine-dipeptide": System(structure="CC(=O)NC(C)C(=O)NC", shows="22 atoms"),
    "alanine-tetrapeptide": System(
        structure="CC(=O)N[C@@H](C)C(=O)N[C@@H](C)C(=O)N[C@@H](C)C(=O)NC",
        shows="42 atoms",
        sampling={"n_frames": 200, "n_replicas": 2, "spacing": 10.0, "equilibration": 0.25},
    ),
    "allene": System(structure="C=C=C", shows="a cumulene"),
    "bromoiodomethane": System(structure="BrCI", shows="Br, I"),
    "cyclopropane": System(structure="C1CC1", shows="a ring of 3"),
    "disiloxane": System(structure="[SiH3]O[SiH3]", shows="Si"),
    "ethyl-radical": System(structure="C[CH2]", shows="a radical", multiplicity=2),
    "fluorobenzene": System(structure="Fc1ccccc1", shows="F, an aromatic ring of 6"),
    "formic-acid-dimer": System(structure="OC=O.OC=O", shows="a hydrogen-bonded dimer", temperature=300.0),
    "glycine-betaine": System(structure="C[N+](C)(C)CC(=O)[O-]", shows="a zwitterion", temperature=300.0),
    "hydrogen-chloride": System(structure="Cl", shows="Cl, two atoms"),
    "hydrogen-diformate": System(
        structure="[O-]C=O.OC=O", shows="a shared proton, an anion", temperature=300.0
    ),
    "methylammonium": System(structure="C[NH3+]", shows="a cation"),
    "methylboronic-acid": System(structure="CB(O)O", shows="B"),
    "nickel-tetracarbonyl": System(structure="structure", shows="a metal complex"),
    "nitromethane": System(structure="C[N+](=O)[O-]", shows="a nitro group"),
    "oxetane": System(structure="C1COC1", shows="a ring of 4"),
    "protonated-water-dimer": System(
        structure="[OH3+].O", shows="a shared proton, a cation", temperature=300.0
    ),
    "sodium-chloride": System(
        structure="structure",
        shows="a crystal",
        temperature=300.0,
        calculator="GFN1-xTB",
        sampling=SLOW | {"timestep": 2.0, "spacing": 20.0, "equilibration": 0.5},
    ),
    "thiophene": System(structure="c1ccsc1", shows="S, an aromatic ring of 5"),
    "trimethylphosphine-oxide": System(structure="CP(C)(C)=O", shows="P"),
    "water-box": System(
        structure="structure",
        shows="a liquid",
        temperature=300.0,
        calculator="GFN1-xTB",
        sampling=SLOW,
    ),
}
"""Name -> system, in alphabetical order. Cells have GFN1-xTB: a step of GFN2-xTB takes
seven times as long in the liquid, and its SCF does not converge in the crystal."""

BY_COST = ("sodium-chloride", "water-box", "alanine-tetrapeptide")
"""What takes longest, last."""


def tuning(name: str) -> bool:
    """Return whether a system may be looked at while the method is changed: the 2nd, 4th, … of the names."""
    return sorted(SYSTEMS).index(name) % 2 == 1


def ordered(names: list[str] | None = None) -> list[str]:
    """Return names, the systems for tuning first, and of either half what takes longest last."""
    chosen = names or list(SYSTEMS)
    return sorted(chosen, key=lambda name: (name in BY_COST, not tuning(name), sorted(SYSTEMS).index(name)))


def structure_of(name: str, folder: Path) -> str:
    """Return what `mdaug frames` is to start from: a SMILES string, or a file that is written first."""
    if SYSTEMS[name].structure != "structure":
        return SYSTEMS[name].structure
    path = folder / "structure.xyz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make = {
            "nickel-tetracarbonyl": nickel_tetracarbonyl,
            "sodium-chloride": sodium_chloride,
            "water-box": water_box,
        }
        write(path, make[name](), format="extxyz")
    return str(path)


def nickel_tetracarbonyl() -> Atoms:
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    positions = np.concatenate([np.zeros((1, 3)), 1.83 * corners, 2.97 * corners])
    return relaxed(Atoms("NiC4O4", positions), "GFN2-xTB")


def sodium_chloride() -> Atoms:
    """Return 8 ions in the cell of the experiment."""
    return bulk("NaCl", "rocksalt", a=5.64, cubic=True)


def water_box(width_A: float = 8.05, n_molecules: int = 17, seed: int = 0) -> Atoms:
    """Return waters at the density of the liquid, on places of a grid, turned at random and relaxed."""
    rng, box = np.random.default_rng(seed), Atoms(cell=[width_A] * 3, pbc=True)
    for place in rng.permutation(27)[:n_molecules]:
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.standard_normal(3))
        one.positions += np.array([place // 9, place // 3 % 3, place % 3]) * width_A / 3
        box += one
    return relaxed(box, "GFN1-xTB", steps=60)


def relaxed(atoms: Atoms, method: str, steps: int = 200) -> Atoms:
    atoms.calc = calculator_factory(method)()
    FIRE(atoms, logfile=None).run(fmax=0.05, steps=steps)
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
