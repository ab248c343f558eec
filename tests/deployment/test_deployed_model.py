"""The deployed function: equal to the trained model in every form, and complete by itself."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mdaug.deployment import DeployedModel, export_model, load_model
from mdaug.frames import FrameSet
from mdaug.geometry.pairs import molecule_pairs
from mdaug.training import predict

KINDS = [
    {"filters": "spline"},
    {"filters": "direct"},
    {"filters": "direct", "filter_network": "nff", "cutoff_function": "none"},
    {"filters": "spline", "cutoff_function": "none", "dropout": 0.3, "n_interactions": 3},
    {"filters": "spline", "prior": "pair"},
    {"filters": "direct", "prior": "pair"},
    {"filters": "spline", "n_vectors": 5, "n_interactions": 3},
    {"filters": "direct", "n_vectors": 5, "prior": "pair"},
]


def inputs(atoms):
    idx_i, idx_j = map(torch.from_numpy, molecule_pairs(len(atoms)))
    numbers, positions = torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions)
    return numbers, positions, idx_i, idx_j, torch.zeros(len(idx_i), 3)


def frames_of(atoms, n=3, shift=0.0):
    rng = np.random.default_rng(0)
    positions = atoms.positions + 0.1 * rng.standard_normal((n, len(atoms), 3))
    return FrameSet(atoms.numbers, positions, np.full(n, shift), np.zeros_like(positions))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_trained_eager_scripted_and_reloaded_are_one_function(make_model, tmp_path, kind):
    model = make_model(**kind)
    deployed = DeployedModel(model)
    path = export_model(model, tmp_path / "model.pt", training={})
    forms = [deployed, torch.jit.script(deployed), load_model(path), torch.jit.load(str(path))]
    frames = frames_of(molecule("CH3CH2OH"))
    energies, forces = predict(model, frames)
    for positions, energy, force in zip(frames.positions, energies, forces, strict=True):
        given = inputs(Atoms(frames.atomic_numbers, positions))
        answers = [form(*given) for form in forms]
        for answer in answers:
            assert float(answer["energy"]) == pytest.approx(energy, abs=1e-10)
            np.testing.assert_allclose(answer["forces"], force, atol=1e-10)
            for name, value in answers[0].items():
                assert value.dtype == torch.float64
                torch.testing.assert_close(answer[name], value, rtol=0, atol=1e-10)


def test_training_the_original_further_does_not_touch_it(make_model):
    model = make_model()
    deployed, given = DeployedModel(model), inputs(molecule("H2O"))
    before = deployed(*given)["energy"]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    assert float(deployed(*given)["energy"]) == float(before)
    assert all(p.requires_grad for p in model.parameters())


def test_dropout_is_gone_even_in_training_mode(make_model):
    deployed, given = DeployedModel(make_model(dropout=0.5)), inputs(molecule("CH3CH2OH"))
    assert float(deployed.train()(*given)["energy"]) == float(deployed.eval()(*given)["energy"])


def test_large_references_cost_float32_nothing(make_model):
    """Energy differences of a float32 network are the same beside −4000 eV as beside nothing."""
    plain, shifted = make_model().float(), make_model().float()
    plain.reference_energies[:] = 0.0
    shifted.reference_energies[:] = torch.tensor([-4000.1, -4000.2, -4000.3], dtype=torch.float64)
    numbers, *rest = inputs(molecule("CH3CH2OH"))
    energies = [float(DeployedModel(m).float()(numbers, *rest)["energy"]) for m in (plain, shifted)]
    assert energies[1] - energies[0] == pytest.approx(-4000.1 * 6 - 4000.2 * 2 - 4000.3, abs=1e-9)


def test_float32_converts_the_network_alone(make_model):
    exact, rough = DeployedModel(make_model()), DeployedModel(make_model()).to(torch.float32)
    assert rough.network.readout.weight.dtype == rough.filters.table.dtype == torch.float32
    assert rough.reference_energies.dtype == rough.filters.weights.dtype == torch.float64
    given = inputs(molecule("CH3CH2OH"))
    a, b = exact(*given), rough(*given)
    for name in a:
        torch.testing.assert_close(b[name], a[name], rtol=1e-5, atol=1e-5)
        assert b[name].dtype == torch.float64


def test_atomic_energies_add_up_and_several_molecules_are_one_call(make_model):
    deployed = DeployedModel(make_model())
    one, two = molecule("CH3CH2OH"), molecule("H2O")
    two.positions += 0.3  # on top of the other: no pair between them, so no matter
    a, b = inputs(one), inputs(two)
    both = deployed(
        torch.cat([a[0], b[0]]),
        torch.cat([a[1], b[1]]),
        torch.cat([a[2], b[2] + len(one)]),
        torch.cat([a[3], b[3] + len(one)]),
        torch.cat([a[4], b[4]]),
    )
    energies = both["atomic_energies"]
    assert float(energies.sum()) == pytest.approx(float(both["energy"]), abs=1e-10)
    for part, given in ((slice(0, 9), a), (slice(9, 12), b)):
        alone = deployed(*given)
        assert float(energies[part].sum()) == pytest.approx(float(alone["energy"]), abs=1e-10)
        torch.testing.assert_close(both["forces"][part], alone["forces"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_pairs_beyond_the_cutoff_add_nothing(make_model, kind):
    deployed = DeployedModel(make_model(**kind))
    numbers, positions, *_ = inputs(Atoms("OCH", [[0, 0, 0], [1.2, 0, 0], [0, 5.5, 0]]))
    all_pairs = (torch.tensor([0, 0, 1]), torch.tensor([1, 2, 2]), torch.zeros(3, 3))
    with_far = deployed(numbers, positions, *all_pairs)
    without = deployed(numbers, positions, *(p[:1] for p in all_pairs))
    for name, value in without.items():
        torch.testing.assert_close(with_far[name], value, rtol=0, atol=1e-13)


def test_unknown_elements_are_refused(make_model):
    deployed = torch.jit.script(DeployedModel(make_model()))
    numbers, *rest = inputs(molecule("H2O"))
    numbers[1] = 7
    with pytest.raises(torch.jit.Error, match="an element that the model does not have"):
        deployed(numbers, *rest)


def test_a_stranger_runs_the_file_with_torch_alone(make_model, tmp_path):
    """No mdaug, no compiler, no autograd: plain TorchScript whose tensors are found by name."""
    model = make_model()
    path = export_model(model, tmp_path / "model.pt", training={})
    code = f"""
import sys, torch
extra = {{"manifest.json": ""}}
model = torch.jit.load({str(path)!r}, _extra_files=extra)
zeros = torch.zeros(1, 3, dtype=torch.float64)
positions = torch.tensor([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]], dtype=torch.float64)
with torch.no_grad():
    out = model(torch.tensor([8, 1]), positions, torch.tensor([0]), torch.tensor([1]), zeros)
assert "mdaug" not in sys.modules and b'"format_version": 1' in extra["manifest.json"]
names = dict(model.named_parameters()) | dict(model.named_buffers())
for name in ("network.embedding.weight", "network.interactions.1.inward.weight", "filters.table"):
    assert name in names, sorted(names)
assert model.reference_energies.tolist() == [-13.0, -1030.0, -2040.0]
print(float(out["energy"]))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = inputs(Atoms("OH", [[0, 0, 0], [1.1, 0, 0]]))
    assert float(done.stdout) == pytest.approx(float(DeployedModel(model)(*here)["energy"]), abs=1e-10)


def test_no_operator_of_our_own(make_model):
    for kind in KINDS:
        scripted = torch.jit.script(DeployedModel(make_model(**kind)))
        text = str(scripted.inlined_graph) + str(scripted.evaluate.inlined_graph)
        assert "mdaug::" not in text
        assert "aten::" in text
