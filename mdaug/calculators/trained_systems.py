"""The systems that a model was trained on, by its manifest; imports no torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.geometry.bonds import find_bonds


def system_records(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the record of each system of a model's training; for one system, the entry ``training``.

    Parameters
    ----------
    manifest
        Manifest of the model.
    """
    training = manifest.get("training") or {}
    return list(training.get("systems") or [training])


def manifest_for(manifest: Mapping[str, Any], atoms: Atoms) -> dict[str, Any]:
    """Return the manifest with the bonds and the other records of the system that a structure is of.

    Parameters
    ----------
    manifest
        Manifest of a model.
    atoms
        The structure.

    Returns
    -------
    dict
        The manifest as it is for a model of one system, and for atoms of none of its systems.
    """
    record = _record_of(manifest, atoms)
    return dict(manifest) if record is None else {**manifest, "training": manifest["training"] | record}


def label_for(manifest: Mapping[str, Any], atoms: Atoms) -> str | None:
    """Return the label of the system that a structure is of; None for none, or a model of one system.

    Parameters
    ----------
    manifest
        Manifest of a model.
    atoms
        The structure.
    """
    record = _record_of(manifest, atoms)
    return None if record is None else str(record["label"])


def _record_of(manifest: Mapping[str, Any], atoms: Atoms) -> dict[str, Any] | None:
    """Return the system with these atoms in this order; of several the one that has the same bonds."""
    training = manifest.get("training") or {}
    same = [
        record
        for record in training.get("systems") or []
        if np.array_equal(record["reference_structure"]["atomic_numbers"], atoms.numbers)
    ]
    periodic = bool(atoms.pbc.any())
    alike = [record for record in same if any(record["reference_structure"].get("pbc", [])) == periodic]
    candidates = alike or same
    if len(candidates) <= 1:
        return next(iter(candidates), None)
    bonds = {tuple(sorted(bond)) for bond in find_bonds(atoms).tolist()}
    return min(candidates, key=lambda record: len(bonds ^ _bonds(record)))


def _bonds(record: Mapping[str, Any]) -> set[tuple[int, ...]]:
    return {tuple(sorted(bond["atoms"])) for bond in record["bonds"]}
