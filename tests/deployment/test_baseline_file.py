"""A baseline in a model.pt: in the manifest, under the hash, and added to energy, forces and virial."""

import numpy as np
import pytest
import torch
from ase.build import molecule

from mdaug.deployment import export_model, load_model, read_manifest
from mdaug.geometry.pairs import neighbor_pairs
from mdaug.models.baseline import Baseline
from tests.force_fields import frames_near, random_templates

NAMES = ["CH3CH2OH", "H2O"]


@pytest.fixture
def templates():
    return [template for name in NAMES for template in random_templates(name)]


@pytest.fixture
def models(make_model, templates, tmp_path):
    """The same network with and without a baseline, in float32."""
    model = make_model()
    paths = [tmp_path / "with.pt", tmp_path / "without.pt"]
    for path, chosen in zip(paths, (templates, []), strict=True):
        export_model(model.float(), path, training={}, templates=chosen)
    return [load_model(path) for path in paths]


def test_manifest(make_model, templates, tmp_path):
    export_model(make_model(), tmp_path / "m.pt", training={}, templates=templates)
    manifest = read_manifest(tmp_path / "m.pt")
    assert manifest["format_version"] == 5  # older readers refuse it
    assert [entry["formula"] for entry in manifest["baseline"]] == ["C2H6O", "H2O"]
    assert manifest["baseline"][1]["bonds"] == templates[1].bonds.tolist()
    before = manifest["weights_sha256"]
    templates[1].coefficients[0] += 1e-9
    export_model(make_model(), tmp_path / "m.pt", training={}, templates=templates)
    assert read_manifest(tmp_path / "m.pt")["weights_sha256"] != before


@pytest.mark.parametrize("cell", [None, 12.0])
def test_the_baseline_is_added(models, templates, cell):
    atoms = molecule("CH3CH2OH") + molecule("H2O")
    atoms.positions[9:] += 3.2
    forces, strain, energy = np.zeros((12, 3)), np.zeros((3, 3)), 0.0
    for template, own in zip(templates, (slice(0, 9), slice(9, 12)), strict=True):
        frames = frames_near(atoms[own], 1)
        atoms.positions[own] = frames.positions[0]
        one = Baseline([template], 4.0).results(frames, [np.arange(frames.n_atoms)[None]])
        forces[own], energy = one[1][0], energy + one[0][0]
        strain -= frames.positions[0].T @ one[1][0]
    positions, lattice, pbc = atoms.positions, np.eye(3) * 100.0, (False,) * 3
    if cell:
        positions, lattice, pbc = (positions + 0.2) % cell, np.eye(3) * cell, (True,) * 3
    pairs = [torch.from_numpy(part) for part in neighbor_pairs(positions, lattice, pbc, 4.0)]
    given = torch.from_numpy(atoms.numbers), torch.from_numpy(positions), *pairs
    both, network = (model(*given) for model in models)
    difference = {name: (both[name] - network[name]).numpy() for name in both}
    np.testing.assert_allclose(difference["energy"], energy, atol=1e-9)
    np.testing.assert_allclose(difference["atomic_energies"].sum(), energy, atol=1e-9)
    np.testing.assert_allclose(difference["forces"], forces, atol=1e-9)
    np.testing.assert_allclose(difference["strain_derivative"], strain, atol=1e-9)


def test_atoms_in_another_order_need_their_molecules(models):
    atoms = molecule("CH3CH2OH")
    order = np.random.default_rng(0).permutation(9)
    pairs = [
        torch.from_numpy(part) for part in neighbor_pairs(atoms.positions, np.eye(3) * 100, (False,) * 3, 4.0)
    ]
    expected = models[0](torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions), *pairs)
    numbers, positions = torch.from_numpy(atoms.numbers[order]), torch.from_numpy(atoms.positions[order])
    inverse = torch.from_numpy(np.argsort(order))
    pairs = [inverse[pairs[0]], inverse[pairs[1]], pairs[2]]
    with pytest.raises(Exception, match="order of the molecules"):
        models[0](numbers, positions, *pairs)
    molecules = [inverse.unsqueeze(0), torch.empty((0, 3), dtype=torch.int64)]
    out = models[0].evaluate_molecules(models[0].species(numbers), positions, *pairs, molecules, None)
    torch.testing.assert_close(out["energy"], expected["energy"], rtol=0, atol=1e-5)
    torch.testing.assert_close(out["forces"][inverse], expected["forces"], rtol=0, atol=1e-4)
