"""Small molecules whose energies take milliseconds."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule


@pytest.fixture
def water() -> Atoms:
    """O0, H1, H2, mirror-symmetric."""
    return molecule("H2O")


@pytest.fixture
def ethanol() -> Atoms:
    """ASE's anti ethanol, Cs: C0 (methyl), C1, O2, H3 (hydroxyl), H4 H5 on C1, H6 H7 H8 on C0."""
    return molecule("CH3CH2OH")


@pytest.fixture
def hydrogen():
    """Return H2 at a distance in Å."""
    return lambda distance: Atoms("H2", np.array([[0, 0, 0], [0, 0, distance]], float))
