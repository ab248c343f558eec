import numpy as np
import pytest

from mdaug.quantum.geometry_hash import point_key
from mdaug.quantum.level import Level


@pytest.fixture
def bent(ethanol):
    """Ethanol without any symmetry."""
    ethanol.positions += np.random.default_rng(0).normal(scale=0.05, size=(9, 3))
    return ethanol


def test_turned_moved_mirrored_and_exchanged_molecules_are_one(bent):
    other = bent.copy()
    other.rotate(73, (1, 2, 3))
    other.translate((4, 5, 6))
    other.positions[:, 0] *= -1
    other = other[[0, 1, 2, 3, 5, 4, 8, 6, 7]]
    assert point_key(other, Level(), "restricted") == point_key(bent, Level(), "restricted")


def test_bonds_that_the_mirror_exchanges_are_one(ethanol):
    stretched = []
    for hydrogen in (4, 5):
        atoms = ethanol.copy()
        atoms.positions[hydrogen] += 0.3 * (atoms.positions[hydrogen] - atoms.positions[1])
        stretched.append(point_key(atoms, Level(), "restricted"))
    assert stretched[0] == stretched[1] != point_key(ethanol, Level(), "restricted")


def test_everything_that_changes_an_energy_changes_the_key(bent):
    moved = bent.copy()
    moved.positions[3, 0] += 1e-4
    swapped = bent.copy()
    swapped.positions[[2, 3]] = swapped.positions[[3, 2]]
    levels = [
        Level(),
        Level(method="mp2"),
        Level(basis="cc-pVDZ"),
        Level(correction_basis="sto-3g"),
        Level(frozen_core=False),
        Level(charge=1),
        Level(multiplicity=3),
    ]
    keys = [point_key(bent, level, "restricted") for level in levels]
    keys += [point_key(atoms, Level(), "restricted") for atoms in (moved, swapped)]
    keys.append(point_key(bent, Level(), "unrestricted"))
    assert len(set(keys)) == len(keys)


def test_capitals_do_not_matter(bent):
    keys = {point_key(bent, Level(method=m, basis=b), "restricted") for m, b in [("MP2", "CC-PVDZ")] * 2}
    keys.add(point_key(bent, Level(method="mp2", basis="cc-pVDZ"), "restricted"))
    assert len(keys) == 1


def test_with_forces_the_orientation_counts(bent):
    level = Level(method="mp2", forces=True)
    turned = bent.copy()
    turned.rotate(10, "z")
    keys = {point_key(atoms, level, "restricted") for atoms in (bent, bent.copy(), turned)}
    assert len(keys) == 2
