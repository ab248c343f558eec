"""Structures of several systems in one file to one set of frames for each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from mdaug.data.isolated_atoms import is_isolated, note_of_left_out
from mdaug.data.readers.contents import LabelKeys
from mdaug.data.readers.from_atoms import frames_from_atoms
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.graph_hash import graph_hash


def group_structures(images: Sequence[Atoms], path: Path) -> list[list[int]]:
    """Return the structures of each system: equal atoms in equal order, and equal periodic directions.

    Parameters
    ----------
    images
        Structures.
    path
        The file, for messages.

    Returns
    -------
    list of list of int
        Indices of the structures of each system, the systems in the order of their first structures.

    Raises
    ------
    DataError
        If two systems are the same molecules with their atoms in different orders.
    """
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    for n, atoms in enumerate(images):
        key = atoms.numbers.astype("<i8").tobytes(), atoms.pbc.tobytes()
        groups.setdefault(key, []).append(n)
    _refuse_other_orders(images, list(groups.values()), path)
    return list(groups.values())


def systems_from_atoms(
    images: Sequence[Atoms], path: Path, keys: LabelKeys
) -> list[tuple[FrameSet, tuple[str, ...]]]:
    """Return frames and notes of each system, as `frames_from_atoms` does for one.

    Parameters
    ----------
    images
        Structures with energies and forces.
    path
        The file.
    keys
        Names of energies and forces that the user states.

    Raises
    ------
    DataError
        As `frames_from_atoms` and `group_structures`.
    """
    groups = group_structures(images, path)
    if len(groups) <= 1 and not (images and is_isolated(images[0])):
        return [frames_from_atoms(images, path, keys)]
    systems = []
    for group in groups:
        of_system = [images[n] for n in group]
        own_keys = replace(keys, forces_optional=True) if is_isolated(of_system[0]) else keys
        frames, notes = frames_from_atoms(of_system, path, own_keys, numbers=group)
        formula = images[group[0]].get_chemical_formula("hill")
        systems.append((replace(frames, name=f"{path.name} ({formula})"), notes))
    return systems


def system_from_atoms(
    images: Sequence[Atoms], path: Path, keys: LabelKeys
) -> tuple[FrameSet, tuple[str, ...]]:
    """Return frames and notes of the only system; isolated atoms beside it are left out.

    Parameters
    ----------
    images
        Structures with energies and forces.
    path
        The file.
    keys
        Names of energies and forces that the user states.

    Raises
    ------
    DataError
        As `frames_from_atoms`.
    """
    kept, left_out = _without_isolated_atoms(images)
    frames, notes = frames_from_atoms([images[n] for n in kept], path, keys, numbers=kept)
    return frames, (*left_out, *notes)


def _without_isolated_atoms(images: Sequence[Atoms]) -> tuple[list[int], list[str]]:
    """Return the numbers of structures that are no isolated atoms, or of all if there is no other; a note."""
    others = [n for n, atoms in enumerate(images) if not is_isolated(atoms)]
    if len(others) in (0, len(images)):
        return list(range(len(images))), []
    return others, [note_of_left_out([str(atoms.symbols) for atoms in images if is_isolated(atoms)])]


def _refuse_other_orders(images: Sequence[Atoms], groups: Sequence[list[int]], path: Path) -> None:
    """Refuse molecules that differ from others in nothing but the order of their atoms."""
    seen: dict[tuple[str, bytes], int] = {}
    if len(groups) == 1:
        return
    for group in groups:
        atoms = images[group[0]]
        if len(atoms) == 0:
            raise DataError(f"{path}: frame {group[0]} holds no atoms")
        key = graph_hash(atoms.numbers, _bonds(atoms)), atoms.pbc.tobytes()
        if key in seen:
            raise DataError(
                f"{path}: frame {group[0]} has the atoms of frame {seen[key]}, with the same bonds, in "
                "another order; expected one order of atoms for each system: reorder these frames"
            )
        seen[key] = group[0]


def _bonds(atoms: Atoms) -> IntArray:
    bonds: IntArray = find_bonds(atoms)
    return bonds
