"""Lower bounds of the times: the matrix products of a network, and the bytes that pass through memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from mdaug.models import SchNetOptions

BLOCKS_IN_ADVANCE = 3
"""Up to this number of blocks the core multiplies the matrices of one block with those of the next."""


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
    """Return the products of one evaluation of energy and forces, layer by layer, forward and backward.

    Not included: A x and B x of the first block, which are tables by element, and their gradients, which are
    not needed; the last layer of the readout, a product with one column.

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_atoms
        Number of atoms.
    """
    n_basis, n_messages = sizes.n_atom_basis, sizes.n_filters + sizes.n_vectors
    of_vectors = Product(3 * n_atoms, sizes.n_vectors, sizes.n_vectors)
    up = []
    for block in range(sizes.n_interactions):
        if block > 0:
            up.append(Product(n_atoms, n_basis, n_messages))
        if sizes.n_vectors > 0:
            up += [of_vectors, of_vectors]
        up += [Product(n_atoms, n_messages, n_basis), Product(n_atoms, n_basis, n_basis)]
    up.append(Product(n_atoms, n_basis, max(1, n_basis // 2)))
    return up + [Product(p.rows, p.columns, p.depth) for p in reversed(up)]


def core_products(sizes: SchNetOptions, n_atoms: int) -> list[Product]:
    """Return the products of one evaluation by the C++ core, which multiplies some matrices in advance.

    Up to three blocks it makes the messages of a block from the hidden units of all blocks below; with more
    it sums the features (``mdaug/native/core/atomwise.h``).

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_atoms
        Number of atoms.
    """
    n_basis, n_messages = sizes.n_atom_basis, sizes.n_filters + sizes.n_vectors
    n_blocks, readout = sizes.n_interactions, Product(n_atoms, n_basis, max(1, n_basis // 2))
    up = [Product(n_atoms, n_messages, n_basis)] * n_blocks
    if sizes.n_vectors > 0:
        up += [Product(3 * n_atoms, sizes.n_vectors, 2 * sizes.n_vectors)] * n_blocks
    to_messages = Product(n_atoms, n_basis, n_messages)
    if n_blocks > BLOCKS_IN_ADVANCE:
        up += [Product(n_atoms, n_basis, n_basis), to_messages] * (n_blocks - 1) + [readout] * 2
    else:
        up += [to_messages] * (n_blocks * (n_blocks - 1) // 2) + [readout] * n_blocks
    return up + [Product(p.rows, p.columns, p.depth) for p in reversed(up)]


def filter_products(sizes: SchNetOptions) -> list[Product]:
    """Return the products of the filter networks of all blocks on the knots of their splines.

    Parameters
    ----------
    sizes
        Sizes of the network.
    """
    n_rows = sizes.n_knots + 3
    n_hidden = sizes.n_filters if sizes.filter_network == "schutt" else sizes.gaussians
    n_columns = sizes.n_filters + sizes.n_vectors
    block = [Product(n_rows, sizes.gaussians, n_hidden), Product(n_rows, n_hidden, n_columns)]
    return block * sizes.n_interactions


def training_products(sizes: SchNetOptions, n_atoms: int) -> list[Product]:
    """Return the products of a training step: each product of the evaluation and two of its gradient.

    y = x W has the gradients ḡ Wᵀ in x and xᵀ ḡ in W. The filter networks on the knots are included, without
    the gradients in Gaussians that are not trained.

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_atoms
        Number of atoms of the batch.
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
    """Return a function that computes the products with ``torch.mm``, each with its own matrices.

    Parameters
    ----------
    products
        The products.
    dtype, device
        Precision and device of the matrices.
    """
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
    """Return the bytes that one evaluation moves through memory if every row is moved once per stage.

    Forward, per block: A x and the features are read and written, the slopes of the activation written.
    Backward: the gradient in v, A x and the slopes are read, the gradients read and written. For each
    unordered pair two indices and the distance are read in both stages, and its slope is read and written
    backward.

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_atoms, n_pairs
        Numbers of atoms and of unordered pairs.
    itemsize
        Bytes of a number.
    """
    n_basis, n_filters = sizes.n_atom_basis, sizes.n_filters
    of_atom = (2 * n_filters + 3 * n_basis) + (3 * n_filters + 3 * n_basis)
    of_pair = 2 * (2 * 4 + itemsize) + 2 * itemsize
    return sizes.n_interactions * (n_atoms * of_atom * itemsize + n_pairs * of_pair)


def gathered_traffic(sizes: SchNetOptions, n_pairs: int, itemsize: int) -> int:
    """Return the bytes of the rows of neighbors if none of them is in a cache when it is needed.

    Per unordered pair, forward: A x of both atoms is read, v of both is read and written. Backward: A x and
    the gradient of both are read, and the sums of both are read and written.

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_pairs
        Number of unordered pairs.
    itemsize
        Bytes of a number.
    """
    return sizes.n_interactions * n_pairs * (2 * 3 + 2 * 4) * sizes.n_filters * itemsize


def memory_sweep(n_bytes: int, device: torch.device) -> tuple[Callable[[], None], int]:
    """Return a function that adds two arrays into a third, and the bytes that this moves.

    Parameters
    ----------
    n_bytes
        Size of each array.
    device
        Device of the arrays.
    """
    a, b, c = (torch.ones(n_bytes // 4, device=device) for _ in range(3))

    def run() -> None:
        torch.add(a, b, out=c)

    return run, 3 * 4 * a.numel()
