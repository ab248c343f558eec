"""README.md of a folder for a trainer: what is in it, how the weights are read, and the command line."""

from pathlib import Path

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.files import write_text
from mdaug.text import in_one_line

README = "README.md"


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
    weights = data.augmented.weights
    frames = in_one_line(data.raw.name)
    level = f" ({in_one_line(data.raw.level_of_theory)})" if data.raw.level_of_theory else ""
    lines = [
        f"# {frames}: raw and augmented frames for {trainer.title}",
        "",
        f"{len(data.raw)} raw training frames{level}, {len(data.augmented)} augmented frames made from them, "
        f"{len(data.validation)} validation and {len(data.test)} test frames. Augmented frames are distorted "
        f"geometries labeled by rule `{data.augmented.info['rule'][0]}`; they keep a model from failing "
        "outside the region of the raw frames. Their labels are less accurate, so they weigh "
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
        "- `augmented.xyz`, `springs.json`, `split.json`: the augmented frames as mdaug writes them, their "
        "springs, and the indices of the training, validation and test frames in the data",
        "",
        *(f"- {remark}" for remark in instructions.remarks),
    ]
    write_text(folder / README, "\n".join(lines).rstrip() + "\n")


def _delta(data: TrainingData) -> str:
    """Return a sentence on the frames of Δ-learning; an empty text without."""
    if data.delta is None:
        return ""
    return (
        f"{len(data.delta)} more frames are of Δ-learning: from MD at the temperature of the frames and "
        "above, labeled by a low-level method and a network of its errors; each weighs "
        f"{data.delta.weights.max():.3g}. "
    )


def _exists(folder: Path, name: str) -> bool:
    return (folder / name.removesuffix("/*")).exists()
