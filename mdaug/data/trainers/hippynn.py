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
    named = {"train": data.training, "valid": data.validation, "test": data.test}
    arrays = _arrays(data, [frames for parts in named.values() for frames in parts])
    of_frame = np.repeat(list(named), [sum(map(len, parts)) for parts in named.values()])
    arrays |= {f"split_mask_{name}": of_frame == name for name, parts in named.items() if parts}
    with atomic_path(folder / FRAMES) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    write_text(folder / SCRIPT, Path(__file__).with_name("hippynn_script.py").read_text(encoding="utf-8"))
    return Instructions(
        WEIGHTS,
        f"python {SCRIPT}",
        (
            f"Energies `E` are those of the data minus {data.subtracted}, because hippynn computes in single "
            "precision. `R` is in Å, `F` in eV/Å. Rows of smaller systems are filled up with atoms of number "
            "0.",
            "The frames are those of training (raw ones first), validation and test, which the masks "
            "`split_mask_…` select.",
        ),
    )


def _arrays(data: TrainingData, parts: list[FrameSet]) -> dict[str, Any]:
    n_atoms = max(frames.n_atoms for frames in parts)

    def padded(arrays: list[Any]) -> Any:
        """Return arrays (n_frames, n_atoms, …) of all parts as one, with zeros for missing atoms."""
        widths = [((0, 0), (0, n_atoms - array.shape[1]), (0, 0))[: array.ndim] for array in arrays]
        return np.concatenate([np.pad(*each) for each in zip(arrays, widths, strict=True)])

    weights = np.concatenate([frames.weights for frames in parts])
    arrays = {
        "Z": padded([np.tile(frames.atomic_numbers, (len(frames), 1)) for frames in parts]),
        "R": padded([frames.positions for frames in parts]),
        "E": np.concatenate([frames.energies - data.reference_energy(frames) for frames in parts])[:, None],
        "F": padded([frames.forces for frames in parts]),
        "w_E": weights[:, None],
        "w_F": np.repeat(weights[:, None, None], n_atoms, axis=1),
    }
    if data.periodic:
        arrays["cell"] = np.concatenate([data.cells(frames) for frames in parts])
    return arrays


TRAINER = Trainer("hippynn", {FRAMES: "all frames, as arrays", SCRIPT: "training script"}, _write)
