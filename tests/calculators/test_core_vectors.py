"""Angular features in the C++ core: exact gradients, symmetries, smooth surfaces, wrong shapes refused.

`test_core` compares them with TorchScript, whole and in stages.
"""

import ctypes
import json

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError, Rows, load_library
from mdaug.calculators.structures import elements_of
from mdaug.deployment import DeployedModel, export_model, read_manifest
from mdaug.deployment.manifest import build_manifest
from tests.force_fields import random_templates
from tests.staged_evaluation import pairs_of, staged

CUTOFF = 4.0


@pytest.fixture
def model(make_model):
    return make_model(n_vectors=6, cutoff=CUTOFF)


@pytest.fixture
def path(model, tmp_path):
    return export_model(model, tmp_path / "vectors.pt", training={})


@pytest.fixture
def evaluate(path):
    """Return results of a structure, by the core in float64."""
    core, elements = Core(path, "float64"), read_manifest(path)["elements"]

    def results(atoms):
        return core.evaluate(elements_of(atoms.numbers, elements), atoms.positions, *pairs_of(atoms))

    return results


def ethanol(seed=1):
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=seed)
    return atoms


def crystal():
    """Return a cell smaller than the cutoff, whose atoms interact with their own images."""
    cell = [[2.5, 0.0, 0.0], [0.6, 2.7, 0.0], [-0.4, 0.5, 2.9]]
    return Atoms("COH", [[0.1, 0.2, 0.0], [1.2, 1.5, 1.4], [2.0, 0.4, 2.2]], cell=cell, pbc=True)


def slope(energy, step=1e-4):
    """Return the derivative of energy(x) at 0, with an error of order step⁴."""
    return (8 * (energy(step) - energy(-step)) - (energy(2 * step) - energy(-2 * step))) / (12 * step)


@pytest.mark.parametrize("atoms", [ethanol(), crystal()], ids=["molecule", "crystal"])
def test_forces_are_the_gradient(evaluate, atoms):
    forces = evaluate(atoms)["forces"]
    for i, axis in [(0, 0), (1, 1), (2, 2), (len(atoms) - 1, 0)]:

        def energy(x, i=i, axis=axis):
            moved = atoms.copy()
            moved.positions[i, axis] += x
            return evaluate(moved)["energy"]

        assert -slope(energy) == pytest.approx(forces[i, axis], abs=1e-7)


@pytest.mark.parametrize("atoms", [ethanol(), crystal()], ids=["molecule", "crystal"])
def test_the_strain_derivative_is_the_gradient(evaluate, atoms):
    derivative = evaluate(atoms)["strain_derivative"]
    for a, b in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]:

        def energy(x, a=a, b=b):
            strain = np.eye(3)
            strain[a, b] += x / 2
            strain[b, a] += x / 2
            strained = atoms.copy()
            strained.positions = atoms.positions @ strain
            strained.cell = atoms.cell.array @ strain
            return evaluate(strained)["energy"]

        assert slope(energy) == pytest.approx(derivative[a, b], abs=1e-7)


@pytest.mark.parametrize("reflect", [1, -1])
def test_rotations_and_reflections_turn_the_forces(evaluate, reflect):
    atoms, turned = ethanol(), ethanol()
    matrix = reflect * Rotation.from_euler("xyz", [0.7, -1.9, 2.4]).as_matrix()
    turned.positions = atoms.positions @ matrix + [3.0, -8.0, 5.0]
    before, after = evaluate(atoms), evaluate(turned)
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-9)
    np.testing.assert_allclose(after["forces"], before["forces"] @ matrix, rtol=0, atol=1e-10)
    strain = matrix.T @ before["strain_derivative"] @ matrix
    np.testing.assert_allclose(after["strain_derivative"], strain, rtol=0, atol=1e-10)


def test_angles_matter(evaluate):
    """Two structures of the same distances from the middle atom, whose angle differs."""

    def bent(angle):
        far = [np.cos(angle), np.sin(angle), 0]
        ends = 3.5 * np.array([[1, 0, 0], far])  # farther from each other than the cutoff
        return evaluate(Atoms("CHH", [[0, 0, 0], *ends]))["energy"]

    assert abs(bent(np.pi) - bent(1.5)) > 1e-4


def test_three_atoms_in_line_are_no_special_place(evaluate):
    def bend(x):
        return evaluate(Atoms("CHO", [[0, x, 0], [1.1, 0, 0], [-1.2, 0, 0]]))

    forces = bend(0.0)["forces"]
    np.testing.assert_allclose(forces[:, 1:], 0, atol=1e-12)
    np.testing.assert_allclose(bend(1e-7)["forces"], forces, rtol=0, atol=1e-5)
    assert slope(lambda x: bend(x)["energy"]) == pytest.approx(0, abs=1e-8)


def test_forces_go_to_zero_at_the_cutoff_with_the_square_of_the_distance(evaluate):
    def force(before):
        return np.abs(evaluate(Atoms("CH", [[0, 0, 0], [CUTOFF - before, 0, 0]]))["forces"]).max()

    assert force(-1e-9) == 0
    near, nearer = force(2e-3), force(1e-3)
    assert 0 < nearer < 1e-4
    assert near / nearer == pytest.approx(4, rel=0.1)


def test_a_baseline_beside_vectors(model, tmp_path):
    templates = random_templates("CH3CH2OH")
    atoms, molecules = ethanol(), [(0, np.arange(9))]
    path = export_model(model, tmp_path / "both.pt", training={}, templates=templates)
    species = elements_of(atoms.numbers, read_manifest(path)["elements"])
    core = Core(path, "float64", 2)
    core.set_molecules(np.array([0]), np.arange(9))
    result = core.evaluate(species, atoms.positions, *pairs_of(atoms))
    with torch.inference_mode():
        expected = DeployedModel(model, templates).evaluate(
            *map(torch.as_tensor, (species, atoms.positions, *pairs_of(atoms)))
        )
    for n_ranks in (1, 2):
        parts = staged(path, "float64", species, atoms, n_ranks, molecules=molecules, whole=atoms.positions)
        for name in ("atomic_energies", "forces", "strain_derivative"):
            np.testing.assert_allclose(result[name], expected[name], rtol=0, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(parts[name], expected[name], rtol=0, atol=1e-9, err_msg=name)


def test_rows_of_a_stage_are_no_wider_than_the_stage_needs(path):
    """16 filters and 6 vectors, filled up to whole vectors of the processor."""
    library, core = load_library(), Core(path, "float64")
    handle, species, rows = ctypes.c_void_p(core._handle), np.zeros(1, np.int32), Rows()
    first, none = np.zeros(2, np.int64), np.zeros(3)
    arguments = [ctypes.c_void_p(array.ctypes.data) for array in (species, first, species, none)]
    assert library.mdaug_begin(handle, ctypes.c_int64(1), ctypes.c_int64(1), *arguments) == 0
    widths = []
    for stage in range(library.mdaug_n_stages(core._handle)):
        assert library.mdaug_stage(core._handle, stage, ctypes.byref(rows)) == 0
        widths.append(rows.width if rows.data else 0)
    up, down, below, nothing = widths
    assert nothing == 0
    assert 16 + 6 <= up < down == below == library.mdaug_row_width(core._handle)
    assert down - 16 == 3 * (up - 16)


def drop_channel(network):
    network.interactions[1].left.weight = torch.nn.Parameter(network.interactions[1].left.weight[:-1])


def widen_inward(network):
    block = network.interactions[0]
    block.vector_inward.weight = torch.nn.Parameter(torch.cat([block.vector_inward.weight] * 2))


def narrow_hidden(network):
    network.interactions[1].hidden.weight = torch.nn.Parameter(network.interactions[1].hidden.weight[:, 6:])


def only_vectors(network):
    for block in network.interactions:
        block.vector_inward.weight = torch.nn.Parameter(torch.zeros(22, 12, dtype=torch.float64))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (drop_channel, r"interactions\.1\.left\.weight has a shape that does not fit"),
        (widen_inward, r"interactions\.0\.inward\.weight has a shape that does not fit"),
        (narrow_hidden, r"interactions\.1\.hidden\.weight has a shape that does not fit"),
        (only_vectors, r"filters\.table has no more columns than vector channels"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(model, tmp_path, change, problem):
    deployed = DeployedModel(model).eval()
    change(deployed.network)
    manifest = build_manifest(model, deployed, {}, "float64")
    path = tmp_path / "odd.pt"
    torch.jit.save(torch.jit.script(deployed), path, _extra_files={"manifest.json": json.dumps(manifest)})
    with pytest.raises(CoreUnavailableError, match=problem):
        Core(path)
