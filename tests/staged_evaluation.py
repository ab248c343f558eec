"""The staged evaluation of the C++ core as ranks of LAMMPS use it, with every rank a core of this process."""

import ctypes

import numpy as np

from mdaug.calculators.core import Core
from mdaug.calculators.core_library import Rows, load_library
from mdaug.deployment import read_manifest
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs


def pairs_of(atoms, cutoff=4.0):
    if atoms.pbc.any():
        return neighbor_pairs(atoms.positions, atoms.cell.array, tuple(atoms.pbc), cutoff)
    idx_i, idx_j = molecule_pairs(len(atoms))
    return idx_i, idx_j, np.zeros((len(idx_i), 3))


def split_into_ranks(atoms, cutoff, n_ranks):
    """Return for each rank: owned atoms, the owner of every row, and directed neighbors of owned atoms.

    As in LAMMPS every periodic image within the cutoff is a ghost row of its own.
    """
    idx_i, idx_j, shifts = pairs_of(atoms, cutoff)
    i, j = np.concatenate([idx_i, idx_j]), np.concatenate([idx_j, idx_i])
    r_ij = np.concatenate([1 * shifts, -shifts]) + atoms.positions[j] - atoms.positions[i]
    image = np.concatenate([shifts, -shifts])
    owner_of = np.arange(len(atoms)) % n_ranks if n_ranks < 3 else np.zeros(len(atoms), int)
    for rank in range(n_ranks):
        owned = np.flatnonzero(owner_of == rank)
        row_of = {(int(atom), (0.0, 0.0, 0.0)): row for row, atom in enumerate(owned)}
        rows, first, neighbors, vectors = list(owned), [0], [], []
        for atom in owned:
            for p in np.flatnonzero(i == atom):
                key = (int(j[p]), tuple(np.round(image[p], 6) + 0.0))
                if key not in row_of:
                    row_of[key] = len(rows)
                    rows.append(j[p])
                neighbors.append(row_of[key])
                vectors.append(r_ij[p])
            first.append(len(neighbors))
        yield (
            np.array(rows, int),
            row_of,
            len(owned),
            np.array(first),
            np.array(neighbors, np.int32),
            np.array(vectors).reshape(-1, 3),
        )


def molecules_around(atoms, whole, molecules, row_of, n_local):
    """Return template, rows and positions of each molecule around each image of its atoms that a rank owns.

    Atoms that are no rows are absent.
    """
    owned = {atom for (atom, _), row in row_of.items() if row < n_local}
    for template, members in molecules:
        left = [atom for atom in members if atom in owned]
        while left:
            placed = whole[members] - whole[left[0]] + atoms.positions[left[0]]
            images = np.round(placed - atoms.positions[members], 6) + 0.0
            keys = list(zip(map(int, members), map(tuple, images.tolist()), strict=True))
            rows = np.array([row_of.get(key, -1) for key in keys])
            left = [atom for atom in left if (int(atom), (0.0, 0.0, 0.0)) not in keys]
            placed[rows < 0] = np.nan  # not to be read
            yield template, rows, placed


def staged(path, dtype, species, atoms, n_ranks, *, molecules=(), whole=None):
    """Evaluate with one core a rank, ghosts' rows copied between the stages; add up the ranks' shares.

    `molecules` are templates and atoms; `whole` are positions of whole molecules.
    """
    library = load_library()
    cores = [Core(path, dtype, n_ranks) for _ in range(n_ranks)]
    ranks = list(split_into_ranks(atoms, 4.0, n_ranks))

    def address(array):
        return ctypes.c_void_p(array.ctypes.data)

    def call(name, core, *arguments):
        handle = ctypes.c_void_p(core._handle)
        assert getattr(library, name)(handle, *arguments) == 0, library.mdaug_error(core._handle)

    for core, (rows, row_of, n_local, first, neighbors, vectors) in zip(cores, ranks, strict=True):
        row_species = species[rows].astype(np.int32)
        sizes = ctypes.c_int64(n_local), ctypes.c_int64(len(rows))
        call("mdaug_begin", core, *sizes, *map(address, (row_species, first, neighbors, vectors)))
        for template, of_rows, placed in molecules_around(atoms, whole, molecules, row_of, n_local):
            call("mdaug_add_molecule", core, ctypes.c_int64(template), *map(address, (of_rows, placed)))
    n_exchanges = 0
    for stage in range(library.mdaug_n_stages(cores[0]._handle)):
        given = [Rows() for _ in cores]
        for core, out in zip(cores, given, strict=True):
            call("mdaug_stage", core, stage, ctypes.byref(out))
        assert len({out.data is None for out in given}) == 1  # every rank exchanges, or none
        if given[0].data:
            n_exchanges += 1
            exchange(given, ranks, len(atoms), dtype)
    out = {
        "atomic_energies": np.zeros(len(atoms)),
        "forces": np.zeros((len(atoms), 3)),
        "strain": np.zeros(6),
    }
    for core, (rows, _, n_local, *_) in zip(cores, ranks, strict=True):
        energies, forces = np.zeros(n_local), np.zeros((n_local, 3))
        strain, atomic = np.zeros(6), np.zeros((n_local, 6))
        call("mdaug_finish", core, *map(address, (energies, forces, strain, atomic)))
        np.testing.assert_allclose(atomic.sum(axis=0), strain, atol=1e-11 * max(1, np.abs(strain).max()))
        out["atomic_energies"][rows[:n_local]], out["forces"][rows[:n_local]] = energies, forces
        out["strain"] += strain
    assert n_exchanges == 2 * read_manifest(path)["n_interactions"] - 1
    out["energy"] = out["atomic_energies"].sum()
    out["strain_derivative"] = out["strain"][[[0, 3, 4], [3, 1, 5], [4, 5, 2]]]
    return out


def exchange(given, ranks, n_atoms, dtype):
    """Copy every owner's row to its ghosts on all ranks; ghosts held NaN before."""
    number = np.dtype(dtype)
    assert all(out.element_size == number.itemsize for out in given)
    width = given[0].width
    views = []
    for out, (rows, *_) in zip(given, ranks, strict=True):
        n_bytes = len(rows) * width * number.itemsize
        raw = (ctypes.c_char * n_bytes).from_address(out.data) if n_bytes else bytearray()
        views.append(np.frombuffer(raw, number).reshape(len(rows), width))
    everywhere = np.full((n_atoms, width), np.nan, number)
    for view, (rows, _, n_local, *_) in zip(views, ranks, strict=True):
        everywhere[rows[:n_local]] = view[:n_local]
    for view, (rows, _, n_local, *_) in zip(views, ranks, strict=True):
        view[n_local:] = everywhere[rows[n_local:]]
