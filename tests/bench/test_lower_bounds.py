"""The lower bounds count the products that torch itself counts in the network."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mdaug.bench.lower_bounds import (
    Product,
    bare_products,
    core_products,
    evaluation_products,
    filter_products,
    gathered_traffic,
    least_traffic,
    memory_sweep,
    training_products,
)
from mdaug.models import Graph, SchNet, SchNetOptions
from mdaug.models.schnet import Pairs

SIZES = {"n_atom_basis": 12, "n_filters": 20, "n_gaussians": 8, "n_knots": 16, "prior": "none"}


@pytest.fixture(params=[(2, "schutt", 0), (4, "nff", 0), (3, "schutt", 6)], ids=str)
def sizes(request) -> SchNetOptions:
    n_interactions, filter_network, n_vectors = request.param
    return SchNetOptions(
        **SIZES, n_interactions=n_interactions, filter_network=filter_network, n_vectors=n_vectors
    )


@pytest.fixture
def model(sizes, monkeypatch) -> SchNet:
    """A network on plain torch operations, which torch can count."""
    monkeypatch.setattr("mdaug.models.potential.load_kernels", lambda: False)
    return SchNet(sizes, [1, 6], [0.0, 0.0], 1.0)


def flops(products) -> int:
    return sum(product.flops for product in products)


def graph(n_atoms: int) -> Graph:
    idx_i, idx_j = torch.triu_indices(n_atoms, n_atoms, 1)
    d_ij = torch.linspace(0.9, 3.0, len(idx_i))
    unit_ij = torch.nn.functional.normalize(torch.randn(len(idx_i), 3), dim=1)
    species = torch.arange(n_atoms) % 2
    return Graph(species, idx_i, idx_j, d_ij, unit_ij, torch.zeros_like(species), 1)


def test_evaluation_has_the_products_of_the_network(sizes, model):
    n_atoms = 5
    some = graph(n_atoms)
    filters = [torch.ones(len(some.idx_i), sizes.n_filters + sizes.n_vectors)] * sizes.n_interactions
    pairs = Pairs(some.idx_i, some.idx_j, some.d_ij, some.unit_ij, filters, filters, 0.0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(some.species, pairs)
    table_by_element = Product(n_atoms, sizes.n_atom_basis, sizes.n_filters + sizes.n_vectors)
    last_layer = Product(n_atoms, sizes.n_atom_basis // 2, 1)
    avoidable = flops([table_by_element, last_layer])
    assert flops(evaluation_products(sizes, n_atoms)) == counter.get_total_flops() - avoidable


def test_filter_products_are_those_of_the_tables(sizes, model):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.tables()
    assert flops(filter_products(sizes)) == counter.get_total_flops()


def test_training_has_twice_as_many_products_backward(sizes, model):
    """The step of the network, less what a table by element and the last layer take, and its gradients."""
    n_atoms = 5
    with FlopCounterMode(display=False) as counter:
        energies, forces = model(graph(n_atoms))
        (energies.sum() + forces.square().sum()).backward()
    n_basis, n_messages = sizes.n_atom_basis, sizes.n_filters + sizes.n_vectors
    lower_bound = flops(training_products(sizes, n_atoms))
    avoidable = flops([Product(n_atoms, n_basis, n_messages), Product(n_atoms, n_basis // 2, 1)])
    assert counter.get_total_flops() == lower_bound + 3 * avoidable


def test_published_width_takes_the_products_that_the_issue_counts():
    """Of 256 x 256 for each atom: 17 with three blocks, 23 with four (two of them are half as wide)."""
    for n_interactions, expected in ((3, 17), (4, 23)):
        sizes = SchNetOptions(n_atom_basis=256, n_filters=256, n_vectors=0, n_interactions=n_interactions)
        assert flops(evaluation_products(sizes, 9)) == expected * Product(9, 256, 256).flops


@pytest.mark.parametrize(("n_interactions", "expected"), [(1, 3), (2, 8), (3, 15), (4, 22), (6, 34)])
def test_the_core_takes_no_more_products_than_the_network(n_interactions, expected):
    """Counted in products of equal widths; those of the readout count half."""
    plain = SchNetOptions(n_atom_basis=256, n_filters=256, n_interactions=n_interactions, n_vectors=0)
    assert flops(core_products(plain, 9)) == expected * Product(9, 256, 256).flops
    for n_vectors in (0, 64):
        sizes = plain.model_copy(update={"n_vectors": n_vectors})
        assert flops(core_products(sizes, 9)) <= flops(evaluation_products(sizes, 9))


def test_bare_products_compute_products_of_these_shapes(sizes):
    products = training_products(sizes, 5)
    run = bare_products(products, torch.float32, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        run()
    assert counter.get_total_flops() == flops(products)


def test_traffic_grows_with_what_is_moved():
    sizes = SchNetOptions(**SIZES, n_interactions=2)
    # per block and atom (2·20 + 3·12) + (3·20 + 3·12) numbers; per pair 2 (8 + 4) + 8 bytes
    assert least_traffic(sizes, 1, 0, 4) == 2 * 172 * 4
    assert least_traffic(sizes, 0, 1, 4) == 2 * 32
    assert gathered_traffic(sizes, 3, 8) == 2 * 3 * 14 * 20 * 8


def test_memory_sweep_tells_what_it_moves():
    run, moved = memory_sweep(400, torch.device("cpu"))
    run()
    assert moved == 1200
