"""GPUMD's NEP: extended xyz with a lattice and ``weight``, and nep.in."""

from pathlib import Path

import numpy as np
from ase import Atoms

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import FILES, labeled_atoms, write_sets
from mdaug.errors import DataError
from mdaug.files import write_text
from mdaug.frames import FrameSet

NEP = "nep.in"
MAX_WEIGHT = 100.0
"""Largest ``weight=`` that NEP accepts."""

WEIGHTS = """\
NEP multiplies the squared errors of a frame by the square of its `weight=` (by GPUMD's
`src/main_nep/dataset.cu` and `structure.cu`, which accept weights above 0 and up to 100). The files hold
√w, where w is the weight in a squared loss."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the three sets and nep.in."""
    largest = float(data.weights.max())
    if np.sqrt(largest) > MAX_WEIGHT:
        raise DataError(
            f"{data.raw[0].name}: the weight {largest:g} of a frame is too large for NEP, which accepts up "
            f"to {MAX_WEIGHT**2:g} in a squared loss; give a smaller --weight"
        )

    def make_atoms(frames: FrameSet, n: int) -> Atoms:
        cell = data.cells(frames.select(slice(n, n + 1)))[0]
        return _atoms(frames, n, cell, data.reference_energy(frames))

    write_sets(data, folder, make_atoms)
    write_text(folder / NEP, f"version 4\ntype {len(data.symbols)} {' '.join(data.symbols)}\n")
    remarks = [
        f"Energies are those of the data minus {data.subtracted}: NEP keeps them in single precision and "
        "warns of energies below −100 eV per atom.",
        "NEP reads train.xyz and test.xyz only; validation.xyz is for you.",
    ]
    if not all(all(frames.pbc) for frames in data.raw):
        remarks.append(
            "NEP needs a lattice and treats all directions as periodic. The cells have so much vacuum in "
            "open directions that no image is near; run GPUMD with a vacuum of more than the cutoff, too."
        )
    return Instructions(WEIGHTS, "nep", tuple(remarks))


def _atoms(frames: FrameSet, n: int, cell: np.ndarray, reference: float) -> Atoms:
    atoms = labeled_atoms(frames, n)
    atoms.cell = cell
    atoms.calc.results["energy"] -= reference
    if frames.weights[n] != 1.0:
        atoms.info["weight"] = float(np.sqrt(frames.weights[n]))
    if frames.stresses is not None:
        atoms.info["virial"] = -frames.stresses[n] * atoms.get_volume()
    return atoms


TRAINER = Trainer("GPUMD (NEP)", FILES | {NEP: "input file of nep"}, _write)
