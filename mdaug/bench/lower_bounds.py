"""What nobody can avoid: the matrix products of a network, and what has to pass through memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from mdaug.models import SchNetOptions


class Product(NamedTuple):
    """A product of a (rows, depth) by a (depth, columns) matrix."""

    rows: int
    depth: int
    columns: int

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.depth * self.columns


def evaluation_products(sizes: SchNetOptions, n_atoms: int) -> list[Product]:
    """Return the products of energy and forces of `n_atoms` atoms, layer by layer up and down again.

    Left out: the first block's A x, a table by element, and its gradient, which moves nothing; the last
    layer of the readout, a product with one column.
    """
    n_basis, n_filters = sizes.n_atom_basis, sizes.n_filters
    up = []
    for block in range(sizes.n_interactions):
        if block > 0:
            up.append(Product(n_atoms, n_basis, n_filters))
        up += [Product(n_atoms, n_filters, n_basis), Product(n_atoms, n_basis, n_basis)]
    up.append(Product(n_atoms, n_basis, max(1, n_basis // 2)))
    return up + [Product(n_atoms, p.columns, p.depth) for p in reversed(up)]


def filter_products(sizes: SchNetOptions) -> list[Product]:
    """Return the products of the filter networks of all blocks on the knots of their splines."""
    n_rows = sizes.n_knots + 3
    n_hidden = sizes.n_filters if sizes.filter_network == "schutt" else sizes.n_gaussians
    block = [Product(n_rows, sizes.n_gaussians, n_hidden), Product(n_rows, n_hidden, sizes.n_filters)]
    return block * sizes.n_interactions


def training_products(sizes: SchNetOptions, n_atoms: int) -> list[Product]:
    """Return the products of a training step on `n_atoms` atoms: each forward product and two backward.

    y = x W has the gradients ḡ Wᵀ in x and xᵀ ḡ in W. Included are the filter networks on the knots; where
    their Gaussians are not trained, nothing asks for the gradient in them.
    """
    filters = filter_products(sizes)
    forward = evaluation_products(sizes, n_atoms) + filters
    fixed = [] if sizes.trainable_gaussians else filters[::2]
    in_x = [Product(p.rows, p.columns, p.depth) for p in forward]
    for p in fixed:
        in_x.remove(Product(p.rows, p.columns, p.depth))
    return forward + in_x + [Product(p.depth, p.rows, p.columns) for p in forward]


def bare_products(
    products: Sequence[Product], dtype: torch.dtype, device: torch.device
) -> Callable[[], None]:
    """Return what computes `products` with ``torch.mm`` and nothing else, each from matrices of its own."""
    operands = [
        (
            torch.randn(p.rows, p.depth, dtype=dtype, device=device),
            torch.randn(p.depth, p.columns, dtype=dtype, device=device) / p.depth,
            torch.empty(p.rows, p.columns, dtype=dtype, device=device),
        )
        for p in products
    ]

    def run() -> None:
        with torch.inference_mode():
            for x, w, y in operands:
                torch.mm(x, w, out=y)

    return run


def least_traffic(sizes: SchNetOptions, n_atoms: int, n_pairs: int, itemsize: int) -> int:
    """Return the bytes of one evaluation that pass through memory even if every row is moved once a stage.

    Up, block by block: A x and the features in and out, the slopes of the activation out. Down: the gradient
    in v and A x in, the slopes in, the gradients in and out. Of each unordered pair and stage two indices
    and its distance in; down, its slope in and out.
    """
    n_basis, n_filters = sizes.n_atom_basis, sizes.n_filters
    of_atom = (2 * n_filters + 3 * n_basis) + (3 * n_filters + 3 * n_basis)
    of_pair = 2 * (2 * 4 + itemsize) + 2 * itemsize
    return sizes.n_interactions * (n_atoms * of_atom * itemsize + n_pairs * of_pair)


def gathered_traffic(sizes: SchNetOptions, n_pairs: int, itemsize: int) -> int:
    """Return the bytes of neighbours' rows if none of them were in a cache when its pair comes.

    Of an unordered pair: up, A x of both atoms in and v of both in and out; down, A x and the gradient of
    both in, and its sum for both in and out.
    """
    return sizes.n_interactions * n_pairs * (2 * 3 + 2 * 4) * sizes.n_filters * itemsize


def memory_sweep(n_bytes: int, device: torch.device) -> tuple[Callable[[], None], int]:
    """Return what adds two arrays of `n_bytes` into a third, and the bytes that this moves."""
    a, b, c = (torch.ones(n_bytes // 4, device=device) for _ in range(3))

    def run() -> None:
        torch.add(a, b, out=c)

    return run, 3 * 4 * a.numel()
