"""SchNetPack's own MD17 experiment on given frames; started by time_to_accuracy.py with another Python.

    python schnetpack_md17.py FOLDER --seconds S --clock wall --device cpu --threads 1 [--flush-denormals]

What `spktrain experiment=md17 model/representation=schnet` of SchNetPack 2.1 sets (schnetpack/configs:
experiment/md17.yaml, model/representation/schnet.yaml, task, callbacks/ema.yaml, trainer): 128 features, 6
interactions, 20 Gaussians, cutoff 5 Å; batches of 10, AdamW with 1e-3, halved on a plateau of 75 epochs;
weights 0.01 and 0.99 of energy and force errors in kcal/mol; averaged weights with decay 0.995. One loader
process, as in its tutorials (the configuration's 8 are for bigger machines); none with --clock cpu.

FOLDER/split.npz holds the frames; curve.csv grows by a row an epoch. Goes on from last.ckpt if there is one.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from error_curve import CLOCKS, Curve

sys.path.append(str(Path(__file__).parents[1] / "mdaug" / "bench" / "workers"))
from schnetpack_worker import (  # which knows how to import SchNetPack beside newer torch
    LOSS_WEIGHTS,
    make_task,
    pl,
    spk,
    trn,
)

LAST = "last.ckpt"
CUTOFF = 5.0
SIZES = {"n_atom_basis": 128, "n_filters": 128, "n_interactions": 6, "n_gaussians": 20, "cutoff": CUTOFF}


def make_data(folder, n_workers):
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
        num_workers=n_workers,
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

    def __init__(self, given, loader):
        self.given, self.loader = given, loader
        self.epochs = 0  # counted here: Lightning counts an epoch twice if it goes on from its start

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs = state["epochs"]

    def on_train_start(self, trainer, task):
        self.curve = Curve(self.given.folder / "curve.csv", self.given.clock, self.epochs)
        self.curve.start()

    def on_train_epoch_start(self, trainer, task):
        """Save, now that SchNetPack has put back the weights in training for the averaged ones."""
        self.curve.stop()
        trainer.save_checkpoint(self.given.folder / LAST)
        self.curve.start()

    def on_validation_end(self, trainer, task):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.curve.stop()
        self.epochs += 1
        self.curve.add(self.epochs, *self._errors(task))
        trainer.should_stop = self.curve.seconds > self.given.seconds
        self.curve.start()

    def _errors(self, task):
        """Mean absolute errors; energies both without their mean."""
        energies, forces = [], []
        with torch.enable_grad():
            for loaded in self.loader:
                batch = {name: tensor.to(task.device) for name, tensor in loaded.items()}
                targets = {name: batch[name] for name in LOSS_WEIGHTS}
                predictions = task.predict_without_postprocessing(batch)
                energies.append((predictions["energy"] - targets["energy"]).detach().abs())
                forces.append((predictions["forces"] - targets["forces"]).detach().abs())
        return float(torch.cat(energies).mean()), float(torch.cat(forces).mean())


def read_command_line():
    """What time_to_accuracy.py asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--clock", choices=list(CLOCKS), required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--flush-denormals", action="store_true")
    return parser.parse_args()


def main():
    """Train until the time is up."""
    given = read_command_line()
    folder = given.folder
    os.chdir(folder)
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(given.flush_denormals)
    pl.seed_everything(0)
    # with the clock of this process, its loader works in this process
    data, task = make_data(folder, n_workers=0 if given.clock == "cpu" else 1), make_its_task()
    held_out = spk.data.AtomsLoader(data.test_dataset, batch_size=50)
    trainer = pl.Trainer(
        max_epochs=100_000,
        accelerator="gpu" if given.device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        inference_mode=False,
        callbacks=[
            spk.train.ExponentialMovingAverage(decay=0.995),
            HeldOut(given, held_out),
        ],
    )
    last = folder / LAST
    resume = {"ckpt_path": str(last), "weights_only": False} if last.exists() else {}
    trainer.fit(task, datamodule=data, **resume)


if __name__ == "__main__":
    main()
