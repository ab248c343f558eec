"""Extended xyz for any program: ``energy``, ``forces``, ``weight``."""

from pathlib import Path

from ase import Atoms

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import FILES, labeled_atoms, write_sets
from mdaug.frames import FrameSet


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the three files; every frame has its ``weight``."""
    write_sets(data, folder, _atoms)
    return Instructions(
        weights=(
            "The key `weight` of a frame is the factor that its squared errors of energy and forces should "
            "have in the loss. A trainer that does not read this key takes all frames as equally important: "
            "a stretched molecule then counts as much as a frame of the data."
        ),
        command="python -c \"import ase.io; print(len(ase.io.read('train.xyz', ':')))\"",
        remarks=("The command only reads the file with ASE; use the trainer of your choice.",),
    )


def _atoms(frames: FrameSet, n: int) -> Atoms:
    atoms = labeled_atoms(frames, n, stress=True)
    atoms.info["weight"] = float(frames.weights[n])
    return atoms


TRAINER = Trainer("extended xyz", FILES, _write)
