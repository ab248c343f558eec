"""Structures of a file to one set of frames for each system."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from mdaug.data.element_order import sort_structure
from mdaug.data.isolated_atoms import is_isolated
from mdaug.data.readers.contents import Contents
from mdaug.data.readers.electrons import State, complete_states, read_state
from mdaug.data.readers.from_atoms import frames_from_atoms
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError, OrderError
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.graph_hash import graph_hash


def systems_from_atoms(images: Sequence[Atoms], path: Path, reading: Reading) -> list[Contents]:
    """Return the frames of each system, in eV, in the order of their first frames.

    Structures are of one system if they have the same atoms in the same order, the same periodic directions,
    and the same charge and multiplicity. Isolated atoms are systems of their own.

    Parameters
    ----------
    images
        Structures with energies and forces.
    path
        The file.
    reading
        Names of energies and forces, and whether several systems are read.

    Raises
    ------
    DataError
        As `frames_from_atoms`, and if two systems are the same molecules with their atoms in other orders.
    """
    if not images:
        raise DataError(f"{path}: holds no frame")
    if reading.reorder:
        images = [sort_structure(atoms) for atoms in images]
    groups = _groups(images, path, reading)
    if reading.several_systems:
        _refuse_other_orders(images, list(groups.values()), path)
    kinds = [kind for kind, _ in groups]
    systems = []
    for (kind, state), group in groups.items():
        own = [images[n] for n in group]
        alone = is_isolated(own[0])
        of_system = replace(reading, forces_optional=True) if alone else reading
        frames, notes = frames_from_atoms(own, path, of_system, numbers=group)
        if len(groups) > 1 or alone:
            words = own[0].get_chemical_formula("hill"), *([str(state)] if kinds.count(kind) > 1 else [])
            frames = replace(frames, name=f"{path.name} ({', '.join(words)})")
        systems.append(Contents(frames, StatedUnits.of_energy("eV"), notes))
    return systems


def _groups(images: Sequence[Atoms], path: Path, reading: Reading) -> dict[tuple[Hashable, State], list[int]]:
    """Return the indices of the structures of each system, by kind of structure and state."""
    kinds: list[Hashable] = []
    states = []
    for n, atoms in enumerate(images):
        if reading.several_systems or is_isolated(atoms):
            kinds.append((atoms.numbers.astype("<i8").tobytes(), atoms.pbc.tobytes(), is_isolated(atoms)))
            states.append(read_state(atoms.info, int(atoms.numbers.sum()), f"{path}: frame {n}"))
        else:
            kinds.append(None)  # structures of another system are refused by frames_from_atoms
            states.append(State())
    states = complete_states(kinds, states, lambda n: f"{path}: frame {n}")
    groups: dict[tuple[Hashable, State], list[int]] = {}
    for n, system in enumerate(zip(kinds, states, strict=True)):
        groups.setdefault(system, []).append(n)
    return groups


def _refuse_other_orders(images: Sequence[Atoms], groups: Sequence[list[int]], path: Path) -> None:
    """Refuse molecules that differ from others in nothing but the order of their atoms."""
    seen: dict[tuple[str, bytes], int] = {}
    orders = set()
    if len(groups) == 1:
        return
    for group in groups:
        atoms = images[group[0]]
        if len(atoms) == 0:
            raise DataError(f"{path}: frame {group[0]} holds no atoms")
        order = atoms.numbers.tobytes(), atoms.pbc.tobytes()
        if is_isolated(atoms) or order in orders:  # the same order with another charge
            continue
        orders.add(order)
        bonds = find_bonds(atoms)
        if len(bonds) == 0:  # lengths in another unit, which the checks find
            continue
        key = graph_hash(atoms.numbers, bonds), atoms.pbc.tobytes()
        if key in seen:
            raise OrderError(
                f"{path}: frame {group[0]} has the atoms of frame {seen[key]}, with the same bonds, in "
                "another order; expected one order of atoms for each system: read them with --reorder"
            )
        seen[key] = group[0]
