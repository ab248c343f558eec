"""The training loop: steps, validation of the EMA weights, checkpoints, resume."""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from mdaug.errors import DataError, DivergedError
from mdaug.frames import Frames
from mdaug.models import SchNet, SchNetOptions
from mdaug.training.checkpoint import load_checkpoint, save_checkpoint
from mdaug.training.evaluation import Errors, errors, virial_mae
from mdaug.training.history import Epoch, History
from mdaug.training.new_model import new_model
from mdaug.training.options import TrainOptions
from mdaug.training.parallel import ProcessGroup
from mdaug.training.schedule import Schedule
from mdaug.training.step import Step
from mdaug.training.systems import tensors_of
from mdaug.units import KCAL_MOL_PER_EV

ONE_PROCESS = ProcessGroup()

CHECKPOINT_SECONDS = 60.0
"""Wall time between checkpoints."""


@dataclass(frozen=True)
class TrainState:
    """State of a training after an epoch, for progress displays."""

    epoch: int
    n_epochs: int
    loss: float
    energy_mae_kcal_mol: float
    force_mae_kcal_mol_A: float
    learning_rate: float
    geometries_per_second: float

    @property
    def validation_errors(self) -> str:
        """The MAE of energies (kcal/mol) and forces (kcal/mol/Å) of the validation frames, as text."""
        return f"E {self.energy_mae_kcal_mol:.3f} F {self.force_mae_kcal_mol_A:.3f}"


@dataclass(frozen=True)
class TrainResult:
    """A trained model and the history of its training.

    Attributes
    ----------
    model
        The model with the best EMA weights, in evaluation mode.
    history
        All epochs.
    best_epoch
        Epoch (counted from 1) of the best validation error.
    seconds
        Wall time of all epochs, including those before a resume.
    """

    model: SchNet
    history: History
    best_epoch: int
    seconds: float


def train(
    train_frames: Frames,
    validation_frames: Frames,
    model_options: SchNetOptions,
    train_options: TrainOptions,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Callable[[TrainState], None] | None = None,
    group: ProcessGroup = ONE_PROCESS,
    initial: SchNet | None = None,
) -> TrainResult:
    """Train SchNet on frames, and return the model with the weights of the lowest validation error.

    Writes ``checkpoint.pt`` (atomically, about once a minute and at the end) and ``history.csv``. On the CPU
    a resumed training gives the same result bit for bit as one that was not interrupted.

    Parameters
    ----------
    train_frames
        Frames to train on, raw and augmented, with weights in the loss; of one system, or of several.
    validation_frames
        Frames whose errors select the weights that are kept; of some of these systems.
    model_options
        Sizes and kinds of the parts of the network.
    train_options
        Loss, optimizer, learning rate, number of epochs.
    folder
        Existing folder for the files.
    device
        ``auto`` (the GPU if there is one), ``cpu`` or ``cuda``.
    resume
        Continue from the checkpoint in `folder`, if there is one.
    progress
        Called after each epoch.
    group
        Processes that train the model together; rank zero writes the files.
    initial
        A model of the same sizes, elements and atom types, from whose weights the training starts, and whose
        reference energies, scales and prior it keeps; None for random weights.

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError
        There are no frames, the checkpoint does not belong to these options and frames, or the training
        diverges.
    """
    for frames, what in ((train_frames, "training"), (validation_frames, "validation")):
        if len(frames) == 0:
            raise DataError(f"no {what} frames in {frames.name}; give at least one")
    given = (train_frames, validation_frames, model_options, train_options)
    trainer = Trainer(*given, pick_device(device), group=group, initial=initial)
    checkpoint = folder / "checkpoint.pt"
    if resume and checkpoint.exists():
        trainer.restore(load_checkpoint(checkpoint, trainer.fingerprint))
    trainer.run(folder, progress)
    return trainer.result()


def pick_device(device: str) -> torch.device:
    """Return the torch device.

    Parameters
    ----------
    device
        ``auto`` (the GPU if there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    DataError
        ``cuda`` without a GPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise DataError("--device cuda: torch sees no CUDA device; use --device cpu or auto")
    return torch.device(device)


class Trainer:
    """A model in training, with everything that a checkpoint saves.

    Parameters
    ----------
    train_frames, validation_frames, model_options, options, group, initial
        As for `train`.
    device
        Device of the training.
    """

    def __init__(
        self,
        train_frames: Frames,
        validation_frames: Frames,
        model_options: SchNetOptions,
        options: TrainOptions,
        device: torch.device,
        *,
        group: ProcessGroup = ONE_PROCESS,
        initial: SchNet | None = None,
    ) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads or torch.get_num_threads())
        self.options, self.device, self.group = options, device, group
        model = copy.deepcopy(initial) or new_model(train_frames, model_options, options)
        self.model = model.to(device, getattr(torch, options.dtype)).train()
        self.train_set = tensors_of(train_frames, self.model)
        self.validation_set = tensors_of(validation_frames, self.model)
        self.step = Step(self.model, self.train_set, options, group)
        self.parameters, self.ema = self.step.parameters, self.step.ema
        self.best = self.parameters.copy()
        self.schedule = Schedule(options, max(1, -(-len(train_frames) // options.batch_size)))
        self.history = History()
        self.epoch, self.best_epoch, self.seconds = 0, 0, 0.0
        effective = options.fingerprint(stresses=self.train_set.strain is not None)
        self.fingerprint = (
            f"{model_options.fingerprint()} {effective} {len(train_frames)} {train_frames.energies.sum()!r}"
        )
        if model.output_scales is not None:
            self.fingerprint += f" {model.output_scales.tolist()}"
        if initial is not None:
            self.fingerprint += f" {self.best.double().sum().item()!r}"

    def run(self, folder: Path, progress: Callable[[TrainState], None] | None) -> None:
        """Train from the current epoch to the last.

        Parameters
        ----------
        folder
            Folder for checkpoint.pt and history.csv.
        progress
            Called after each epoch.
        """
        saved = started = time.perf_counter()
        before = self.seconds
        while self.epoch < self.options.n_epochs and not self.schedule.stop:
            epoch_started = time.perf_counter()
            loss = self.train_epoch()
            rate = self.train_set.n_frames / (time.perf_counter() - epoch_started)
            validation = self.validate()
            self._refuse_divergence(validation)
            self._close_epoch(loss, validation)
            self.seconds = before + time.perf_counter() - started
            if progress is not None:
                progress(self._state(rate))
            if time.perf_counter() - saved > CHECKPOINT_SECONDS:
                self.save(folder)
                saved = time.perf_counter()
        self.save(folder)

    def train_epoch(self) -> float:
        """Do one pass over the training frames, and return the mean loss."""
        self.model.train()
        generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.epoch)
        order = self.train_set.shuffled(generator).to(self.device)
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        batches = order.split(self.options.batch_size)
        for n, index in enumerate(batches):
            step = self.epoch * len(batches) + n
            total += self.step(index, step, self.schedule.learning_rate(step))
        return float(self.group.all_reduce(total)) / len(batches)

    def validate(self) -> Errors:
        """Return the errors of the EMA weights on the validation frames."""
        with self.ema_weights():
            return errors(self.model, self.validation_set, self.group)

    def ema_weights(self) -> AbstractContextManager[None]:
        """Return a context in which the model has the exponential moving average of its weights."""
        return self.parameters.replaced_by(self.ema)

    def _refuse_divergence(self, validation: Errors) -> None:
        """Raise an error before nonfinite weights are saved: later epochs cannot recover from them."""
        if not isfinite(validation.energy_mse + validation.force_mse + validation.strain_mse):
            raise DivergedError(
                f"the training diverged in epoch {self.epoch + 1}: its validation errors are not finite; "
                f"give a lower learning rate (now {self.options.rate:g}), lower weights, "
                "or --training.dtype float64"
            )

    def _close_epoch(self, loss: float, validation: Errors) -> None:
        """Record an epoch, and keep its EMA weights if they are the best."""
        weights = self.options.energy_weight, self.options.force_weight, self.options.stress_weight
        squared = validation.energy_mse, validation.force_mse, validation.strain_mse
        absolute = validation.energy_mae, validation.force_mae, validation.strain_mae
        validation_loss = sum(w * error for w, error in zip(weights, squared, strict=True))
        rate = self.schedule.learning_rate(self.epoch * self.schedule.steps_per_epoch)
        self.epoch += 1
        # absolute errors, because one or two unusual frames dominate squared errors of a few dozen frames
        score = sum(w**0.5 * error for w, error in zip(weights, absolute, strict=True))
        if self.schedule.epoch_done(score):
            self.best.copy_(self.ema)
            self.best_epoch = self.epoch
        scale = float(self.model.energy_scale) * KCAL_MOL_PER_EV
        self.history.append(
            Epoch(
                self.epoch,
                *(rate, loss, validation_loss),
                validation.energy_mae * scale,
                validation.force_mae * scale,
                virial_mae(validation, self.validation_set, scale),
            )
        )

    def _state(self, rate: float) -> TrainState:
        last = self.history.epochs[-1]
        return TrainState(
            self.epoch,
            self.options.n_epochs,
            last.training_loss,
            last.validation_energy_mae_kcal_mol,
            last.validation_force_mae_kcal_mol_A,
            last.learning_rate,
            rate,
        )

    def result(self) -> TrainResult:
        """Return the model with its best EMA weights, in evaluation mode."""
        self.parameters.assign(self.best)
        return TrainResult(self.model.eval(), self.history, self.best_epoch, self.seconds)

    def save(self, folder: Path) -> None:
        """Write checkpoint.pt and history.csv (rank zero only).

        Parameters
        ----------
        folder
            Folder for the files.
        """
        if not self.group.is_rank_zero:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.step.optimizer.state_dict(),
            "ema": self.ema,
            "best": self.best,
            "schedule": self.schedule.state(),
            "history": self.history.rows(),
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(folder / "checkpoint.pt", state, self.fingerprint)
        self.history.write(folder / "history.csv")

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state at `save`.

        Parameters
        ----------
        state
            From `load_checkpoint`.
        """
        self.model.load_state_dict(state["model"])
        # parameter groups of this device: on a GPU recorded steps read the learning rate from a tensor
        own = {"param_groups": self.step.optimizer.state_dict()["param_groups"]}
        self.step.optimizer.load_state_dict(state["optimizer"] | own)
        self.ema.copy_(state["ema"])
        self.best.copy_(state["best"])
        self.schedule.restore(state["schedule"])
        self.history = History.from_rows(state["history"])
        self.epoch, self.best_epoch = state["epoch"], state["best_epoch"]
        self.seconds = state["seconds"]
        torch.set_rng_state(state["rng"])
