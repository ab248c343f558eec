"""README.md of a folder for a trainer: what is in it, how the weights are read, and the command line."""

from pathlib import Path

import numpy as np

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.files import write_text
from mdaug.text import in_one_line

README = "README.md"
MOST_NAMES = 5
"""Systems that a title names."""


def write_readme(folder: Path, trainer: Trainer, data: TrainingData, instructions: Instructions) -> None:
    """Write README.md.

    Parameters
    ----------
    folder
        Folder of the files.
    trainer
        The trainer.
    data
        The frames that were written.
    instructions
        What the trainer's module returned.
    """
    weights = np.concatenate([frames.weights for frames in data.augmented])
    n_raw, n_validation, n_test = (sum(map(len, part)) for part in (data.raw, data.validation, data.test))
    lines = [
        f"# {_title(data)}: raw and augmented frames for {trainer.title}",
        "",
        f"{n_raw} raw training frames{_level(data)}, {len(weights)} augmented frames made from them, "
        f"{n_validation} validation and {n_test} test frames. Augmented frames are distorted geometries "
        f"labeled by rule {_rules(data)}; they keep a model from failing outside the region of the raw "
        "frames. Their labels are less accurate, so they weigh "
        f"{weights.min():.3g} to {weights.max():.3g} (together {weights.sum():.4g}) where a raw frame "
        f"weighs 1. {_delta(data)}Energies are in eV, forces in eV/Å, positions in Å.",
        "",
        "## Training",
        "",
        *(f"    {line}" for line in instructions.command.splitlines()),
        "",
        "## Weights",
        "",
        instructions.weights,
        "",
        "## Files",
        "",
        *(f"- `{name}`: {what}" for name, what in trainer.files.items() if _exists(folder, name)),
        f"- {_of_mdaug(data)}, `split.json`: the augmented frames as mdaug writes them, their springs, and "
        "the indices of the training, validation and test frames in the data",
        "",
        *(f"- {remark}" for remark in instructions.remarks),
    ]
    write_text(folder / README, "\n".join(lines).rstrip() + "\n")


def _title(data: TrainingData) -> str:
    """Return the name of the frames, or how many systems there are and which."""
    if len(data.systems) == 1:
        return in_one_line(data.raw[0].name)
    labels = [in_one_line(system.label) for system in data.systems]
    more = f" and {len(labels) - MOST_NAMES} more" if len(labels) > MOST_NAMES else ""
    return f"{len(labels)} systems ({', '.join(labels[:MOST_NAMES])}{more})"


def _level(data: TrainingData) -> str:
    """Return the level of theory in parentheses; an empty text where it is unknown."""
    level = next((frames.level_of_theory for frames in data.raw if frames.level_of_theory), None)
    return f" ({in_one_line(level)})" if level else ""


def _rules(data: TrainingData) -> str:
    rules = dict.fromkeys(str(frames.info["rule"][0]) for frames in data.augmented)
    return " or ".join(f"`{rule}`" for rule in rules)


def _of_mdaug(data: TrainingData) -> str:
    """Return the files of mdaug itself: of several systems they are in folders."""
    where = "systems/LABEL/" if len(data.systems) > 1 else ""
    return f"`{where}augmented.xyz`, `{where}springs.json`"


def _delta(data: TrainingData) -> str:
    """Return a sentence on the frames of Δ-learning; an empty text without."""
    if not data.delta:
        return ""
    return (
        f"{sum(map(len, data.delta))} more frames are of Δ-learning: from MD at the temperature of the "
        "frames and above, labeled by a low-level method and a network of its errors; each weighs "
        f"{max(frames.weights.max() for frames in data.delta):.3g}. "
    )


def _exists(folder: Path, name: str) -> bool:
    return (folder / name.removesuffix("/*")).exists()
