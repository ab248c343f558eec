"""Extended xyz files for trainers; each has keys of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ase import Atoms
from ase.io.extxyz import write_extxyz

from mdaug.data.trainers.training_data import TrainingData
from mdaug.data.write import add_labels
from mdaug.files import atomic_path
from mdaug.frames import FrameSet

TRAIN, VALIDATION, TEST = "train.xyz", "validation.xyz", "test.xyz"

FILES = {
    TRAIN: "training frames: those of the data, then the others, with weights",
    VALIDATION: "validation frames",
    TEST: "test frames",
}

PROVENANCE = ("kind", "rule", "parent")
"""Records of frames beside those of the data: how each was made, and from which frame of train.xyz."""

MakeAtoms = Callable[[FrameSet, int], Atoms]


def write_sets(data: TrainingData, folder: Path, make_atoms: MakeAtoms) -> None:
    """Write train.xyz, validation.xyz and, if there are test frames, test.xyz.

    Parameters
    ----------
    data
        The frames.
    folder
        Output folder.
    make_atoms
        Returns the structure of a frame, with all that is written.
    """
    write_xyz(folder / TRAIN, data.training, make_atoms)
    write_xyz(folder / VALIDATION, data.validation, make_atoms)
    if data.test:
        write_xyz(folder / TEST, data.test, make_atoms)


def write_xyz(path: Path, parts: Sequence[FrameSet], make_atoms: MakeAtoms) -> None:
    """Write frames as extended xyz; `atoms.arrays` and results become columns, `atoms.info` keys.

    Parameters
    ----------
    path
        File to write.
    parts
        The frames, one set after the other.
    make_atoms
        Returns the structure of a frame.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for frames in parts:
            for n in range(len(frames)):
                write_extxyz(stream, [make_atoms(frames, n)])


def bare_atoms(frames: FrameSet, n: int) -> Atoms:
    """Return a structure without labels; ``info`` has the records `PROVENANCE` of augmented frames.

    Parameters
    ----------
    frames
        Some frames.
    n
        Index of the frame.
    """
    atoms = frames.structure(n)
    atoms.info = {key: frames.info[key][n] for key in PROVENANCE if key in frames.info}
    return atoms


def labeled_atoms(frames: FrameSet, n: int, *, stress: bool = False) -> Atoms:
    """Return a structure with energy and forces as results of a calculator: ``energy=`` and ``forces:R:3``.

    Parameters
    ----------
    frames
        Some frames.
    n
        Index of the frame.
    stress
        Add the stress, where the frames have one.
    """
    atoms = bare_atoms(frames, n)
    add_labels(atoms, frames, n, stress=stress)
    return atoms
