"""The baseline in closed form: equal to the force field that it is made from, and cut off smoothly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

from mdaug.models.baseline import Baseline
from mdaug.models.molecule_terms import MoleculeTerms
from mdaug.workflows.training.baseline_templates import templates_of
from tests.crystals import slopes_in_strain
from tests.force_fields import frames_near, random_field, random_templates

MOLECULES = ["CH3CH2OH", "H2O", "OH", "HCN", "C2H2", "C3H4_C3v", "cyclobutane", "H2", "SiH4", "CH3SH"]


def distorted(frames, seed=1, size=0.3):
    noise = np.random.default_rng(seed).normal(scale=size, size=frames.positions.shape)
    scale = np.linspace(0.8, 1.6, len(frames))[:, None, None]
    return replace(frames, positions=scale * frames.positions + noise)


def every_atom(frames):
    return [np.arange(frames.n_atoms)[None]]


@pytest.mark.parametrize("name", MOLECULES)
@pytest.mark.parametrize("cutoff", [3.0, 100.0])
def test_equals_the_force_field_with_the_same_cutoff(name, cutoff):
    frames = frames_near(molecule(name))
    field = random_field(frames, cutoff=cutoff)
    for tried in (frames, distorted(frames)):
        energies, forces = Baseline(templates_of(field), cutoff).results(tried, every_atom(frames))
        expected = field.evaluate(tried.positions)
        np.testing.assert_allclose(energies, expected[0], rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(forces, expected[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", MOLECULES)
@pytest.mark.parametrize("cutoff", [1.8, 3.0])
def test_slopes_are_derivatives_of_the_energy(name, cutoff):
    frames = distorted(frames_near(molecule(name)))
    (template,) = random_templates(name)
    positions = torch.tensor(frames.positions, requires_grad=True)
    energies, slopes = torch.jit.script(MoleculeTerms(template, cutoff))(positions)
    (expected,) = torch.autograd.grad(energies.sum(), positions)
    assert float(expected.abs().max()) > 0.1
    torch.testing.assert_close(slopes, expected, rtol=1e-10, atol=1e-10)


def test_single_atoms_have_no_baseline():
    frames = frames_near(Atoms("OH2He", [*molecule("H2O").positions.tolist(), [0, 0, 6]]))
    templates = templates_of(random_field(frames))
    assert [template.formula for template in templates] == ["H2O", "He"]
    _, forces = Baseline(templates, 5.0).results(frames, [np.array([[0, 1, 2]]), np.array([[3]])])
    assert np.all(forces[:, 3] == 0) and np.all(forces[:, 0] != 0)


def test_forces_vanish_with_two_derivatives_at_the_cutoff():
    (template,) = random_templates("H2")
    terms, cutoff = MoleculeTerms(template, 2.0), 2.0
    d = torch.tensor([cutoff - 1e-3, cutoff - 5e-4, cutoff, cutoff + 1.0], dtype=torch.float64)
    positions = torch.zeros(4, 2, 3, dtype=torch.float64)
    positions[:, 1, 0] = d
    energies, slopes = terms(positions)
    assert float(slopes[2:].abs().max()) == 0
    assert float(slopes[0, 1, 0] / slopes[1, 1, 0]) == pytest.approx(4.0, rel=0.01)  # quadratic in the rest
    torch.testing.assert_close(energies.sum(1)[2:], torch.full((2,), template.bond_parameters[0, 1]).double())


def test_invariance():
    frames = distorted(frames_near(molecule("CH3CH2OH")))
    baseline = Baseline(random_templates("CH3CH2OH"), 3.0)
    energies, forces = baseline.results(frames, every_atom(frames))
    turn, order = Rotation.random(random_state=1).as_matrix(), np.random.default_rng(2).permutation(9)
    moved = replace(
        frames,
        atomic_numbers=frames.atomic_numbers[order],
        positions=(frames.positions @ turn + 3.0)[:, order],
    )
    moved_energies, moved_forces = baseline.results(moved, [np.argsort(order)[None]])
    np.testing.assert_allclose(moved_energies, energies, rtol=1e-11)
    np.testing.assert_allclose(moved_forces, (forces @ turn)[:, order], atol=1e-9)
    np.testing.assert_allclose(forces.sum(axis=1), 0, atol=1e-10)


def test_molecules_are_put_together_across_faces_of_a_cell():
    atoms = molecule("CH3CH2OH", cell=[9.0, 9.0, 9.0], pbc=True)
    frames = frames_near(atoms)
    baseline = Baseline(random_templates("CH3CH2OH"), 5.0)
    expected = baseline.results(replace(frames, cells=None, pbc=(False,) * 3), every_atom(frames))
    wrapped = replace(frames, positions=(frames.positions + 0.3) % 9.0)
    assert np.abs(wrapped.positions - frames.positions).max() > 8
    for values, ours in zip(baseline.results(wrapped, every_atom(frames)), expected, strict=True):
        np.testing.assert_allclose(values, ours, atol=1e-9)


def test_equal_molecules_share_a_template():
    pair = molecule("H2O") + molecule("H2O")
    pair.positions[3:] += 3.0
    assert [template.formula for template in templates_of(random_field(frames_near(pair)))] == ["H2O"]


def test_stresses_less_those_of_the_baseline():
    """Of molecules across faces of a cell, against energies of strained cells."""
    ethanol = molecule("CH3CH2OH", cell=[9.0, 9.0, 9.0], pbc=True)
    frames = frames_near(ethanol).select(slice(0, 3))
    frames = replace(frames, positions=(frames.positions + 0.3) % 9.0, stresses=np.ones((3, 3, 3)))
    baseline = Baseline(random_templates("CH3CH2OH"), 5.0)
    rest = baseline.subtract(frames, every_atom(frames))
    expected = slopes_in_strain(lambda tried: baseline.results(tried, every_atom(frames))[0], frames) / 9.0**3
    np.testing.assert_allclose(frames.stresses - rest.stresses, expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-3
