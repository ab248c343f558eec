"""Worker process that measures SchNet of SchNetPack: energies and forces, MD, and training.

`mdaug bench --baseline schnetpack` starts this file; see serving.py.
"""

import time
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from serving import Seconds, main
from torch.utils.data import dataloader

# a type variable that SchNetPack 2.1 imports and torch 2.13 no longer has
vars(dataloader).setdefault("T_co", typing.TypeVar("T_co", covariant=True))

import pytorch_lightning as pl
import schnetpack as spk
import schnetpack.transform as trn
from schnetpack.data import AtomsDataModule
from schnetpack.interfaces.ase_interface import SpkCalculator

LOSS_WEIGHTS = {"energy": 0.01, "forces": 0.99}
"""Loss weights of SchNetPack's own experiment (schnetpack/configs/experiment/md17.yaml)."""

FLUSHED = "_flushed"
"""Suffix of cases in which denormal numbers are flushed to zero.

Gaussians far from a distance are denormal, and products with denormal numbers are slow on many processors.
"""


class Calculator(SpkCalculator):
    """The ASE calculator of SchNetPack, given the model itself instead of a pickle of it."""

    def _load_model(self, model: Any) -> Any:
        return model.eval()


class SchNetPackCases:
    """The model of the given sizes, its data, and the cases that are timed."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.device = torch.device(setup["device"])
        self.setup = setup
        self.numbers = np.array(setup["molecule"]["atomic_numbers"])
        self.positions = np.array(setup["molecule"]["positions"])
        torch.manual_seed(0)
        self.data = make_data(setup)
        self.task = make_task(setup).to(self.device, getattr(torch, setup["dtype"]))
        self.optimizer = torch.optim.AdamW(self.task.parameters(), lr=1e-3, weight_decay=0.0)
        self.batches = [self._to_device(batch) for batch in self.data.train_dataloader()]
        self.calculator = Calculator(
            self.task.model,
            trn.MatScipyNeighborList(cutoff=setup["cutoff"]),
            energy_key="energy",
            force_key="forces",
            energy_unit=setup["energy_unit"],
            position_unit="Ang",
            device=self.device,
            dtype=getattr(torch, setup["dtype"]),
        )
        self.molecules = self.calculator.converter([Atoms(self.numbers, r) for r in self.positions])

    def time(self, case: str, threads: int, repeats: int) -> Seconds:
        """Return the seconds of `repeats` calls: of the wall clock, and of CPU time of this process."""
        torch.set_num_threads(threads)
        torch.set_flush_denormal(case.endswith(FLUSHED))
        if case == "training_loader":
            return self._lightning_epoch(repeats)
        body = {
            "energy_forces": self._energy_forces,
            "nve_step": self._nve,
            "training_step": self._training_steps,
            "inference": self._inference,
        }[case.removesuffix(FLUSHED)]
        self._synchronize()
        wall, cpu = time.perf_counter(), time.process_time()
        body(repeats)
        self._synchronize()
        return time.perf_counter() - wall, time.process_time() - cpu

    def _energy_forces(self, repeats: int) -> None:
        """Compute both in one evaluation."""
        self.task.eval()
        atoms = Atoms(self.numbers, self.positions[0])
        for k in range(repeats):
            atoms.positions = self.positions[k % len(self.positions)]
            self.calculator.calculate(atoms, ["energy", "forces"])

    def _nve(self, repeats: int) -> None:
        self.task.eval()
        atoms = Atoms(self.numbers, self.positions[0])
        atoms.calc = self.calculator
        VelocityVerlet(atoms, self.setup["timestep_fs"] * units.fs).run(repeats)

    def _training_steps(self, repeats: int) -> None:
        self.task.train()
        for k in range(repeats):
            batch = dict(self.batches[k % len(self.batches)])
            batch["_positions"] = batch["_positions"].detach()
            targets = {name: batch[name] for name in LOSS_WEIGHTS}
            loss = self.task.loss_fn(self.task.predict_without_postprocessing(batch), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def _lightning_epoch(self, n_steps: int) -> Seconds:
        """Run an epoch of Lightning's loop, with neighbor lists made by the loader."""
        clock = EpochClock(self._synchronize)
        trainer = pl.Trainer(
            max_epochs=1,
            limit_train_batches=n_steps,
            limit_val_batches=0,
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        )
        self.data.num_workers = self.setup["n_loader_workers"]
        self.data._train_dataloader = None
        self.task.train()
        trainer.fit(self.task, datamodule=self.data)
        self.task.to(self.device)
        return clock.seconds

    def _inference(self, repeats: int) -> None:
        self.task.eval()
        for _ in range(repeats):
            batch = dict(self.molecules)
            batch["_positions"] = batch["_positions"].detach()
            self.task.model(batch)["forces"].cpu()

    def _to_device(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class EpochClock(pl.Callback):
    """Times an epoch of Lightning, without set-up and teardown."""

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self.synchronize = synchronize
        self.began: Seconds = (0.0, 0.0)
        self.seconds: Seconds = (0.0, 0.0)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock."""
        self.began = time.perf_counter(), time.process_time()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop the clock."""
        self.synchronize()
        wall, cpu = self.began
        self.seconds = time.perf_counter() - wall, time.process_time() - cpu


def make_potential(setup: dict[str, Any], representation: Any, **more: Any) -> Any:
    """Return a potential with energies and forces."""
    return spk.model.NeuralNetworkPotential(
        representation=representation,
        input_modules=[spk.atomistic.PairwiseDistances()],
        output_modules=[
            spk.atomistic.Atomwise(n_in=setup["n_atom_basis"], output_key="energy"),
            spk.atomistic.Forces(energy_key="energy", force_key="forces"),
        ],
        **more,
    )


def make_task(setup: dict[str, Any], **schedule: Any) -> Any:
    """Return SchNet of the given sizes, with loss and optimizer of SchNetPack's own MD17 experiment."""
    representation = spk.representation.SchNet(
        n_atom_basis=setup["n_atom_basis"],
        n_filters=setup["n_filters"],
        n_interactions=setup["n_interactions"],
        radial_basis=spk.nn.GaussianRBF(n_rbf=setup["n_gaussians"], cutoff=setup["cutoff"]),
        cutoff_fn=spk.nn.CosineCutoff(setup["cutoff"]),
    )
    offsets = [trn.CastTo64(), trn.AddOffsets("energy", add_mean=True)]
    model = make_potential(setup, representation, postprocessors=offsets)
    outputs = [
        spk.task.ModelOutput(name=name, loss_fn=torch.nn.MSELoss(), loss_weight=weight, metrics={})
        for name, weight in LOSS_WEIGHTS.items()
    ]
    return spk.task.AtomisticTask(
        model=model,
        outputs=outputs,
        optimizer_cls=torch.optim.AdamW,
        optimizer_args={"lr": 1e-3, "weight_decay": 0.0},
        **schedule,
    )


def make_data(setup: dict[str, Any]) -> Any:
    """Return the data module of the frames, with the transforms of SchNetPack's own MD17 experiment."""
    given = setup["frames"]
    frames = [Atoms(given["atomic_numbers"], positions) for positions in given["positions"]]
    targets = [
        {"energy": np.array([energy]), "forces": np.array(forces)}
        for energy, forces in zip(given["energies"], given["forces"], strict=True)
    ]
    units_of = {"energy": "eV", "forces": "eV/Ang"}
    database = spk.data.ASEAtomsData.create("frames.db", distance_unit="Ang", property_unit_dict=units_of)
    database.add_systems(property_list=targets, atoms_list=frames)
    data = AtomsDataModule(
        "frames.db",
        batch_size=setup["batch_size"],
        num_train=len(frames) - 1,
        num_val=1,
        split_file=None,
        num_workers=0,
        transforms=[
            trn.SubtractCenterOfMass(),
            trn.RemoveOffsets("energy", remove_mean=True),
            trn.MatScipyNeighborList(cutoff=setup["cutoff"]),
            trn.CastTo32() if setup["dtype"] == "float32" else trn.CastTo64(),
        ],
    )
    data.setup()
    return data


if __name__ == "__main__":
    main(SchNetPackCases, ("schnetpack", "torch"))
