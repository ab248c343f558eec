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
from mdaug.data import load_frames
from mdaug.data.load import read_frames
from mdaug.data.splits import Split
from mdaug.data.trainers.training_data import TrainingData
from mdaug.files import write_json

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
"""Trainers whose energies are those of the data minus the mean of the training frames."""


def write_files(name: str, folder: Path, data: str, few: list[str]) -> TrainingData:
    """Write the files of a trainer and return what they should hold."""
    if main(["augment", data, "--for", name, *few, "--out", str(folder), "--overwrite"]) != 0:
        sys.exit(f"{name}: mdaug augment failed")
    every = next((int(word.partition("=")[2]) for word in few if word.startswith("--every=")), 1)
    frames, split = load_frames(data, every=every), Split.read(folder / "split.json")
    parts = (frames.select(part) for part in (split.train, split.validation, split.test))
    raw, validation, test = parts
    return TrainingData(raw, read_frames(folder / "augmented.xyz").frames, validation, test)


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
    energies = np.concatenate([frames.energies for frames in data.training])
    forces = np.concatenate([frames.forces for frames in data.training])
    if name in SHIFTED:
        energies = energies - data.reference_energy
    order, order_read = np.argsort(energies), np.argsort(read["energies"])
    weights = data.weights[order]
    outcome: dict[str, object] = {
        "version": str(read["version"]),
        "n_frames": len(read["energies"]),
        "energy_difference_eV": float(np.abs(energies[order] - read["energies"][order_read]).max()),
        "force_difference_eV_A": float(np.abs(forces[order] - read["forces"][order_read]).max()),
    }
    is_raw = (np.arange(len(energies)) < len(data.raw))[order]
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
    parser.add_argument("--data", default="ethanol")
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
