"""SchNetPack's own MD17 experiment on given frames; started by time_to_accuracy.py with another Python.

    python schnetpack_md17.py FOLDER SECONDS DEVICE THREADS

What `spktrain experiment=md17 model/representation=schnet` of SchNetPack 2.1 sets (schnetpack/configs:
experiment/md17.yaml, model/representation/schnet.yaml, task, callbacks/ema.yaml, trainer): 128 features, 6
interactions, 20 Gaussians, cutoff 5 Å; batches of 10, AdamW with 1e-3, halved on a plateau of 75 epochs;
weights 0.01 and 0.99 of energy and force errors in kcal/mol; averaged weights with decay 0.995. One loader
process, as in its tutorials (the configuration's 8 are for bigger machines).

FOLDER/split.npz holds the frames; curve.csv grows by a row an epoch. Goes on from last.ckpt if there is one.
"""

import csv
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from ase import Atoms

sys.path.append(str(Path(__file__).parents[1] / "mdaug" / "bench"))
from schnetpack_worker import (  # which knows how to import SchNetPack beside newer torch
    LOSS_WEIGHTS,
    make_task,
    pl,
    spk,
    trn,
)

CUTOFF = 5.0
SIZES = {"n_atom_basis": 128, "n_filters": 128, "n_interactions": 6, "n_gaussians": 20, "cutoff": CUTOFF}
COLUMNS = ("seconds", "epoch", "energy_mae_kcal_mol", "force_mae_kcal_mol_A")


def make_data(folder):
    """The data module over all frames, with the split that was given."""
    arrays = np.load(folder / "split.npz")
    database, indices, n = folder / "frames.db", {}, 0
    frames, targets = [], []
    for part, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        positions, energies, forces = (arrays[f"{part}_{key}"] for key in ("positions", "energies", "forces"))
        frames += [Atoms(arrays["atomic_numbers"], r) for r in positions]
        targets += [{"energy": np.array([e]), "forces": f} for e, f in zip(energies, forces, strict=True)]
        indices[f"{name}_idx"] = np.arange(n, n + len(energies))
        n += len(energies)
    database.unlink(missing_ok=True)
    units = {"energy": "kcal/mol", "forces": "kcal/mol/Ang"}
    dataset = spk.data.ASEAtomsData.create(str(database), distance_unit="Ang", property_unit_dict=units)
    dataset.add_systems(property_list=targets, atoms_list=frames)
    np.savez(folder / "indices.npz", **indices)
    data = spk.data.AtomsDataModule(
        str(database),
        batch_size=10,
        split_file=str(folder / "indices.npz"),
        num_workers=1,
        transforms=[
            trn.SubtractCenterOfMass(),
            trn.RemoveOffsets("energy", remove_mean=True),
            trn.MatScipyNeighborList(cutoff=CUTOFF),
            trn.CastTo32(),
        ],
    )
    data.setup()
    return data


def make_its_task():
    """Its SchNet, losses, optimiser and schedule."""
    return make_task(
        SIZES,
        # SchNetPack's own class adds smoothing, which its configuration leaves at zero
        scheduler_cls=torch.optim.lr_scheduler.ReduceLROnPlateau,
        scheduler_args={"factor": 0.5, "patience": 75, "threshold": 0.0, "cooldown": 10},
        scheduler_monitor="val_loss",
    )


class HeldOut(pl.Callback):
    """Asks the averaged weights about the test frames after each validation, off the clock."""

    def __init__(self, path, loader, limit_s):
        self.path, self.loader, self.limit_s = path, loader, limit_s
        self.seconds, self.began = 0.0, None

    def on_train_start(self, trainer, task):
        kept = [row for row in self._rows() if int(row[1]) <= trainer.current_epoch]
        self.seconds = float(kept[-1][0]) if kept else 0.0
        with self.path.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *kept])
        self.began = time.perf_counter()

    def on_validation_end(self, trainer, task):
        self._synchronize()
        self.seconds += time.perf_counter() - self.began
        energy, force = self._errors(task)
        epoch = trainer.current_epoch + 1
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow((self.seconds, epoch, energy, force))
        print(f"{self.seconds:8.1f} s  epoch {epoch}  {force:.3f} kcal/mol/Å", flush=True)
        trainer.should_stop = self.seconds > self.limit_s
        self.began = time.perf_counter()

    def _errors(self, task):
        """Mean absolute errors; energies both without their mean."""
        energies, forces = [], []
        with torch.enable_grad():
            for loaded in self.loader:
                batch = {name: tensor.to(task.device) for name, tensor in loaded.items()}
                targets = {name: batch[name] for name in LOSS_WEIGHTS}
                found = task.predict_without_postprocessing(batch)
                energies.append((found["energy"] - targets["energy"]).detach().abs())
                forces.append((found["forces"] - targets["forces"]).detach().abs())
        return float(torch.cat(energies).mean()), float(torch.cat(forces).mean())

    def _rows(self):
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.reader(file))[1:]

    def _synchronize(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()


def main():
    """Train until the time is up."""
    folder, limit_s, device, threads = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    os.chdir(folder)
    torch.set_num_threads(threads)
    pl.seed_everything(0)
    data, task = make_data(folder), make_its_task()
    held_out = spk.data.AtomsLoader(data.test_dataset, batch_size=50)
    checkpoints = pl.callbacks.ModelCheckpoint(dirpath=folder, save_last=True, save_top_k=0)
    trainer = pl.Trainer(
        max_epochs=100_000,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        inference_mode=False,
        callbacks=[
            spk.train.ExponentialMovingAverage(decay=0.995),
            HeldOut(folder / "curve.csv", held_out, limit_s),
            checkpoints,
        ],
    )
    last = folder / "last.ckpt"
    resume = {"ckpt_path": str(last), "weights_only": False} if last.exists() else {}
    trainer.fit(task, datamodule=data, **resume)


if __name__ == "__main__":
    main()
