"""SchNetPack: an ASE database with its metadata, a split that repeats frames, and an experiment."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import ase.db
import numpy as np

from mdaug.data.trainers.configuration import configuration
from mdaug.data.trainers.repetition import occurrences
from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import bare_atoms
from mdaug.files import atomic_path, write_text
from mdaug.frames import FrameSet, IntArray

DATABASE, SPLIT, EXPERIMENT = "frames.db", "split.npz", "experiment/augmented.yaml"

MIN_REPEATS, MAX_REPEATS = 10, 200
"""Least and most repetitions of a frame of the data by default: with fewer, weights are rounded too much."""


def _write(data: TrainingData, folder: Path, repeats: int | None) -> Instructions:
    """Write frames.db, split.npz and experiment/augmented.yaml."""
    references = {} if len(data.systems) == 1 else data.reference_energies
    _write_database(folder / DATABASE, [*data.training, *data.validation, *data.test], references)
    n_raw, weights = sum(map(len, data.raw)), data.weights
    repeats = repeats or min(MAX_REPEATS, max(MIN_REPEATS, round(1 / float(weights[n_raw:].max()))))
    counts = occurrences(weights, repeats)
    n_training, n_validation = len(counts), sum(map(len, data.validation))
    split: dict[str, Any] = {
        "train_idx": np.repeat(np.arange(n_training), counts),
        "val_idx": n_training + np.arange(n_validation),
        "test_idx": n_training + n_validation + np.arange(sum(map(len, data.test))),
    }
    with atomic_path(folder / SPLIT) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **split)
    write_text(folder / EXPERIMENT, _experiment(split, of_atoms=bool(references)))
    return Instructions(
        weights=_weights_text(counts, n_raw, repeats),
        command="spktrain experiment=augmented",
        remarks=(
            "Run the command in this folder: SchNetPack looks for `experiment/` there.",
            "Stresses are left out, because augmented frames have none.",
            f"Sizes of the network in {EXPERIMENT} are a start; choose your own.",
        ),
    )


def _weights_text(counts: IntArray, n_raw: int, repeats: int) -> str:
    added = counts[n_raw:]
    n_used = np.count_nonzero(added)
    return (
        "SchNetPack (checked: 2.1) has no weight of a frame. split.npz therefore names training frames "
        f"several times: a frame of weight 1 {repeats} times, others that often times their weight, rounded. "
        f"Of the {len(added)} frames beside the raw ones, {n_used} occur, {added.sum()} times together, as "
        "their weights demand; the others have too little weight (a larger `--repeats` lets more occur). "
        f"An epoch has {counts.sum()} frames, so take {repeats} times fewer epochs."
    )


def _write_database(path: Path, parts: list[FrameSet], references: dict[int, float]) -> None:
    """Write an ASE database in SQLite with the metadata that SchNetPack reads: units, and the energies of the
    elements, a list by atomic number, if there are any.

    Its one writing transaction makes it a hundred times faster than one a frame.
    """
    with atomic_path(path) as temporary:
        temporary.unlink()  # SQLite would take an empty file of another program
        database = ase.db.connect(temporary, type="db", use_lock_file=False)
        database.metadata = {
            "_property_unit_dict": {"energy": "eV", "forces": "eV/Ang"},
            "_distance_unit": "Ang",
            "atomrefs": {"energy": [references.get(z, 0.0) for z in range(100)]} if references else {},
        }
        with database:
            for frames in parts:
                for n in range(len(frames)):
                    labels = {"energy": frames.energies[n : n + 1], "forces": frames.forces[n]}
                    database.write(bare_atoms(frames, n), data=labels)
        with closing(sqlite3.connect(temporary)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")


def _experiment(split: dict[str, Any], *, of_atoms: bool) -> str:
    return configuration(
        "schnetpack.yaml",
        offset="atomrefs" if of_atoms else "mean",
        database=DATABASE,
        split_file=SPLIT,
        n_training=len(split["train_idx"]),
        n_validation=len(split["val_idx"]),
        n_test=len(split["test_idx"]),
    )


TRAINER = Trainer(
    "SchNetPack",
    {
        DATABASE: "all frames: ASE database with SchNetPack's metadata",
        SPLIT: "which frames are for training, how often, and which for validation and test",
        "experiment/*": "experiment for spktrain",
    },
    _write,
)
