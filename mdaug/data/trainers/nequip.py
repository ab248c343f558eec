"""NequIP and Allegro: extended xyz, weights with which a sampler draws frames, and a configuration."""

from pathlib import Path

import numpy as np
from ase import Atoms

from mdaug.data.trainers.configuration import configuration
from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import FILES, TEST, TRAIN, VALIDATION, labeled_atoms, write_sets
from mdaug.files import atomic_path, write_text
from mdaug.frames import FrameSet

CONFIG, WEIGHTS_FILE = "nequip.yaml", "weights.txt"

WEIGHTS = f"""\
NequIP (checked: 0.19.1) has no weight of a frame in its losses. {CONFIG} therefore draws the frames of
each epoch with probabilities proportional to the numbers in {WEIGHTS_FILE} (one for each frame of
{TRAIN}), by PyTorch's `WeightedRandomSampler` in `train_dataloader`. In the mean over many steps every
frame counts as its weight says. Without this sampler all frames are equally important: a stretched
molecule then counts as much as a frame of the data."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the three sets, weights.txt and nequip.yaml."""
    write_sets(data, folder, _atoms)
    with atomic_path(folder / WEIGHTS_FILE) as temporary:
        np.savetxt(temporary, data.weights, fmt="%.10g")
    write_text(folder / CONFIG, _config(data))
    return Instructions(
        WEIGHTS,
        f"nequip-train -cn {CONFIG}",
        (
            "Run the command in this folder, with one process.",
            "Allegro reads the same files; replace the model in the configuration.",
            "Stresses are left out, because augmented frames have none.",
            f"Sizes of the network and epochs in {CONFIG} are a start; choose your own.",
        ),
    )


def _atoms(frames: FrameSet, n: int) -> Atoms:
    return labeled_atoms(frames, n)


def _config(data: TrainingData) -> str:
    return configuration(
        CONFIG,
        symbols=data.symbols,
        train_file=TRAIN,
        validation_file=VALIDATION,
        test_file=TEST if data.test else None,
        reference_energies=_references(data),
        weights_file=WEIGHTS_FILE,
        n_training=len(data.weights),
    )


def _references(data: TrainingData) -> dict[str, float] | None:
    """Return the energies of the elements; None for one system, whose mean NequIP finds by itself."""
    if len(data.systems) == 1:
        return None
    return dict(zip(data.symbols, data.reference_energies.values(), strict=True))


TRAINER = Trainer(
    "NequIP",
    FILES | {WEIGHTS_FILE: "weights of the frames of train.xyz", CONFIG: "configuration for nequip-train"},
    _write,
)
