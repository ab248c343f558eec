"""What every way of evaluating the model obeys: symmetries, exact derivatives, smoothness at the cutoff."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation


def test_rotations_and_reflections(potential, ethanol):
    energy, forces, strain = potential(ethanol)
    assert np.abs(forces).max() > 0.05  # something to turn
    turn = Rotation.random(random_state=1).as_matrix()
    for matrix in (turn, turn @ np.diag([1, 1, -1])):
        turned = Atoms(ethanol.numbers, ethanol.positions @ matrix.T)
        answer = potential(turned)
        assert answer.energy == pytest.approx(energy, abs=1e-11)
        np.testing.assert_allclose(answer.forces, forces @ matrix.T, atol=1e-12)
        np.testing.assert_allclose(answer.strain, matrix @ strain @ matrix.T, atol=1e-12)


def test_translations(potential, ethanol, crystal):
    for atoms in (ethanol, crystal):
        before = potential(atoms)
        moved = atoms.copy()
        moved.positions += [11.3, -7.1, 0.4]
        after = potential(moved)
        assert after.energy == pytest.approx(before.energy, abs=1e-11)
        np.testing.assert_allclose(after.forces, before.forces, atol=1e-12)
        np.testing.assert_allclose(before.forces.sum(axis=0), 0, atol=1e-13)


def test_permutations(potential, ethanol):
    order = np.random.default_rng(2).permutation(len(ethanol))
    before, after = potential(ethanol), potential(ethanol[order])
    assert after.energy == pytest.approx(before.energy, abs=1e-11)
    np.testing.assert_allclose(after.forces, before.forces[order], atol=1e-13)


def test_forces_are_the_numeric_gradient(potential, ethanol, crystal):
    h = 1e-4
    for atoms in (ethanol, crystal):
        forces = potential(atoms).forces
        for atom, axis in ((0, 0), (1, 1), (len(atoms) - 1, 2)):
            energies = []
            for step in (h, -h):
                moved = atoms.copy()
                moved.positions[atom, axis] += step
                energies.append(potential(moved).energy)
            assert forces[atom, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * h), abs=2e-6)


def test_strain_derivative_is_numeric(potential, ethanol, crystal):
    h = 1e-5
    for atoms in (ethanol, crystal):
        strain = potential(atoms).strain
        assert np.abs(strain).max() > 0.05
        for a, b in ((0, 0), (1, 2), (2, 1)):
            energies = []
            for step in (h, -h):
                stretched = atoms.copy()
                deformation = np.eye(3)
                deformation[a, b] += step
                stretched.set_cell(atoms.cell.array @ deformation.T)
                stretched.positions = atoms.positions @ deformation.T
                energies.append(potential(stretched).energy)
            assert strain[a, b] == pytest.approx((energies[0] - energies[1]) / (2 * h), abs=2e-6)


def test_pair_energy_vanishes_with_two_derivatives_at_the_cutoff(potential):
    """Near the cutoff the pair energy is ~ u³ with u = cutoff − d, so its force ~ u² and stiffness ~ u."""

    def dimer(u):
        return potential(Atoms("OH", [[0, 0, 0], [potential.cutoff - u, 0, 0]]))

    apart = dimer(-1.0).energy
    near, nearer = dimer(0.02), dimer(0.002)
    assert abs(near.energy - apart) > 1e-10
    assert (nearer.energy - apart) / (near.energy - apart) == pytest.approx(1e-3, rel=0.2)
    assert nearer.forces[1, 0] / near.forces[1, 0] == pytest.approx(1e-2, rel=0.2)

    def stiffness(u):
        return (dimer(u * 1.01).forces[1, 0] - dimer(u * 0.99).forces[1, 0]) / (0.02 * u)

    assert stiffness(0.002) / stiffness(0.02) == pytest.approx(0.1, rel=0.2)
    for u in (0.0, -1e-9, -0.5):
        assert dimer(u).energy == pytest.approx(apart, abs=1e-13)
        assert np.abs(dimer(u).forces).max() == 0


def test_smooth_where_three_atoms_are_in_line(potential):
    """Through the line the energy is even in the bend, so the force is zero there and grows linearly."""

    def pull(y):
        return potential(Atoms("OCO", [[-1.2, 0, 0], [0, y, 0], [1.2, 0, 0]])).forces[1]

    assert np.abs(pull(0.0)).max() < 1e-13
    for y in (1e-3, 1e-5):
        assert pull(y)[1] / y == pytest.approx(pull(2 * y)[1] / (2 * y), rel=1e-3)
        assert pull(-y)[1] == pytest.approx(-pull(y)[1], rel=1e-6)
    bent = Atoms("OCH", [[-1.2, 0, 0], [0, 0, 0], [1.1, 1e-12, 0]])
    assert np.isfinite(potential(bent).forces).all()


def test_isolated_atom(potential):
    alone = potential(Atoms("C"))
    np.testing.assert_array_equal(alone.forces, np.zeros((1, 3)))
    two = potential(Atoms("C2", [[0, 0, 0], [9, 0, 0]]))
    assert two.energy == pytest.approx(2 * alone.energy, abs=1e-11)
    beside = potential(molecule("H2O") + Atoms("C", [[20, 0, 0]]))
    assert beside.energy == pytest.approx(potential(molecule("H2O")).energy + alone.energy, abs=1e-11)


def test_batch_equals_single(potential, ethanol, crystal):
    systems = [ethanol, Atoms("C"), crystal, molecule("H2O")]
    graph = potential.graph(systems)
    with torch.no_grad():
        energies, forces = potential.totals(graph)
    first = 0
    for system, energy in zip(systems, energies, strict=True):
        alone = potential(system)
        assert float(energy) == pytest.approx(alone.energy, abs=1e-10)
        mine = forces[first : first + len(system)].numpy()
        np.testing.assert_allclose(mine, alone.forces, atol=1e-12)
        first += len(system)


def test_small_cell_equals_its_supercell(potential, crystal):
    """A cell whose atoms see their own images, against 64 copies with each pair looked for by hand."""
    small = potential(crystal)
    idx_i, idx_j, _ = potential.pairs(crystal)
    assert (idx_i == idx_j).sum() >= 3
    copies = crystal * (4, 4, 4)
    large = potential(copies, _nearest_image_pairs(copies, potential.cutoff))
    assert large.energy / 64 == pytest.approx(small.energy, abs=1e-9)
    np.testing.assert_allclose(large.forces.reshape(64, 2, 3), np.tile(small.forces, (64, 1, 1)), atol=1e-11)
    np.testing.assert_allclose(large.strain / 64, small.strain, atol=1e-11)


def _nearest_image_pairs(atoms, cutoff):
    """Each pair's nearest image, which is the only one within the cutoff of so wide a cell."""
    assert 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0).max() > 2 * cutoff
    images = np.array(list(np.ndindex(3, 3, 3))) - 1
    shifts = images @ atoms.cell.array
    found = []
    for i in range(len(atoms)):
        for j in range(i + 1, len(atoms)):
            vectors = atoms.positions[j] - atoms.positions[i] + shifts
            distances = np.linalg.norm(vectors, axis=1)
            if distances.min() < cutoff:
                found.append((i, j, shifts[distances.argmin()]))
    idx_i, idx_j, chosen = zip(*found, strict=True)
    return torch.tensor(idx_i), torch.tensor(idx_j), torch.tensor(np.array(chosen))
