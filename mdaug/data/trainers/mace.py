"""MACE: extended xyz with ``REF_energy``, ``REF_forces`` and three weights, and a configuration."""

from pathlib import Path

import numpy as np
from ase import Atoms

from mdaug.data.trainers.configuration import configuration
from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import FILES, TEST, TRAIN, VALIDATION, bare_atoms, write_sets
from mdaug.files import write_text
from mdaug.frames import FrameSet

CONFIG = "mace.yaml"

WEIGHTS = """\
MACE (checked: 0.3.16) reads three weights of a frame. Each is √w here, where w is the weight in a
squared loss:

- losses `weighted`, `stress`, `virials` and `forces_only` multiply squared errors by `config_weight`
  times `config_energy_weight` (or `config_forces_weight`), which is √w · √w = w;
- loss `universal` ignores `config_weight` and multiplies the errors by `config_energy_weight` or
  `config_forces_weight` *before* it takes the Huber function, so that squared errors get (√w)² = w.

Loss `huber` ignores all weights, `l1l2energyforces` those of the forces: use neither with these files."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the three sets and mace.yaml."""
    write_sets(data, folder, _atoms)
    write_text(folder / CONFIG, _config(data))
    return Instructions(
        WEIGHTS,
        f"mace_run_train --config {CONFIG}",
        (
            f"`E0s` in {CONFIG} are "
            + (
                "those of the isolated atoms in the data."
                if data.isolated_atoms
                else "fitted to the frames of the data only; `average` would include the augmented frames, "
                "whose energies are higher."
            ),
            "`config_type` of frames that are not of the data is their kind, so that `--config_type_weights` "
            "can change the weight of a kind.",
            f"Sizes of the network, epochs and device in {CONFIG} are a start; choose your own.",
        ),
    )


def _atoms(frames: FrameSet, n: int) -> Atoms:
    atoms = bare_atoms(frames, n)
    if "kind" in atoms.info:
        atoms.info["config_type"] = atoms.info.pop("kind")
    if frames.weights[n] != 1.0:
        root = float(np.sqrt(frames.weights[n]))
        atoms.info |= dict.fromkeys(("config_weight", "config_energy_weight", "config_forces_weight"), root)
    atoms.info["REF_energy"] = float(frames.energies[n])
    atoms.arrays["REF_forces"] = frames.forces[n]
    if frames.stresses is not None:
        atoms.info["REF_stress"] = frames.stresses[n]
    return atoms


def _config(data: TrainingData) -> str:
    return configuration(
        CONFIG,
        train_file=TRAIN,
        validation_file=VALIDATION,
        test_file=TEST if data.test else None,
        reference_energies=data.reference_energies,
        loss="stress" if data.has_stresses else "weighted",
    )


TRAINER = Trainer("MACE", FILES | {CONFIG: "configuration for mace_run_train"}, _write)
