"""Elements of other atoms have bonds that they cannot have; no molecule of the G2 set has."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.collections import g2

from mdaug.data.verification.valences import valence_verdict
from mdaug.frames import FrameSet

ZUNDEL = Atoms(
    "OHOHHHH",
    [
        [-1.2, 0, 0],
        [0, 0, 0],
        [1.2, 0, 0],
        [-1.6, 0.8, 0.3],
        [-1.6, -0.8, 0.3],
        [1.6, 0.8, 0.3],
        [1.6, -0.8, 0.3],
    ],
)
BIFLUORIDE = Atoms("FHF", [[-1.14, 0, 0], [0, 0, 0], [1.14, 0, 0]])


def _frames(atoms: Atoms) -> FrameSet:
    forces = np.zeros((1, len(atoms), 3))
    cells = np.array(atoms.cell)[None] if atoms.pbc.any() else None
    x, y, z = (bool(periodic) for periodic in atoms.pbc)
    return FrameSet(atoms.numbers, atoms.positions[None], np.zeros(1), forces, cells=cells, pbc=(x, y, z))


@pytest.mark.parametrize(
    "atoms",
    [
        *(molecule(name) for name in g2.names),
        ZUNDEL,
        BIFLUORIDE,
        bulk("C", cubic=True),
        bulk("Si", cubic=True),
    ],
    ids=lambda atoms: str(atoms.symbols),
)
def test_molecules_have_possible_bonds(atoms: Atoms) -> None:
    assert valence_verdict(_frames(atoms)).verdict in ("ok", "cannot tell")


@pytest.mark.parametrize(
    ("name", "wrong", "atom"),
    [("H2O", "HOO", "H0 has 2"), ("CH4", "HCCCC", "H0 has 4"), ("CH3OH", "OCHHHH", "O0 has 4")],
)
def test_elements_of_other_atoms_are_named(name: str, wrong: str, atom: str) -> None:
    verdict = valence_verdict(_frames(Atoms(wrong, molecule(name).positions)))
    assert verdict.verdict == "warning"
    assert atom in verdict.text and "type_map.raw" in verdict.text
