"""The Optuna study of a sweep in its storage: settings, opening, its trials."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdaug.errors import MDAugError, MissingDependencyError
from mdaug.sweep.options import SweepOptions
from mdaug.sweep.space import Dimension, grid
from mdaug.workflows.settings.config import RunConfig

if TYPE_CHECKING:
    import optuna

STUDY = "mdaug sweep"

SEARCHED_AT_ONCE = 10
"""Trials of a search at once on a cluster: the sampler learns from those that have ended."""


@dataclass(frozen=True)
class Sweep:
    """Settings of a sweep that its trials need.

    Parameters
    ----------
    config
        The training that is varied.
    space
        The search space.
    options
        Options of the sweep.
    folder
        Run folder, with a folder for each trial under ``trials``.
    scheduler
        Dask scheduler whose workers run the trials; None for processes of this machine.
    """

    config: RunConfig
    space: list[Dimension]
    options: SweepOptions
    folder: Path
    scheduler: str | None = None

    @property
    def storage(self) -> str:
        """Optuna storage of the trials."""
        return self.options.storage or f"sqlite:///{(self.folder / 'study.db').resolve()}"

    @property
    def n_trials(self) -> int:
        """Number of trainings."""
        points = grid(self.space)
        return self.options.trials if points is None else len(points)

    @property
    def n_at_once(self) -> int:
        """Number of trials that are handed over at once."""
        if self.options.workers or self.scheduler is None:
            return self.options.workers or 1
        return SEARCHED_AT_ONCE if grid(self.space) is None else self.n_trials

    @property
    def reports(self) -> bool:
        """Whether trials report their epochs to the study: on other machines only to a shared storage."""
        return self.scheduler is None or self.options.storage is not None


@contextmanager
def storage_errors(sweep: Sweep) -> Iterator[None]:
    """Convert errors of the storage of the trials into one-line errors.

    Parameters
    ----------
    sweep
        The sweep.
    """
    optuna, sqlalchemy = load_optuna(), importlib.import_module("sqlalchemy.exc")
    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.SQLAlchemyError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise MDAugError(
            f"the study in {sweep.storage} cannot be read or written ({reason}); finished trials are kept; "
            "--resume continues the sweep"
        ) from error


def open_study(sweep: Sweep) -> "optuna.Study":
    """Open or create the study of a sweep.

    Parameters
    ----------
    sweep
        The sweep.

    Raises
    ------
    MissingDependencyError
        Optuna, or a package that the storage needs, is not installed.
    """
    optuna = load_optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warmup = max(1, sweep.config.training.n_epochs // 3)
    try:
        return optuna.create_study(
            study_name=STUDY,
            storage=sweep.storage,
            sampler=optuna.samplers.TPESampler(seed=sweep.options.seed, multivariate=True),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=warmup),
            load_if_exists=True,
        )
    except ImportError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise MissingDependencyError(
            f"the storage {sweep.storage} needs another package ({reason})"
        ) from error


def own_trials(study: "optuna.Study", sweep: Sweep) -> "list[optuna.trial.FrozenTrial]":
    """Return the started trials of a sweep; of several with equal parameters only the last.

    Parameters
    ----------
    study
        The study, which other sweeps may share.
    sweep
        The sweep.
    """
    last = {
        str(sorted(parameters_of(trial).items())): trial
        for trial in study.get_trials(deepcopy=False)
        if parameters_of(trial) and trial.state.name != "WAITING"
    }
    points = grid(sweep.space)
    return [trial for trial in last.values() if points is None or parameters_of(trial) in points]


def parameters_of(trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    """Return the parameters of a trial, suggested or queued.

    Parameters
    ----------
    trial
        The trial.
    """
    return dict(trial.params or trial.system_attrs.get("fixed_params", {}))


def load_optuna() -> Any:
    """Return the module of Optuna.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    """Return the module of Optuna.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return importlib.import_module("optuna")
    except ImportError as error:
        raise MissingDependencyError(
            "sweeps need Optuna, which is not installed: pip install 'mdaug[sweep]'"
        ) from error
