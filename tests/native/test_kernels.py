"""The C++ operations against plain torch: values and every gradient."""

import pytest
import torch

from mdaug.models import Graph, spline
from mdaug.models.schnet import Pairs, message_gradient, messages
from mdaug.native import load_kernels

TOLERANCE = {torch.float32: {"rtol": 2e-4, "atol": 2e-5}, torch.float64: {"rtol": 1e-10, "atol": 1e-12}}


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def set_threads():
    """Give torch.set_num_threads, undone afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def make_graph(dtype, n_atoms=14, n_pairs=40):
    """Two systems: repeated pairs (images), self-images, pairs at and beyond the cutoff, an isolated atom."""
    generator = torch.Generator().manual_seed(7)
    ends = torch.randint(0, n_atoms - 1, (2, n_pairs), generator=generator)
    ends[1, :6] = ends[0, :6]
    d_ij = 0.6 + 3.6 * torch.rand(n_pairs, generator=generator, dtype=torch.float64)
    d_ij[6:9] = torch.tensor([4.0, 4.5, 4.0 - 1e-6])
    unit_ij = torch.nn.functional.normalize(torch.randn(n_pairs, 3, generator=generator).double(), dim=1)
    species = torch.randint(0, 3, (n_atoms,), generator=generator)
    system = (torch.arange(n_atoms) > 6).long()
    return Graph(species, ends[0], ends[1], d_ij.to(dtype), unit_ij.to(dtype), system, 2)


def loss_and_gradients(model, graph):
    """Loss on energies and forces and its gradients, the same dropout masks each time."""
    torch.manual_seed(3)
    energies, forces = model(graph)
    loss = 0.3 * (energies - 0.5).square().mean() + (forces - 0.1).square().mean()
    return energies, forces, torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad])


def test_a_distance_that_is_no_number_shows_in_its_system(make_model, dtype):
    """As in the deployed model's core; the other system of two is a number."""
    assert load_kernels()
    ends, system = torch.tensor([[0, 2], [1, 3]]), torch.tensor([0, 0, 1, 1])
    d_ij, unit_ij = torch.tensor([1.2, torch.nan], dtype=dtype), torch.eye(3, dtype=dtype)[:2]
    graph = Graph(torch.tensor([0, 1, 0, 1]), *ends, d_ij, unit_ij, system, 2)
    energies, forces = make_model().to(dtype).eval()(graph)
    assert energies.isnan().tolist() == [False, True]
    assert forces.isnan().any(dim=1).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("n_filters", "n_vectors", "dropout", "threads"),
    [
        (16, 0, 0.0, 1),
        (80, 0, 0.0, 2),
        (16, 0, 0.3, 1),
        (80, 0, 0.3, 2),
        (16, 5, 0.0, 1),
        (13, 32, 0.0, 1),
        (80, 77, 0.0, 2),
    ],
)
def test_training_is_the_same_with_and_without_kernels(
    make_model, monkeypatch, dtype, set_threads, *, n_filters, n_vectors, dropout, threads
):
    assert load_kernels()
    sizes = {"n_interactions": 3, "n_filters": n_filters, "n_vectors": n_vectors}
    model = make_model(**sizes, dropout=dropout).to(dtype).train()
    set_threads(threads)
    graph = make_graph(dtype)
    with_kernels = loss_and_gradients(model, graph)
    assert model.pairs(graph).spacing > 0  # the kernels did serve
    monkeypatch.setattr("mdaug.models.potential.load_kernels", lambda: False)
    without = loss_and_gradients(model, graph)
    assert model.pairs(graph).spacing == 0
    torch.testing.assert_close(with_kernels[:2], without[:2], **TOLERANCE[dtype])
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    for name, a, b in zip(names, with_kernels[2], without[2], strict=True):
        largest = b.abs().max()
        assert largest > 0, name
        torch.testing.assert_close(a / largest, b / largest, **TOLERANCE[dtype], msg=lambda m, n=name: n + m)


def test_messages_and_their_gradients(dtype):
    """The two message operations, differentiated in table and features."""
    assert load_kernels()
    graph, spacing = make_graph(dtype), 4.0 / 32
    generator = torch.Generator().manual_seed(1)
    table, x, g = (
        torch.randn(rows, 48, generator=generator).to(dtype).requires_grad_() for rows in (35, 14, 14)
    )
    factor, weights = torch.randn(14, 48, generator=generator).to(dtype), torch.rand(40).to(dtype)
    row, value, slope = spline.basis(graph.d_ij, spacing, 35)
    fused = Pairs(graph.idx_i, graph.idx_j, graph.d_ij, graph.unit_ij, [table], [], spacing)
    filters, slopes = spline.evaluate(table, row, value), spline.evaluate(table, row, slope)
    plain = Pairs(graph.idx_i, graph.idx_j, graph.d_ij, graph.unit_ij, [filters], [slopes], 0.0)
    result = []
    for pairs in (fused, plain):
        v = messages(pairs, 0, x)
        gx, f = message_gradient(pairs, 0, g, x)
        target = (factor * v).sum() + (factor * gx).sum() + (weights * f).sum()
        result.append((v, gx, f, *torch.autograd.grad(target, [table, x, g], retain_graph=True)))
    torch.testing.assert_close(*result, **TOLERANCE[dtype])


def test_no_pairs(make_model, dtype):
    """Isolated atoms alone: energies of the atoms, no force."""
    model = make_model().to(dtype)
    none = torch.empty(0, dtype=torch.int64)
    species = torch.tensor([0, 1])
    graph = Graph(species, none, none, torch.empty(0).to(dtype), torch.empty(0, 3).to(dtype), species * 0, 1)
    energies, forces = model(graph)
    assert torch.isfinite(energies).all() and not forces.any()
    energies.sum().backward()
    assert model.network.embedding.weight.grad[:2].abs().min() > 0


def test_loading_them_leaves_the_processor_exact():
    """No flag of the compiler makes tiny numbers zero for the rest of the process."""
    assert load_kernels()
    assert torch.tensor([1e-310], dtype=torch.float64).mul(0.5).item() > 0
