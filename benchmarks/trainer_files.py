"""Files of `mdaug augment --for NAME`, read by each trainer itself: do energies, forces and weights arrive?

``python benchmarks/trainer_files.py --out DIR --mace PYTHON --schnetpack PYTHON …`` writes the files of the
named trainers for ethanol frames, reads them with the trainer's own loader in its own environment
(trainer_readers/read_NAME.py), prints the largest differences and writes trainer_files.json. With --train,
each trainer also trains for some steps by the command line of its README.md.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mdaug.cli.app import main
from mdaug.data import load_systems
from mdaug.data.load import read_frames
from mdaug.data.trainers.training_data import SystemFrames, TrainingData
from mdaug.files import write_json
from mdaug.workflows.training.data import read_splits

READERS = Path(__file__).with_name("trainer_readers")

TRAIN = {
    "mace": "mace_run_train --config mace.yaml --max_num_epochs 1 --num_channels 4 --max_L 0",
    "nequip": "nequip-train -cn nequip.yaml trainer.max_epochs=1 training_module.model.num_features=8 "
    "training_module.model.num_layers=1",
    "schnetpack": "spktrain experiment=augmented trainer.max_epochs=1 trainer.limit_train_batches=50 "
    "data.num_workers=0 model.representation.n_atom_basis=16 model.representation.n_interactions=1",
    "deepmd": "dp --pt train few_steps.json",
    "hippynn": "python train.py 2",
}
"""Command lines of the READMEs, for a small network and few steps."""

SHIFTED = ("hippynn", "gpumd")
"""Trainers whose energies are those of the data minus reference energies."""


def write_files(name: str, folder: Path, data: list[str], few: list[str]) -> TrainingData:
    """Write the files of a trainer and return what they should hold."""
    if main(["augment", *data, "--for", name, *few, "--out", str(folder), "--overwrite"]) != 0:
        sys.exit(f"{name}: mdaug augment failed")
    every = next((int(word.partition("=")[2]) for word in few if word.startswith("--every=")), 1)
    all_frames = [frames for one in data for frames in load_systems(one, every=every)]
    splits = json.loads((folder / "split.json").read_text()).get("systems")
    places = [folder / "systems" / label for label in splits] if splits else [folder]
    systems = []
    for frames, split, place in zip(all_frames, read_splits(folder / "split.json"), places, strict=True):
        raw, validation, test = (frames.select(part) for part in (split.train, split.validation, split.test))
        augmented = read_frames(place / "augmented.xyz").frames
        systems.append(SystemFrames(raw, augmented, validation, test, label=place.name))
    return TrainingData(tuple(systems))


def read_files(name: str, python: Path, folder: Path) -> dict[str, np.ndarray]:
    """Read the files with the trainer's loader."""
    result = folder / "read.npz"
    command = [str(python), str(READERS / f"read_{name}.py"), str(folder), str(result)]
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    with np.load(result) as arrays:
        return dict(arrays)


def compare(name: str, data: TrainingData, read: dict[str, np.ndarray]) -> dict[str, object]:
    """Return the largest differences of what was read from what was meant."""
    shifts = [data.reference_energy(frames) * (name in SHIFTED) for frames in data.training]
    energies = np.concatenate(
        [frames.energies - shift for frames, shift in zip(data.training, shifts, strict=True)]
    )
    forces = [of_frame for frames in data.training for of_frame in frames.forces]
    read_forces = (
        np.split(read["forces"], np.cumsum(read["n_atoms"])[:-1]) if "n_atoms" in read else read["forces"]
    )
    order, order_read = np.argsort(energies), np.argsort(read["energies"])
    weights = data.weights[order]
    outcome: dict[str, object] = {
        "version": str(read["version"]),
        "n_frames": len(read["energies"]),
        "energy_difference_eV": float(np.abs(energies[order] - read["energies"][order_read]).max()),
        "force_difference_eV_A": max(
            float(np.abs(forces[n] - read_forces[k][: len(forces[n])]).max())
            for n, k in zip(order, order_read, strict=True)
        ),
    }
    is_raw = (np.arange(len(energies)) < sum(map(len, data.raw)))[order]
    for key in sorted(key for key in read if "weights" in key):
        of_frames = read[key][order_read]
        of_frames = of_frames / of_frames[is_raw].mean()
        ratio = of_frames / weights
        outcome[key] = {
            "of_a_frame": [float(ratio.min()), float(ratio.max())],
            "of_all_augmented_frames": float(of_frames[~is_raw].sum() / weights[~is_raw].sum()),
        }
    return outcome


def train(name: str, python: Path, folder: Path) -> int:
    """Train for some steps; return the exit code."""
    if name == "deepmd":
        content = json.loads((folder / "input.json").read_text())
        content["training"] |= {"numb_steps": 20, "disp_freq": 10}
        write_json(folder / "few_steps.json", content)
    environment = os.environ | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PWD": str(folder),  # where SchNetPack looks for experiments
        "PYTHONPATH": "",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # SchNetPack and MACE load their own pickled models
    }
    with (folder / "training.log").open("w") as log:
        process = subprocess.run(
            TRAIN[name].split(), cwd=folder, env=environment, stdout=log, stderr=log, check=False
        )
    return process.returncode


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default=["ethanol"], nargs="+", help="one system or several")
    parser.add_argument("--train", action="store_true", help="train for some steps, too")
    for name in TRAIN:
        parser.add_argument(
            f"--{name}", type=Path, metavar="PYTHON", help=f"Python of an environment with {name}"
        )
    return parser.parse_args()


def run() -> None:
    arguments = parse_arguments()
    few = ["--every=10", "--n-frames=20", "--n-stretched=30", "--n-impulses=10", "--springs.bootstrap=0"]
    few += ["--split.train=60", "--split.validation=20", "--split.test=20"]
    outcomes: dict[str, dict[str, object]] = {}
    for name in TRAIN:
        python = getattr(arguments, name)
        if python is None:
            continue
        folder = (arguments.out / name).resolve()
        data = write_files(name, folder, arguments.data, few)
        outcomes[name] = compare(name, data, read_files(name, python, folder))
        if arguments.train:
            outcomes[name]["training_exit_code"] = train(name, python, folder)
        print(name, json.dumps(outcomes[name]), flush=True)
    write_json(arguments.out / "trainer_files.json", outcomes)


if __name__ == "__main__":
    run()
