"""Models with a baseline in ASE: any order of atoms, several molecules, cells, bonds that break."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.molecules import MoleculeFinder
from mdaug.calculators.predictions import predict, predict_all
from mdaug.calculators.structures import StructureError
from mdaug.deployment import export_model
from mdaug.geometry.bonds import find_bonds
from mdaug.workflows.training.baseline_templates import templates_of
from tests.force_fields import frames_near, random_field, random_templates


@pytest.fixture
def model(make_model, tmp_path):
    templates = [template for name in ("CH3CH2OH", "H2O") for template in random_templates(name)]
    return export_model(make_model().double(), tmp_path / "model.pt", training={}, templates=templates)


@pytest.fixture(params=["torchscript", "auto"])
def calculator(model, request):
    return MDAugCalculator(model, evaluator=request.param, strict=None)


def mixture():
    atoms = molecule("CH3CH2OH") + molecule("H2O") + molecule("CH3CH2OH")
    atoms.positions[9:12] += [0, 0, 3.5]
    atoms.positions[12:] += [0, 4.2, 0]
    atoms.rattle(0.05, seed=1)
    return atoms


def results(atoms, calculator):
    atoms.calc = calculator
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_potential_energies()


def test_forces_are_derivatives_with_the_baseline(calculator):
    atoms = mixture()
    _, forces, energies = results(atoms, calculator)
    assert energies.sum() == pytest.approx(atoms.get_potential_energy())
    for atom, axis in ((0, 0), (2, 1), (10, 2), (20, 0)):
        both = []
        for step in (1e-4, -1e-4):
            moved = atoms.copy()
            moved.positions[atom, axis] += step
            both.append(results(moved, calculator)[0])
        assert -(both[0] - both[1]) / 2e-4 == pytest.approx(forces[atom, axis], abs=2e-5)


def test_the_order_of_the_atoms_does_not_matter(calculator, model):
    atoms = mixture()
    energy, forces, _ = results(atoms, calculator)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(atoms))
        shuffled = atoms[order]
        other = MDAugCalculator(model, evaluator="torchscript", strict=None)
        shuffled_energy, shuffled_forces, _ = results(shuffled, other)
        assert shuffled_energy == pytest.approx(energy, abs=1e-8)
        np.testing.assert_allclose(shuffled_forces, forces[order], atol=1e-8)


def test_molecules_across_the_faces_of_a_cell(calculator):
    atoms = mixture()
    atoms.set_cell([16.0, 17.0, 18.0])
    atoms.pbc = True
    energy, forces, _ = results(atoms, calculator)
    stress = atoms.get_stress()
    moved = atoms.copy()
    moved.positions += [15.5, 0.4, 17.6]
    moved.wrap()
    assert np.abs(moved.positions - atoms.positions).max() > 10
    moved_energy, moved_forces, _ = results(moved, calculator)
    assert moved_energy == pytest.approx(energy, abs=1e-8)
    np.testing.assert_allclose(moved_forces, forces, atol=1e-8)
    np.testing.assert_allclose(moved.get_stress(), stress, atol=1e-10)


def test_stress_is_the_derivative_in_strain(calculator):
    atoms = mixture()
    atoms.set_cell([12.0, 12.0, 12.0])
    atoms.pbc = True
    atoms.positions += 9.0
    atoms.wrap()
    atoms.calc = calculator
    stress = atoms.get_stress()
    energies = []
    for strain in (1e-4, -1e-4):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array * (1 + np.array([strain, 0, 0])), scale_atoms=True)
        energies.append(results(strained, calculator)[0])
    assert (energies[0] - energies[1]) / 2e-4 / atoms.get_volume() == pytest.approx(stress[0], abs=1e-6)


def test_molecules_are_kept_while_a_bond_breaks(calculator):
    atoms = molecule("CH3CH2OH")
    results(atoms, calculator)
    energies = []
    for shift in np.linspace(0, 6, 60):
        moved = atoms.copy()
        moved.positions[3] += [0, shift, 0]  # the hydrogen of O-H
        energies.append(results(moved, calculator)[0])
    assert np.abs(np.diff(energies)).max() < 2.0


def test_atoms_in_another_order_are_matched_anew(model):
    calculator = MDAugCalculator(model, evaluator="torchscript", strict=None)
    atoms = molecule("CH3CH2OH")
    energy, _, _ = results(atoms, calculator)
    swapped = atoms.copy()
    swapped.positions[[3, 4]] = atoms.positions[[4, 3]]  # hydrogens of O-H and C-H
    assert results(swapped, calculator)[0] == pytest.approx(energy, abs=1e-8)


@pytest.mark.parametrize("name", ["CH3OCH3", "CH3OH", "H2"])
def test_other_molecules_are_refused(calculator, name):
    with pytest.raises(StructureError, match=r"C2H6O and H2O.*not made of such molecules"):
        results(molecule(name), calculator)


def test_a_stretched_first_structure_is_taken_in_the_order_of_the_template(model):
    calculator = MDAugCalculator(model, evaluator="torchscript", strict=None)
    atoms = molecule("CH3CH2OH")
    atoms.positions[3] += [0, 2.0, 0]
    assert np.isfinite(results(atoms, calculator)[0])


def test_energies_relative_to_single_atoms(model):
    both = [MDAugCalculator(model, evaluator="torchscript", strict=None, reference=r) for r in (True, False)]
    energies = [[results(a, c)[0] for a in (molecule("H2O"), mixture())] for c in both]
    offset = np.subtract(*energies)
    assert np.isfinite(offset).all() and np.abs(offset).min() > 0


def test_predictions_of_frames(model):
    for cell in (None, np.diag([14.0, 14.0, 15.0])):
        atoms = mixture()
        if cell is not None:
            atoms.set_cell(cell)
            atoms.pbc = True
            atoms.positions += 12
            atoms.wrap()
        frames = frames_near(atoms, 5)
        energies, forces = predict(model, frames, batch_size=2, dtype="float64")
        calculator = MDAugCalculator(model, strict=None, dtype="float64")
        for n in range(5):
            one = Atoms(atoms.numbers, frames.positions[n], cell=atoms.cell, pbc=atoms.pbc)
            energy, own, _ = results(one, calculator)
            assert energies[n] == pytest.approx(energy, abs=1e-8)
            np.testing.assert_allclose(forces[n], own, atol=1e-8)


def test_a_pickled_calculator_gives_the_same(calculator):
    atoms = mixture()
    energy, _, _ = results(atoms, calculator)
    assert results(atoms.copy(), pickle.loads(pickle.dumps(calculator)))[0] == pytest.approx(energy)


def test_a_cell_may_lack_one_of_the_molecules(calculator):
    """The model has two kinds."""
    atoms = molecule("H2O", cell=[9.0] * 3, pbc=True)
    expected = results(atoms.copy(), calculator)[0]
    atoms.positions += [0.0, 0.3, 8.9]
    atoms.wrap()
    assert results(atoms, calculator)[0] == pytest.approx(expected, abs=1e-8)


def isomers() -> tuple[Atoms, Atoms]:
    """Return ethanol and dimethyl ether with their atoms in one order of elements."""
    ethanol, ether = molecule("CH3CH2OH"), molecule("CH3OCH3")
    return ethanol, ether[[n for z in (6, 8, 1) for n in np.flatnonzero(ether.numbers == z)]]


def test_frames_of_isomers_are_predicted_with_their_own_baselines(make_model, tmp_path):
    sets = [frames_near(atoms) for atoms in isomers()]
    templates = [template for frames in sets for template in templates_of(random_field(frames))]
    untyped = [replace(one, atom_types=np.full(9, -1)) for one in templates]
    path = export_model(make_model(), tmp_path / "model.pt", training={}, templates=untyped)
    for frames, found in zip(sets, predict_all(path, sets), strict=True):
        np.testing.assert_array_equal(found.forces, predict(path, frames)[1])
    assert np.abs(predict_all(path, sets)[1].forces - predict(path, sets[0])[1]).max() > 0.1


@pytest.mark.parametrize("first", [0, 1])
def test_a_stretched_molecule_is_told_from_its_isomer_in_the_same_order(first):
    ethanol, ether = isomers()
    entries = [
        {
            "formula": "C2H6O",
            "atomic_numbers": atoms.numbers,
            "bonds": find_bonds(atoms),
            "mean_lengths_A": np.ones(8),
        }
        for atoms in (ethanol, ether)
    ]
    for kind, atoms in enumerate((ethanol, ether)):
        bond = find_bonds(atoms)[-1]
        stretched = atoms.copy()
        stretched.set_distance(*bond, 2.5, fix=0)
        assert len(find_bonds(stretched)) == 7
        found = MoleculeFinder({"baseline": entries[first:] + entries[:first]}).find(stretched)
        assert [len(each) for each in found.atoms] == np.roll([kind == 0, kind == 1], -first).tolist()
