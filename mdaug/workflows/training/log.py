"""Epochs of a training for TensorBoard or Weights & Biases, by their own writers."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mdaug.errors import MissingDependencyError, SettingsError
from mdaug.training import TrainState

LogName = Literal["tensorboard", "wandb"]


@dataclass(frozen=True)
class _Log:
    write: Callable[[dict[str, float], int], None]
    close: Callable[[], None]


@contextmanager
def training_log(
    name: LogName | None, folder: Path, settings: dict[str, Any]
) -> Iterator[Callable[[TrainState], None]]:
    """Return, for a ``with`` block, the function that logs an epoch.

    Parameters
    ----------
    name
        ``tensorboard``: event files in ``tensorboard/``; ``wandb``: an offline run in ``wandb/``, which
        `wandb sync` uploads; None logs nothing.
    folder
        Run folder of the training.
    settings
        Settings of the training, which wandb records.

    Raises
    ------
    MissingDependencyError
        The package is not installed.
    SettingsError
        There is no such log.
    """
    if name is None:
        yield lambda state: None
        return
    if name not in get_args(LogName):
        raise SettingsError(f"--log {name}: expected one of {', '.join(get_args(LogName))}")
    log = _tensorboard(folder) if name == "tensorboard" else _wandb(folder, settings)
    try:
        yield lambda state: log.write(_values(state), state.epoch)
    finally:
        log.close()


def _values(state: TrainState) -> dict[str, float]:
    return {
        "training/loss": state.loss,
        "training/learning_rate": state.learning_rate,
        "training/frames_per_second": state.geometries_per_second,
        "validation/energy_mae_kcal_mol": state.energy_mae_kcal_mol,
        "validation/force_mae_kcal_mol_A": state.force_mae_kcal_mol_A,
    }


def _tensorboard(folder: Path) -> _Log:
    writer = _imported("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(folder / "tensorboard"))

    def write(values: dict[str, float], epoch: int) -> None:
        for key, value in values.items():
            writer.add_scalar(key, value, epoch)

    return _Log(write, writer.close)


def _wandb(folder: Path, settings: dict[str, Any]) -> _Log:
    wandb = _imported("wandb", "wandb")
    run = wandb.init(project="mdaug", name=folder.name, dir=str(folder), mode="offline", config=settings)
    return _Log(lambda values, epoch: run.log(values, step=epoch), run.finish)


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"--log {package}: {package} is not installed ({error}); pip install {package}"
        ) from error
