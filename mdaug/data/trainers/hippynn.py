"""hippynn: arrays of all frames in an npz, with weights and split masks, and a training script."""

from pathlib import Path
from typing import Any

import numpy as np

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.files import atomic_path, write_text
from mdaug.frames import FrameSet

FRAMES, SCRIPT = "frames.npz", "train.py"

WEIGHTS = """\
frames.npz has a weight of each frame for its energy (`w_E`) and its forces (`w_F`, one for each atom),
which the losses `WeightedMSELoss` in train.py read (checked: hippynn 0.1.3). hippynn divides them by the
mean weight of the batch, so keep batches of 20 frames or more, in which some frames are raw ones. Losses
without a weight take all frames as equally important."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write frames.npz and train.py."""
    parts = [*data.training, data.validation, *([data.test] if len(data.test) else [])]
    reference = data.reference_energy
    arrays = _arrays(data, parts, reference)
    names = [*["train"] * len(data.training), "valid", "test"]
    of_frame = np.repeat(names[: len(parts)], [len(frames) for frames in parts])
    arrays |= {f"split_mask_{name}": of_frame == name for name in dict.fromkeys(names[: len(parts)])}
    with atomic_path(folder / FRAMES) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    write_text(folder / SCRIPT, Path(__file__).with_name("hippynn_script.py").read_text(encoding="utf-8"))
    return Instructions(
        WEIGHTS,
        f"python {SCRIPT}",
        (
            f"Energies `E` are those of the data minus {reference!r} eV (the mean of the training frames), "
            "because hippynn computes in single precision. `R` is in Å, `F` in eV/Å.",
            "The frames are those of training (raw ones first), validation and test, which the masks "
            "`split_mask_…` select.",
        ),
    )


def _arrays(data: TrainingData, parts: list[FrameSet], reference: float) -> dict[str, Any]:
    n_frames, n_atoms = sum(len(frames) for frames in parts), data.raw.n_atoms
    weights = np.concatenate([frames.weights for frames in parts])
    arrays = {
        "Z": np.tile(data.raw.atomic_numbers, (n_frames, 1)),
        "R": np.concatenate([frames.positions for frames in parts]),
        "E": np.concatenate([frames.energies for frames in parts])[:, None] - reference,
        "F": np.concatenate([frames.forces for frames in parts]),
        "w_E": weights[:, None],
        "w_F": np.repeat(weights[:, None, None], n_atoms, axis=1),
    }
    if data.raw.periodic:
        arrays["cell"] = np.concatenate([data.cells(frames) for frames in parts])
    return arrays


TRAINER = Trainer("hippynn", {FRAMES: "all frames, as arrays", SCRIPT: "training script"}, _write)
