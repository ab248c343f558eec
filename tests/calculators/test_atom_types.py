"""Atom types: atoms that the bond graph tells apart have an embedding each, in every program alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import molecule

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.deployment import DeployedModel, export_model, last_layer_statistics, load_model, read_manifest
from mdaug.geometry.pairs import molecule_pairs
from mdaug.models.baseline import Baseline
from tests.calculators.test_core_baseline import (
    assert_equal,
    evaluate,
    mixture,
    species_in,
    torchscript,
    write_damaged,
)
from tests.force_fields import frames_near, typed_templates
from tests.staged_evaluation import pairs_of, staged

CUTOFF = 4.0
ETHANOL, WATER = [5, 4, 6, 2, 0, 0, 3, 3, 3], [1, 0, 0]  # any numbers of their own, the same for equal atoms


@pytest.fixture
def templates():
    return typed_templates("CH3CH2OH", "H2O")


@pytest.fixture
def model(make_model):
    return make_model(cutoff=CUTOFF, n_atom_types=8, n_vectors=4, prior="zbl")


@pytest.fixture
def path(model, templates, tmp_path):
    frames = [frames_near(molecule(name), 20) for name in ("CH3CH2OH", "H2O")]
    typed = [replace(own, atom_types=of.atom_types) for own, of in zip(frames, templates, strict=True)]
    return export_model(
        model,
        tmp_path / "m.pt",
        training={},
        templates=templates,
        statistics=last_layer_statistics(model, typed),
    )


def test_equal_atoms_have_one_type_and_no_other(templates):
    for template, expected in zip(templates, (ETHANOL, WATER), strict=True):
        own, wanted = template.atom_types[:, None], np.array(expected)[:, None]
        np.testing.assert_array_equal(own == own.T, wanted == wanted.T)
    assert sorted({int(kind) for template in templates for kind in template.atom_types}) == list(range(8))


def test_types_with_the_embeddings_of_their_elements_change_nothing(model, templates, path, tmp_path):
    atoms, molecules, offsets = mixture()
    typed = torchscript(path, atoms, molecules, offsets)
    weight = model.network.embedding.weight
    for template in templates:
        rows = np.searchsorted(model.atomic_numbers, template.atomic_numbers)
        with torch.no_grad():
            weight[3 + torch.tensor(template.atom_types)] = weight[torch.tensor(rows)]
    same = export_model(model, tmp_path / "same.pt", training={}, templates=templates)
    with torch.no_grad():
        weight[3:] = torch.nan
    none = [t.from_lists({n: a.tolist() for n, a in t.arrays() if n != "atom_types"}) for t in templates]
    by_element = export_model(model, tmp_path / "elements.pt", training={}, templates=none)
    expected = torchscript(by_element, atoms, molecules, offsets)
    assert_equal(torchscript(same, atoms, molecules, offsets), expected)
    assert abs(typed["forces"] - expected["forces"]).max() > 0.01
    # earlier versions expect no tensor of types: they would find the hash of the weights wrong
    assert read_manifest(same)["format_version"] == read_manifest(by_element)["format_version"] == 5
    assert read_manifest(path)["format_version"] == 7  # it has statistics of types


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 3e-6)])
def test_the_core_equals_torchscript(path, threads, dtype, tolerance):
    atoms, molecules, offsets = mixture()
    result = evaluate(path, atoms, molecules, offsets, dtype=dtype, threads=threads)
    expected = torchscript(path, atoms, molecules, offsets, dtype=dtype)
    assert_equal(result, expected, tolerance)


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_ranks_equal_the_whole(path, templates, n_ranks):
    atoms, molecules, offsets = mixture()
    species = np.zeros(len(atoms), dtype=int)
    for kind, members in molecules:
        species[members] = 3 + templates[kind].atom_types
    whole = {"molecules": molecules, "whole": atoms.positions + offsets}
    result = staged(path, "float64", species, atoms, n_ranks, **whole)
    assert_equal(result, evaluate(path, atoms, molecules, offsets))
    with pytest.raises(AssertionError, match=r"has species \d, but its place in the molecule has"):
        staged(path, "float64", species_in(path, atoms), atoms, n_ranks, **whole)


def test_replicas_equal_single_systems(path):
    atoms, core = molecule("CH3CH2OH"), Core(path, "float64")
    core.set_molecules(np.array([0]), np.arange(9))
    positions = atoms.positions + np.random.default_rng(0).normal(scale=0.1, size=(3, 9, 3))
    energies, forces = core.evaluate_molecules(species_in(path, atoms), positions)
    for k in range(3):
        atoms.positions = positions[k]
        alone = core.evaluate(species_in(path, atoms), positions[k], *pairs_of(atoms))
        assert energies[k] == pytest.approx(alone["energy"], abs=1e-10)
        np.testing.assert_allclose(forces[k], alone["forces"], atol=1e-10)


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_the_order_of_equal_atoms_does_not_matter(path, evaluator):
    atoms = molecule("H2O")
    atoms.positions[1] += [0.05, -0.1, 0.02]
    swapped = atoms[[0, 2, 1]]
    energies = []
    for each in (atoms, swapped):
        each.calc = MDAugCalculator(path, dtype="float64", evaluator=evaluator, strict=None)
        energies.append(each.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)  # M is symmetric to rounding


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_energies_relative_to_single_atoms(path, templates, evaluator):
    """Atoms far apart have the energies of the plateaus of M, and no others."""
    atoms = molecule("CH3CH2OH")
    atoms.calc = MDAugCalculator(path, dtype="float64", evaluator=evaluator, strict=None, reference=False)
    atoms.get_potential_energy()  # finds the molecule while its bonds are intact
    atoms.positions *= 100
    frames = frames_near(atoms, 1)
    atoms.positions = frames.positions[0]
    expected = Baseline(templates[:1], CUTOFF).results(frames, [np.arange(9)[None]])[0][0]
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-9)


def extrapolations(path, frames, evaluator):
    """Return the extrapolation of each atom (n_frames, n_atoms) by `MDAugCalculator`."""
    atoms = molecule("CH3CH2OH")
    atoms.calc = MDAugCalculator(path, dtype="float64", evaluator=evaluator, strict=None)
    values = []
    for positions in frames.positions:
        atoms.positions = positions
        atoms.get_potential_energy()
        values.append(atoms.calc.extrapolation)
    return np.array(values)


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_extrapolation_is_at_most_one_in_training_for_each_type(path, evaluator):
    values = extrapolations(path, frames_near(molecule("CH3CH2OH"), 20), evaluator)
    for kind in set(ETHANOL):
        assert values[:, np.array(ETHANOL) == kind].max() == pytest.approx(1.0, abs=1e-9)


def test_extrapolation_of_earlier_files_is_that_of_the_elements(model, templates, tmp_path):
    """They have statistics of each element only, and the core must not read those of types from them."""
    frames = frames_near(molecule("CH3CH2OH"), 20)
    typed = replace(frames, atom_types=templates[0].atom_types)
    statistics = last_layer_statistics(model, [typed])
    of_elements = statistics._replace(means=statistics.means[:3], whitening=statistics.whitening[:3])
    given = {"training": {}, "templates": templates, "statistics": of_elements}
    earlier = export_model(model, tmp_path / "earlier.pt", **given)
    values = extrapolations(earlier, frames, "core")
    for number in (1, 6, 8):
        assert values[:, frames.atomic_numbers == number].max() == pytest.approx(1.0, abs=1e-9)
    assert read_manifest(earlier)["format_version"] == 5


def test_a_whole_file_needs_no_molecules_in_order(path):
    """`forward` finds the types by the order of the atoms, as it finds the molecules."""
    atoms = molecule("CH3CH2OH")
    idx_i, idx_j = (torch.as_tensor(part) for part in molecule_pairs(9))
    given = torch.as_tensor(atoms.numbers), torch.as_tensor(atoms.positions), idx_i, idx_j
    out = load_model(path, "float64")(*given, torch.zeros(len(idx_i), 3, dtype=torch.float64))
    expected = evaluate(path, atoms, [(0, np.arange(9))])
    assert_equal({name: value.numpy() for name, value in out.items()}, expected)


@pytest.mark.parametrize("wrong", [8, -2, 2**62])
def test_types_without_an_embedding_are_refused(model, templates, tmp_path, wrong):
    types = torch.tensor(templates[0].atom_types)
    types[3] = wrong
    path = write_damaged(tmp_path / "m.pt", model, templates[0], atom_types=types)
    with pytest.raises(CoreUnavailableError, match=r"m\.pt: baseline\.0\.atom_types contains a type without"):
        Core(path)


def test_a_network_with_too_few_embeddings_is_refused(make_model, templates):
    with pytest.raises(ValueError, match="more atom types than the network has embeddings"):
        DeployedModel(make_model(n_atom_types=7), templates)
