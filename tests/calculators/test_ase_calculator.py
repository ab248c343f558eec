"""The calculator: ASE's conventions, exact pairs in MD, and refusals in words."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import CalculatorError, PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

import mdaug
from mdaug import MDAugCalculator
from mdaug.calculators.core_library import load_library
from mdaug.deployment import DeployedModel, export_model, read_manifest
from mdaug.errors import DataError
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs


@pytest.fixture
def calculator(model_path):
    return MDAugCalculator(model_path)


@pytest.fixture
def crystal():
    """A triclinic cell smaller than the cutoff."""
    cell = [[3.1, 0.0, 0.0], [0.6, 3.3, 0.0], [-0.4, 0.5, 3.6]]
    return Atoms("COH", [[0.1, 0.2, 0.0], [1.2, 1.5, 1.4], [2.0, 0.3, 2.2]], cell=cell, pbc=True)


def deployed_answer(make_model, atoms):
    """Ask the model itself, pairs from a fresh search."""
    deployed = DeployedModel(make_model())
    if atoms.pbc.any():
        result = neighbor_pairs(
            atoms.positions, atoms.cell.complete().array, tuple(atoms.pbc), deployed.cutoff
        )
    else:
        pairs = molecule_pairs(len(atoms))
        result = *pairs, np.zeros((len(pairs[0]), 3))
    return deployed(
        torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions), *map(torch.as_tensor, result)
    )


def test_energy_forces_and_atomic_energies_are_the_models(make_model, calculator, crystal):
    for atoms in (molecule("CH3CH2OH"), crystal):
        atoms.calc = calculator
        out = deployed_answer(make_model, atoms)
        assert atoms.get_potential_energy() == pytest.approx(float(out["energy"]), abs=1e-10)
        assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
        np.testing.assert_allclose(atoms.get_forces(), out["forces"], atol=1e-12)
        np.testing.assert_allclose(atoms.get_potential_energies(), out["atomic_energies"], atol=1e-11)


def test_forces_are_numeric(calculator, crystal):
    for atoms in (molecule("CH3CH2OH"), crystal):
        atoms.rattle(0.05, seed=1)
        atoms.calc = calculator
        numeric = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 2])
        np.testing.assert_allclose(atoms.get_forces()[[0, 2]], numeric, atol=2e-6)


def test_stress_is_numeric_with_ases_sign(calculator, crystal):
    crystal.calc = calculator
    stress = crystal.get_stress()
    np.testing.assert_allclose(stress, calculate_numerical_stress(crystal, eps=1e-5), atol=1e-7)
    # tension positive: the energy rises along the strain
    smaller, larger = (crystal.copy() for _ in range(2))
    smaller.set_cell(crystal.cell * 0.999, scale_atoms=True)
    larger.set_cell(crystal.cell * 1.001, scale_atoms=True)
    energies = [calculator.get_potential_energy(atoms) for atoms in (smaller, larger)]
    assert np.sign(energies[1] - energies[0]) == np.sign(stress[:3].sum())


def test_stress_needs_three_periodic_directions(calculator, crystal):
    crystal.calc = calculator
    crystal.pbc = [True, True, False]
    assert np.isfinite(crystal.get_potential_energy())
    with pytest.raises(PropertyNotImplementedError):
        crystal.get_stress()


def test_chains_and_slabs(make_model, calculator):
    """Periodic in some directions, with and without a cell vector in the others."""
    chain = Atoms("CO", [[0, 0, 0], [0.3, 1.1, 0.2]], cell=[2.6, 0, 0], pbc=[True, False, False])
    slab = Atoms("CO", [[0, 0, 0], [0.3, 1.1, 0.2]], cell=[2.6, 3.0, 9.0], pbc=[True, True, False])
    for atoms in (chain, slab):
        atoms.calc = calculator
        out = deployed_answer(make_model, atoms)
        np.testing.assert_allclose(atoms.get_forces(), out["forces"], atol=1e-12)
    repeated = chain.repeat((2, 1, 1))
    repeated.calc = calculator
    assert repeated.get_potential_energy() / 2 == pytest.approx(chain.get_potential_energy(), abs=1e-10)


def test_a_moving_system_is_exact_at_every_step(make_model, calculator, crystal):
    """Pairs are searched now and then; forces are those of a fresh search at each step."""
    atoms = crystal.repeat((2, 2, 1))
    atoms.calc = calculator
    rng, drift = np.random.default_rng(5), np.array([0.03, 0.0, -0.02])
    for _ in range(30):
        atoms.positions += drift + 0.05 * rng.standard_normal(atoms.positions.shape)
        out = deployed_answer(make_model, atoms)
        np.testing.assert_allclose(atoms.get_forces(), out["forces"], atol=1e-11)
    assert 1 < calculator._pair_list.n_searches < 25


def test_results_follow_every_change_of_the_atoms(make_model, calculator, crystal):
    atoms = crystal
    atoms.calc = calculator

    def moved():
        atoms.positions[0, 0] += 1e-12

    def other_cell():
        atoms.set_cell(atoms.cell * 1.01)

    def other_element():
        atoms.numbers[0] = 8

    def other_boundary():
        atoms.pbc = False

    def another_atom():
        atoms.append("H")
        atoms.positions[-1] = [1.0, -1.2, 0.3]

    for change in (moved, other_cell, other_element, other_boundary, another_atom):
        atoms.get_forces()
        change()
        assert calculator.calculation_required(atoms, ["energy"]), change.__name__
        expected = float(deployed_answer(make_model, atoms)["energy"])
        assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-10), change.__name__
        assert not calculator.calculation_required(atoms, ["energy", "forces"])


def test_precision_and_manifest(model_path):
    assert MDAugCalculator(model_path).manifest == read_manifest(model_path)
    atoms, energies = molecule("CH3CH2OH"), {}
    for dtype in ("float32", "float64", None):
        atoms.calc = MDAugCalculator(model_path, dtype=dtype)
        energies[dtype] = atoms.get_potential_energy()
        assert atoms.get_forces().dtype == np.float64
    assert energies[None] == energies["float64"]  # the manifest's
    assert 0 < abs(energies["float32"] - energies["float64"]) < 1e-4


def test_threads_are_set_or_left(model_path):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        MDAugCalculator(model_path, threads=0, evaluator="torchscript")
        MDAugCalculator(model_path)  # the core's threads are its own
        assert torch.get_num_threads() == 2
        MDAugCalculator(model_path, evaluator="torchscript")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_evaluator_is_the_core_or_torchscript(make_model, model_path, tmp_path, monkeypatch):
    atoms, forces = molecule("CH3CH2OH"), {}
    for evaluator in ("core", "torchscript"):
        atoms.calc = MDAugCalculator(model_path, evaluator=evaluator)
        assert atoms.calc.evaluator == evaluator
        forces[evaluator] = atoms.get_forces()
    assert MDAugCalculator(model_path).evaluator == "core"
    np.testing.assert_allclose(forces["core"], forces["torchscript"], atol=1e-11)
    direct = export_model(make_model(filters="direct"), tmp_path / "direct.pt", training={})
    with pytest.warns(UserWarning, match="using TorchScript.*filters are no splines"):
        assert MDAugCalculator(direct).evaluator == "torchscript"
    with pytest.raises(DataError, match=r"core cannot evaluate it \(.*filters are no splines"):
        MDAugCalculator(direct, evaluator="core")


def test_no_core_is_a_warning(model_path, monkeypatch):
    load_library.cache_clear()
    monkeypatch.setenv("MDAUG_NO_CORE", "1")
    with pytest.warns(UserWarning, match="using TorchScript, slower than the C.. core: MDAUG_NO_CORE is set"):
        assert MDAugCalculator(model_path).evaluator == "torchscript"


def test_unknown_elements_are_refused_also_the_second_time(calculator):
    atoms = molecule("NH3", calculator=calculator)
    for _ in range(2):
        with pytest.raises(DataError, match=r"atom 0 is N, which is not an element of the model \(H, C, O\)"):
            atoms.get_potential_energy()
    fine = molecule("H2O", calculator=calculator)
    assert np.isfinite(fine.get_potential_energy())


def test_positions_that_are_no_numbers_are_refused(calculator):
    atoms = molecule("H2O", calculator=calculator)
    atoms.positions[1, 2] = np.nan
    with pytest.raises(DataError, match=r"position of atom 1 is .*nan.*expected finite"):
        atoms.get_forces()


def test_atoms_at_one_place_are_refused(calculator):
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0]], calculator=calculator)
    with pytest.raises(DataError, match="two atoms at one place"):
        atoms.get_forces()


def test_no_atoms_and_missing_cell_are_refused(calculator):
    with pytest.raises(DataError, match="no atoms"):
        calculator.get_potential_energy(Atoms())
    with pytest.raises(DataError, match="periodic along a, but the cell lacks that vector"):
        calculator.get_potential_energy(Atoms("H2", [[0, 0, 0], [1, 0, 0]], pbc=True))


def test_refusals_are_calculator_errors_for_ase(calculator):
    with pytest.raises(CalculatorError):
        calculator.get_potential_energy(molecule("NH3"))


def test_importing_mdaug_is_light():
    code = "import sys, mdaug; assert not {'torch', 'ase', 'mdaug.calculators'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert mdaug.MDAugCalculator is MDAugCalculator
    with pytest.raises(AttributeError, match="no attribute 'Calculator'"):
        _ = mdaug.Calculator


@pytest.mark.parametrize("evaluator", ["auto", "core", "torchscript"])
def test_a_flipped_weight_is_refused_in_one_line(evaluator, model_path, flip_a_weight, tmp_path, recwarn):
    flipped = flip_a_weight(model_path, tmp_path / "flipped.pt")
    with pytest.raises(DataError, match=r"flipped\.pt: .*weights are not those of its manifest") as refusal:
        MDAugCalculator(flipped, evaluator=evaluator)
    assert "\n" not in str(refusal.value)
    assert not any("slower than" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_a_tensor_whose_bytes_are_missing_is_refused(evaluator, model_path, tmp_path):
    with zipfile.ZipFile(model_path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for empty in (name for name in members if "/data/" in name):
        broken = tmp_path / f"{Path(empty).name}.pt"
        with zipfile.ZipFile(broken, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, b"" if name == empty else content)
        with pytest.raises(DataError, match="has fewer bytes than its tensor"):
            MDAugCalculator(broken, evaluator=evaluator)
