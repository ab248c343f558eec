"""Train PaiNN and predict test frames: painn_worker.py VALIDATION TEST TRAIN RESULT.npz --minutes M

Runs in an environment with SchNetPack 2.1 and imports nothing of mdaug. The training is SchNetPack's own:
`spktrain experiment=md17` (PaiNN with 128 features, 3 interactions and a cutoff of 5 Å; batches of 10, AdamW
with 1e-3, halved on a plateau of 75 epochs; weights 0.01 and 0.99 of energy and force errors in kcal/mol;
averaged weights; the model of the smallest validation loss; 200 epochs without a smaller one end it). What
differs from it: one thread without loader processes, frames and neighbor lists kept in memory, denormals
counted as zero, and a limit of CPU time.

Results are in eV and angstrom, with what ended the training. Files of SchNetPack lie in the folder RESULT.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms, units

sys.path.append(str(Path(__file__).parents[1] / "mdaug" / "bench" / "workers"))
from schnetpack_worker import pl, spk, trn  # which knows how to import SchNetPack beside newer torch

PARTS = {"validation": "val_idx", "test": "test_idx", "train": "train_idx"}
KCAL_MOL = units.kcal / units.mol


class InMemory(spk.data.AtomsDataModule):
    """Reads the frames and makes their neighbor lists once instead of once an epoch."""

    def setup(self, stage: str | None = None) -> None:
        """Read all frames."""
        if self.dataset is None:
            super().setup(stage)
            for name in ("_train_dataset", "_val_dataset", "_test_dataset"):
                part = getattr(self, name)
                setattr(self, name, [part[row] for row in range(len(part))])
            self._train_dataloader = None  # made for the mean energy, it reads the database


class CpuLimit(pl.Callback):
    """Ends the training after so many minutes of CPU time, and tells how far it came."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.began = time.process_time()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Ask for the end if the time is up."""
        if self._used() > self.minutes:
            trainer.should_stop = True

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Write what ended the training."""
        early = trainer.early_stopping_callback.stopped_epoch > 0
        ended_by = "early stopping" if early else "the limit of CPU time"
        np.savez("ended.npz", ended_by=ended_by, minutes=self._used(), epochs=trainer.current_epoch)

    def _used(self) -> float:
        return (time.process_time() - self.began) / 60


def write_database(files: dict[str, Path], folder: Path) -> None:
    """Write the frames of all parts as a database of SchNetPack, and the split of its rows."""
    parts = {name: dict(np.load(path)) for name, path in files.items()}
    database = spk.data.ASEAtomsData.create(
        str(folder / "frames.db"),
        distance_unit="Ang",
        property_unit_dict={"energy": "eV", "forces": "eV/Ang"},
    )
    split, n_rows = {}, 0
    for name, part in parts.items():
        targets = [{"energy": np.array([e]), "forces": f} for e, f in zip(part["E"], part["F"], strict=True)]
        database.add_systems(property_list=targets, atoms_list=[Atoms(part["z"], r) for r in part["R"]])
        split[PARTS[name]] = np.arange(n_rows, n_rows + len(targets))
        n_rows += len(targets)
    np.savez(folder / "split.npz", **split)  # type: ignore[arg-type]


def train(folder: Path, minutes: float) -> None:
    """Train with the configuration that SchNetPack has for MD17; leaves best_model in the folder `run`."""
    from schnetpack.cli import train as spktrain  # isort would place it before what makes it importable

    sys.argv = [
        "spktrain",
        "experiment=md17",
        "data=custom",  # the same settings without the download of MD17
        "data._target_=painn_worker.InMemory",
        f"data.datapath={folder}/frames.db",
        f"+data.split_file={folder}/split.npz",
        "data.num_train=null",
        "data.num_val=null",
        "data.num_workers=0",
        "callbacks.model_checkpoint.save_last=False",
        f"run.data_dir={folder}",
        f"run.path={folder}",
        "run.id=run",
        "run.experiment=frames",
        "+seed=0",
        "logger=csv",
        "print_config=False",
        # SchNetPack's own class is too old for torch; the smoothing it adds is zero in its configuration
        "task.scheduler_cls=torch.optim.lr_scheduler.ReduceLROnPlateau",
        "~task.scheduler_args.smoothing_factor",
        "trainer.accelerator=cpu",
        "+trainer.enable_progress_bar=False",
        "+callbacks.limit._target_=painn_worker.CpuLimit",
        f"+callbacks.limit.minutes={minutes}",
    ]
    spktrain()


def predict(model_path: Path, frames: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return energies (eV) and forces (eV/angstrom) of frames."""
    model = torch.load(model_path, map_location="cpu", weights_only=False).eval()
    neighbors = trn.MatScipyNeighborList(cutoff=float(model.representation.cutoff))
    converter = spk.interfaces.AtomsConverter(neighbor_list=neighbors, dtype=torch.float32)
    predicted = model(converter([Atoms(frames["z"], positions) for positions in frames["R"]]))
    forces = predicted["forces"].detach().numpy().reshape(frames["R"].shape)
    return {"energies": KCAL_MOL * predicted["energy"].detach().numpy(), "forces": KCAL_MOL * forces}


def main() -> None:
    """Train and predict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in [*PARTS, "result"]:
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, required=True, help="limit of CPU time")
    given = parser.parse_args()
    # SchNetPack's checkpoints hold its own classes, which torch reads only when told to
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    result = given.result.resolve()
    folder = result.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)  # SchNetPack would go on with what it finds
    folder.mkdir()
    files = {name: getattr(given, name) for name in PARTS}
    test = dict(np.load(files["test"]))
    write_database(files, folder)
    train(folder, given.minutes)
    predicted = predict(folder / "run" / "best_model", test)
    np.savez(result, **predicted, **np.load(folder / "run" / "ended.npz"))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
