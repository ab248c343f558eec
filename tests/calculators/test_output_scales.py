"""Output scales: the network of a model of several systems has a unit for each, in every program alike."""

import numpy as np
import pytest
import torch

from mdaug.deployment import export_model, read_manifest
from tests.calculators.test_core_baseline import assert_equal, evaluate, mixture, torchscript
from tests.force_fields import typed_templates

N_ELEMENTS, N_TYPES = 3, 8
OF_ETHANOL, OF_WATER = 0.4, 2.5


@pytest.fixture
def templates():
    return typed_templates("CH3CH2OH", "H2O")


@pytest.fixture
def export(make_model, templates, tmp_path):
    """Write the same network with other scales."""

    def write(scales, name):
        model = make_model(n_atom_types=N_TYPES, n_vectors=4, output_scales=scales)
        return export_model(model, tmp_path / name, training={}, templates=templates)

    return write


@pytest.fixture
def scales(templates):
    factors = np.ones(N_ELEMENTS + N_TYPES)
    for template, factor in zip(templates, (OF_ETHANOL, OF_WATER), strict=True):
        factors[N_ELEMENTS + template.atom_types] = factor
    return factors.tolist()


def test_atomic_energies_of_each_molecule_have_their_factor(export, scales):
    atoms, molecules, offsets = mixture()
    plain, scaled = (
        torchscript(export(factors, name), atoms, molecules, offsets)
        for factors, name in ((None, "plain.pt"), (scales, "scaled.pt"))
    )
    blank = torchscript(export([0.0] * len(scales), "blank.pt"), atoms, molecules, offsets)
    expected = blank["atomic_energies"].copy()
    for kind, members in molecules:
        factor = (OF_ETHANOL, OF_WATER)[kind]
        expected[members] += factor * (plain["atomic_energies"] - blank["atomic_energies"])[members]
    np.testing.assert_allclose(scaled["atomic_energies"], expected, rtol=0, atol=1e-12)
    assert abs(scaled["energy"] - plain["energy"]) > 0.01


def test_forces_between_molecules_of_different_scales_are_the_gradient(export, scales):
    path, step = export(scales, "m.pt"), 1e-4
    atoms, molecules, offsets = mixture()
    forces = torchscript(path, atoms, molecules, offsets)["forces"]
    for atom in (members[0] for _, members in molecules):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, 1] += sign * step
            ends.append(float(torchscript(path, moved, molecules, offsets)["energy"]))
        assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(forces[atom, 1], abs=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 3e-6)])
def test_the_core_equals_torchscript(export, scales, dtype, tolerance):
    path = export(scales, "m.pt")
    atoms, molecules, offsets = mixture()
    result = evaluate(path, atoms, molecules, offsets, dtype=dtype)
    assert_equal(result, torchscript(path, atoms, molecules, offsets, dtype=dtype), tolerance)


def test_factors_of_one_change_no_bit(export, scales):
    atoms, molecules, offsets = mixture()
    ones, none = export([1.0] * len(scales), "ones.pt"), export(None, "none.pt")
    for program in (torchscript, evaluate):
        found, expected = (program(path, atoms, molecules, offsets) for path in (ones, none))
        for name in ("energy", "forces"):
            np.testing.assert_array_equal(found[name], expected[name])


def test_readers_that_do_not_know_them_refuse_the_file(export, scales):
    path, none = export(scales, "m.pt"), export(None, "none.pt")
    assert (read_manifest(path)["format_version"], read_manifest(none)["format_version"]) == (6, 5)
    scales[-1] += 1e-9
    assert read_manifest(path)["weights_sha256"] != read_manifest(export(scales, "n.pt"))["weights_sha256"]


def test_a_frame_has_one_unit(make_model, scales, templates):
    model = make_model(n_atom_types=N_TYPES, output_scales=scales)
    rows = [N_ELEMENTS + template.atom_types for template in templates]
    one = float(model.energy_scale)
    assert [model.unit(own) / one for own in rows] == pytest.approx([OF_ETHANOL, OF_WATER], rel=1e-15)
    assert model.unit(np.array([0, 1])) == one
    with pytest.raises(ValueError, match="different output scales"):
        model.unit(np.concatenate(rows))
    assert make_model(n_atom_types=N_TYPES).unit(np.concatenate(rows)) == one
    assert model.to(torch.float32).output_scales.dtype == torch.float64
