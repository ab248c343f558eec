import tracemalloc
from importlib.util import find_spec

import numpy as np
import pytest
from ase import Atoms

from mdaug.frames import FrameSet
from mdaug.geometry.bonds import find_bonds
from mdaug.quantum.level import Level
from mdaug.quantum.mean_field import (
    breaking_bonds,
    broken_symmetry,
    build_molecule,
    flipped,
    fragment_colors,
    mean_field,
    median_bonds,
    spin_square,
    unrestricted_solution,
)
from mdaug.quantum.single_point import guess_or_none, single_point

if find_spec("pyscf"):
    from pyscf import mcscf, scf

pytestmark = pytest.mark.pyscf

H2_BOND = np.array([[0, 1]])


def test_unrestricted_coupled_cluster_dissociates_hydrogen_fluoride_and_restricted_does_not():
    level = Level(method="ccsd(t)", basis="6-31g")
    apart = Atoms("FH", [[0, 0, 0], [0, 0, 6.0]])
    atoms = sum(
        single_point(Atoms(symbol), level.model_copy(update={"multiplicity": 2}), unrestricted=True)[
            "energy_Eh"
        ]
        for symbol in "FH"
    )
    guess = guess_or_none(apart, level, H2_BOND, ((0, 1),))
    unrestricted = single_point(apart, level, unrestricted=True, guess=guess)
    assert unrestricted["energy_Eh"] == pytest.approx(atoms, abs=1e-5)
    assert unrestricted["spin_square"] == pytest.approx(1.0, abs=0.01)
    assert abs(single_point(apart, level, unrestricted=False)["energy_Eh"] - atoms) > 0.02


@pytest.mark.parametrize("method", ["hf", "mp2", "ccsd(t)", "composite"])
def test_hydrogen_goes_to_two_atoms(hydrogen, method):
    level = Level(method=method, basis="cc-pVDZ", correction_basis="6-31g")
    atom = single_point(
        Atoms("H"), level.model_copy(update={"multiplicity": 2, "method": "hf"}), unrestricted=True
    )
    guess = guess_or_none(hydrogen(8.0), level, H2_BOND, ((0, 1),))
    energy = single_point(hydrogen(8.0), level, unrestricted=True, guess=guess)["energy_Eh"]
    assert energy == pytest.approx(2 * atom["energy_Eh"], abs=1e-5)
    if method in ("hf", "mp2"):
        assert abs(single_point(hydrogen(8.0), level, unrestricted=False)["energy_Eh"] - energy) > 0.05


def test_a_solution_with_paired_spins_is_left_where_it_is_unstable(hydrogen):
    level = Level(method="hf", basis="6-31g")
    paired = mean_field(build_molecule(hydrogen(2.0), "6-31g", level), level, unrestricted=False)
    found = unrestricted_solution(hydrogen(2.0), level, np.array([paired.make_rdm1() / 2] * 2))
    assert found.e_tot < paired.e_tot - 0.02
    assert spin_square(found) > 0.5


@pytest.mark.parametrize(("distance", "better"), [(1.5, "restricted"), (2.4, "unrestricted")])
def test_against_full_ci_the_restricted_energy_is_better_until_the_bond_is_nearly_broken(distance, better):
    atoms, level = Atoms("FH", [[0, 0, 0], [0, 0, distance]]), Level(method="ccsd(t)", basis="6-31g")
    field = scf.RHF(build_molecule(atoms, "6-31g", level)).run()
    full = mcscf.CASCI(field, 10, 8).run().e_tot  # all but the frozen core
    guess = guess_or_none(atoms, level, H2_BOND, ((0, 1),))
    errors = {
        "unrestricted": single_point(atoms, level, unrestricted=True, guess=guess)["energy_Eh"] - full,
        "restricted": single_point(atoms, level, unrestricted=False)["energy_Eh"] - full,
    }
    assert min(errors, key=lambda kind: abs(errors[kind])) == better
    assert abs(errors[better]) < 0.004


def test_followed_inwards_the_spins_pair_up(hydrogen):
    level, guess, spins = Level(method="hf", basis="6-31g"), None, []
    for distance in (4.0, 2.5, 1.6, 1.3, 1.0, 0.8):
        guess = guess_or_none(hydrogen(distance), level, H2_BOND, ((0, 1),), guess)
        spins.append(single_point(hydrogen(distance), level, unrestricted=True, guess=guess)["spin_square"])
    assert spins[0] == pytest.approx(1.0, abs=0.01)
    assert np.all(np.diff(spins) < 1e-6)
    assert spins[-1] == pytest.approx(0.0, abs=1e-4)


def test_where_the_spins_pair_up_the_unrestricted_composite_is_not_computed(hydrogen):
    level = Level(basis="6-31g", correction_basis="sto-3g")
    guess = guess_or_none(hydrogen(0.9), level, H2_BOND, ((0, 1),))
    found = single_point(hydrogen(0.9), level, unrestricted=True, guess=guess)
    assert (found["energy_Eh"], found["spin_square"]) == (None, 0.0)


def test_two_breaking_bonds_have_a_triplet_oxygen_between_two_hydrogens(water):
    bonds = find_bonds(water)
    water.positions[1:] *= 4.0
    water.positions[1:] -= 3.0 * water.positions[0]
    breaking = breaking_bonds(water, bonds)
    assert breaking == ((0, 1), (0, 2))
    assert fragment_colors(3, bonds, breaking).tolist() in ([0, 1, 1], [1, 0, 0])
    solution = broken_symmetry(water, breaking, bonds, Level(method="hf", basis="sto-3g"))
    assert spin_square(solution) == pytest.approx(2.0, abs=0.05)
    alpha, beta = solution.make_rdm1()
    populations = np.diag((alpha - beta) @ solution.get_ovlp())
    spins = [populations[a:b].sum() for a, b in solution.mol.aoslice_by_atom()[:, 2:]]
    assert np.array(spins) * np.sign(spins[1]) == pytest.approx([-2, 1, 1], abs=0.05)


def test_flipping_all_exchanges_the_spins_and_flipping_none_keeps_them():
    density = np.random.default_rng(1).normal(size=(2, 4, 4))
    assert np.array_equal(flipped(density, np.ones(4, bool)), density[::-1])
    assert np.array_equal(flipped(density, np.zeros(4, bool)), density)
    half = flipped(density, np.array([True, True, False, False]))
    assert np.array_equal(half[0, :2, :2], density[1, :2, :2])
    assert np.array_equal(half[1, 2:, 2:], density[1, 2:, 2:])
    assert np.array_equal(half[0, :2, 2:], half[1, :2, 2:])
    assert half.sum() == pytest.approx(density.sum())


@pytest.mark.parametrize(("distance", "breaks"), [(0.97, False), (1.25, False), (1.3, True), (2.5, True)])
def test_an_oh_bond_may_break_beyond_1_26(ethanol, distance, breaks):
    bonds = find_bonds(ethanol)
    ethanol.set_distance(2, 3, distance, fix=0)
    assert breaking_bonds(ethanol, bonds) == (((2, 3),) if breaks else ())


def _frames(atoms, n_frames):
    positions = np.repeat(atoms.positions[None], n_frames, axis=0)
    return FrameSet(atoms.numbers, positions, np.zeros(n_frames), np.zeros_like(positions))


def test_bonds_of_frames_are_those_of_the_median(water):
    frames = _frames(water, 5)
    frames.positions[0, 1] *= 4.0
    assert median_bonds(frames).tolist() == [[0, 1], [0, 2]]


def test_bonds_of_many_frames_are_found_in_little_memory(water, monkeypatch):
    frames = _frames(water, 20_000)
    monkeypatch.setattr("mdaug.geometry.molecules.AT_ONCE", 3_000)
    tracemalloc.start()
    assert median_bonds(frames).tolist() == [[0, 1], [0, 2]]
    assert tracemalloc.get_traced_memory()[1] < 500_000  # all vectors are 1.4 MB
    tracemalloc.stop()
