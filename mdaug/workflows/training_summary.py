"""Summary of a training for the manifest of its model: the entry "training"."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mdaug.calculators.applicability import bond_limits_A, molecule_record
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.molecules import mean_bonds
from mdaug.geometry.pairs import pair_lengths
from mdaug.geometry.training_bonds import shared_hydrogens
from mdaug.springs.distances import pair_distances
from mdaug.units import KCAL_MOL_PER_EV


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
        Of the model, Å.
    """
    return {
        "data": frames.name,
        "level_of_theory": frames.level_of_theory,
        "temperature_K": frames.temperature_K,
        "charge": frames.charge,
        "multiplicity": frames.multiplicity,
        "n_train": len(frames),
        "distance_range_A": _distance_ranges(frames, cutoff),
        "bond_limits_A": bond_limits_A(frames.atomic_numbers),
        "molecules": molecule_record(frames),
        "bonds": _bonds(frames),
        "shared_hydrogens": [hydrogen.to_json() for hydrogen in shared_hydrogens(frames)],
        "reference_structure": _lowest_frame(frames),
    }


def frame_energies_kcal_mol(raw: FrameSet, augmented: Sequence[FrameSet]) -> dict[str, FloatArray]:
    """Return the energies of the training frames above the lowest raw frame, by kind of frames.

    Parameters
    ----------
    raw
        The raw training frames.
    augmented
        Augmented frames, whose ``info["kind"]`` names their kinds, and explored ones.

    Returns
    -------
    dict
        ``"raw"`` and the kinds -> energies, kcal/mol.
    """
    energies: dict[str, FloatArray] = {"raw": raw.energies}
    for frames in augmented:
        kinds = frames.info.get("kind", np.full(len(frames), "explored"))
        energies |= {str(kind): frames.energies[kinds == kind] for kind in dict.fromkeys(kinds)}
    lowest = raw.energies.min()
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
