"""The gradient written down against autograd, and one backward pass against two."""

import itertools

import pytest
import torch

from mdaug.models import Graph

CASES = list(itertools.product(("spline", "direct"), ("schutt", "nff"), ("c2", "none")))


@pytest.fixture
def graph():
    """Two systems of eight atoms: pairs that meet the cutoff, an atom's own image, an isolated atom."""
    generator = torch.Generator().manual_seed(4)
    idx_i = torch.tensor([0, 0, 1, 2, 2, 3, 5, 5, 6])
    idx_j = torch.tensor([1, 2, 2, 3, 2, 3, 6, 7, 7])
    unit_ij = torch.nn.functional.normalize(torch.randn(9, 3, generator=generator).double(), dim=1)
    return Graph(
        species=torch.tensor([0, 1, 2, 1, 0, 2, 0, 1]),
        idx_i=idx_i,
        idx_j=idx_j,
        d_ij=0.7 + 3.2 * torch.rand(9, generator=generator).double(),
        unit_ij=unit_ij,
        system=torch.tensor([0, 0, 0, 0, 0, 1, 1, 1]),
        n_systems=2,
    )


@pytest.fixture(autouse=True)
def plain_torch(monkeypatch):
    """Keep to torch operations, which autograd differentiates as often as asked."""
    monkeypatch.setattr("mdaug.models.potential.load_kernels", lambda: False)


@pytest.mark.parametrize(("filters", "filter_network", "cutoff_function"), CASES)
def test_slopes_are_the_autograd_gradient(make_model, graph, filters, filter_network, cutoff_function):
    model = make_model(
        filters=filters, filter_network=filter_network, cutoff_function=cutoff_function, n_interactions=3
    )
    graph = graph._replace(d_ij=graph.d_ij.requires_grad_())
    atomic, slope, _ = model.network(graph.species, model.pairs(graph))
    (reference,) = torch.autograd.grad(atomic.sum(), graph.d_ij)
    assert reference.abs().max() > 0.02
    torch.testing.assert_close(slope, reference, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("filters", "filter_network", "cutoff_function"), CASES)
def test_pair_gradients_with_vectors(make_model, graph, filters, filter_network, cutoff_function):
    """Slope and transverse gradient of each pair against autograd in r_ij."""
    model = make_model(
        filters=filters,
        filter_network=filter_network,
        cutoff_function=cutoff_function,
        n_interactions=3,
        n_vectors=5,
    )
    r_ij = (graph.d_ij.unsqueeze(1) * graph.unit_ij).requires_grad_()
    d_ij = r_ij.norm(dim=1)
    taped = graph._replace(d_ij=d_ij, unit_ij=r_ij / d_ij.unsqueeze(1))
    atomic, slope, transverse = model.atoms_and_pairs(taped)
    (reference,) = torch.autograd.grad(atomic.sum(), r_ij)
    assert transverse.abs().max() > 0.005
    torch.testing.assert_close(
        slope.unsqueeze(1) * graph.unit_ij + transverse, reference, rtol=1e-12, atol=1e-13
    )
    torch.testing.assert_close((transverse * graph.unit_ij).sum(1), torch.zeros(9).double())


@pytest.mark.parametrize("n_vectors", [0, 5])
@pytest.mark.parametrize(("filters", "filter_network", "cutoff_function"), CASES)
def test_one_backward_pass_gives_what_two_give(  # noqa: PLR0917
    make_model, graph, filters, filter_network, cutoff_function, n_vectors
):
    """Gradients of a loss on energies and forces, in every parameter."""
    model = make_model(
        filters=filters, filter_network=filter_network, cutoff_function=cutoff_function, n_vectors=n_vectors
    )
    wanted_energies, wanted_forces = torch.tensor([0.3, -0.2]).double(), torch.ones(8, 3).double()

    def gradients(energies, forces):
        loss = (energies - wanted_energies).square().sum() + (forces - wanted_forces).square().mean()
        return torch.autograd.grad(loss, parameters)

    parameters = [p for p in model.parameters() if p.requires_grad]
    once = gradients(*model(graph))

    r_ij = (graph.d_ij.unsqueeze(1) * graph.unit_ij).requires_grad_()
    d_ij = r_ij.norm(dim=1)
    energies, _ = model(graph._replace(d_ij=d_ij, unit_ij=r_ij / d_ij.unsqueeze(1)))
    (pull,) = torch.autograd.grad(energies.sum(), r_ij, create_graph=True)
    forces = torch.zeros(8, 3).double().index_add(0, graph.idx_i, pull).index_add(0, graph.idx_j, -pull)
    twice = gradients(energies, forces)
    for name, a, b in zip(dict(model.named_parameters()), once, twice, strict=True):
        torch.testing.assert_close(
            a, b, rtol=1e-10, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}"
        )
        assert a.abs().max() > 0, name


@pytest.mark.parametrize("n_vectors", [0, 5])
def test_dropout_masks_energy_and_slopes_alike(make_model, graph, n_vectors):
    model = make_model(dropout=0.4, n_vectors=n_vectors).train()
    graph = graph._replace(d_ij=graph.d_ij.requires_grad_())
    atomic, slope, _ = model.network(graph.species, model.pairs(graph))
    (reference,) = torch.autograd.grad(atomic.sum(), graph.d_ij)
    torch.testing.assert_close(slope, reference, rtol=1e-12, atol=1e-13)
    again = model.network(graph.species, model.pairs(graph))[0]
    assert not torch.allclose(atomic, again)  # another mask
    quiet = model.eval().network(graph.species, model.pairs(graph))[0]
    torch.testing.assert_close(quiet, model.network(graph.species, model.pairs(graph))[0])


def test_spline_and_direct_models_agree_when_knots_are_many(make_model, graph):
    smooth, direct = make_model(n_knots=4096), make_model(filters="direct")
    with torch.no_grad():
        for a, b in zip(smooth(graph), direct(graph), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_references_and_scale_stay_in_float64(make_model):
    model = make_model().float()
    assert model.reference_energies.dtype == model.energy_scale.dtype == torch.float64
    assert model.reference_energies.tolist() == [-13.0, -1030.0, -2040.0]
    assert float(model.energy_scale) == 0.7
    assert next(model.parameters()).dtype == torch.float32
