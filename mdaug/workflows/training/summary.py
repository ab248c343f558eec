"""Summary of a training for the manifest of its model: the entry "training"."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mdaug.calculators.applicability import bond_limits_A, molecule_record
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.molecules import mean_bonds
from mdaug.geometry.pairs import pair_lengths
from mdaug.geometry.shared_hydrogens import shared_hydrogens
from mdaug.springs.distances import pair_distances
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.training.sets import Sets


def summarize_training(frames: FrameSet, cutoff: float) -> dict[str, Any]:
    """Return the summary of the raw training frames that scans, dynamics and stability start from.

    It holds the data's name and level of theory, the range of distances of each element pair (outside of it
    the model is not to be trusted), the kinds of molecules and the longest bonds that define them (see
    `mdaug.calculators.applicability`), the bonds with mean, standard deviation and range of their lengths,
    hydrogens that are bonded to different atoms in different frames, and the frame of lowest energy.

    Parameters
    ----------
    frames
        The raw training frames.
    cutoff
        Cutoff of the model, Å.
    """
    return {
        "data": frames.name,
        "level_of_theory": frames.level_of_theory,
        "temperature_K": frames.temperature_K,
        "charge": frames.charge,
        "multiplicity": frames.multiplicity,
        "n_train": len(frames),
        "stresses": frames.known_stresses is not None,
        "distance_range_A": _distance_ranges(frames, cutoff),
        "bond_limits_A": bond_limits_A(frames.atomic_numbers),
        "molecules": molecule_record(frames),
        "bonds": _bonds(frames),
        "shared_hydrogens": [hydrogen.to_json() for hydrogen in shared_hydrogens(frames)],
        "reference_structure": _lowest_frame(frames),
    }


def summarize_systems(systems: Sequence[FrameSet], labels: Sequence[str], cutoff: float) -> dict[str, Any]:
    """Return the summary of a training on one or several systems.

    That of several systems has the keys of `summarize_training` with what holds for all: the molecules
    of all, the range of distances over all, and None for what differs between them; ``bonds`` and
    ``reference_structure`` are those of the first system. The list ``systems`` has what differs, with a
    ``label`` for each.

    Parameters
    ----------
    systems
        The raw training frames of each system.
    labels
        A name for each system.
    cutoff
        Cutoff of the model, Å.
    """
    parts = [summarize_training(frames, cutoff) for frames in systems]
    if len(parts) == 1:
        return parts[0]
    numbers = [number for frames in systems for number in frames.atomic_numbers.tolist()]
    return parts[0] | {
        "data": ", ".join(frames.name for frames in systems),
        **{key: _common([part[key] for part in parts]) for key in _OF_ALL},
        "n_train": sum(len(frames) for frames in systems),
        "stresses": any(part["stresses"] for part in parts),
        "distance_range_A": _widest([part["distance_range_A"] for part in parts]),
        "bond_limits_A": bond_limits_A(numbers),
        "molecules": _all_molecules(parts),
        "systems": [
            {"label": label, **{key: part[key] for key in _OF_EACH}}
            for label, part in zip(labels, parts, strict=True)
        ],
    }


_OF_ALL = ("level_of_theory", "temperature_K", "charge", "multiplicity")
_OF_EACH = ("data", *_OF_ALL, "n_train", "stresses", "bonds", "shared_hydrogens", "reference_structure")


def _common(values: Sequence[Any]) -> Any:
    """Return the value that all have; None if there is none."""
    return values[0] if all(value == values[0] for value in values) else None


def _widest(ranges: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    widest: dict[str, list[float]] = {}
    for name, (low, high) in (item for of_system in ranges for item in of_system.items()):
        least, most = widest.get(name, (low, high))
        widest[name] = [min(least, low), max(most, high)]
    return widest


def _all_molecules(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the molecules of all systems, with their share in the frames, each frame counted once."""
    n_all = sum(part["n_train"] for part in parts)
    molecules: dict[tuple[str, str], dict[str, Any]] = {}
    for part in parts:
        for molecule in part["molecules"]:
            key = molecule["formula"], molecule["graph"]
            share = molecule["share"] * part["n_train"] / n_all
            molecules[key] = molecule | {"share": share + molecules.get(key, {"share": 0.0})["share"]}
    return sorted(molecules.values(), key=lambda molecule: -molecule["share"])


def frame_energies_kcal_mol(sets: Sets) -> dict[str, FloatArray]:
    """Return the energies of the training frames of a system above the lowest raw frame, by kind of frames.

    Parameters
    ----------
    sets
        The frames of the system.

    Returns
    -------
    dict
        ``"raw"``, the kinds of augmented frames, ``"explored"``, ``"Δ-learning"`` -> energies, kcal/mol,
        shape (n_frames,); only kinds that there are.
    """
    energies: dict[str, FloatArray] = {"raw": sets.train.energies}
    if sets.augmented is not None:
        kinds = sets.augmented.info["kind"]
        energies |= {str(kind): sets.augmented.energies[kinds == kind] for kind in dict.fromkeys(kinds)}
    for kind, frames in (("explored", sets.explored), ("Δ-learning", sets.delta)):
        if frames is not None:
            energies[kind] = frames.energies
    lowest = sets.train.energies.min()
    return {kind: (values - lowest) * KCAL_MOL_PER_EV for kind, values in energies.items()}


def _distance_ranges(frames: FrameSet, cutoff: float) -> dict[str, list[float]]:
    samples = pair_distances(frames, cutoff)
    return {name: [float(values.min()), float(values.max())] for name, (values, _) in samples.items()}


def _bonds(frames: FrameSet) -> list[dict[str, Any]]:
    pairs, _ = mean_bonds(frames)
    if not len(pairs):  # single atoms, for example noble gases: nothing is bonded
        return []
    idx_i, idx_j = pairs.T
    lengths = pair_lengths(frames.positions, frames.periodic_cells, idx_i, idx_j)
    return [
        {
            "atoms": [int(i), int(j)],
            "mean_A": float(length.mean()),
            "std_A": float(length.std()),
            "range_A": [float(length.min()), float(length.max())],
        }
        for i, j, length in zip(idx_i, idx_j, lengths.T, strict=True)
    ]


def _lowest_frame(frames: FrameSet) -> dict[str, Any]:
    lowest = int(np.argmin(frames.energies))
    structure = {
        "atomic_numbers": frames.atomic_numbers.tolist(),
        "symbols": [chemical_symbols[number] for number in frames.atomic_numbers],
        "positions": frames.positions[lowest].tolist(),
        "energy_eV": float(frames.energies[lowest]),
    }
    if frames.cells is not None:
        structure |= {"cell": frames.cells[lowest].tolist(), "pbc": list(frames.pbc)}
    return structure
