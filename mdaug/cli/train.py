"""`mdaug train`: from frames to a force field with its report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.help import section
from mdaug.cli.lammps import prepare_lammps
from mdaug.cli.progress import training_callbacks
from mdaug.cli.settings import Changes, given_settings
from mdaug.data import SplitOptions
from mdaug.errors import MDAugError
from mdaug.models import SchNetOptions
from mdaug.options import TrainingDevice
from mdaug.reports.accuracy import errors_table
from mdaug.reports.terminal import print_table
from mdaug.springs import SpringOptions
from mdaug.training import ProcessGroup, TrainOptions, join_group
from mdaug.workflows.config import RunConfig, TrainingAugmentOptions, load_config
from mdaug.workflows.train import CONFIG, train_as_worker, train_force_field

Switch = Annotated[bool, Parameter(negative="")]


def _keys(name: str, title: str, order: int) -> Parameter:
    """Options named by section and key, under a heading of their own in the help."""
    return Parameter(name=name, group=section(title, order))


def train(
    data: str | None = None,
    *,
    config: Path | None = None,
    epochs: Annotated[int | None, Field(ge=1)] = None,
    no_augment: Switch = False,
    seed: int | None = None,
    device: TrainingDevice = "auto",
    resume: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    split: Annotated[SplitOptions, _keys("split", "Training, validation, test frames", 0)] = SplitOptions(),
    springs: Annotated[SpringOptions, _keys("springs", "Springs", 1)] = SpringOptions(),
    augment: Annotated[
        TrainingAugmentOptions, _keys("augment", "Augmentation", 2)
    ] = TrainingAugmentOptions(),
    model: Annotated[SchNetOptions, _keys("model", "Network", 3)] = SchNetOptions(),
    training: Annotated[TrainOptions, _keys("training", "Optimisation", 4)] = TrainOptions(),
) -> None:
    """Train a force field on raw and augmented frames.

    The run folder gets model.pt (for ASE, LAMMPS and every other mdaug command), report.html, results.json
    and everything that led to them. Options go over the TOML file, the file over the defaults (those of
    inputs/ethanol.toml). The keys of the sections below are options too, as in `--model.cutoff 6`;
    `--help-all` explains them. Under `torchrun` the processes share every batch, one GPU each where there
    are any.

    Parameters
    ----------
    data
        A file of frames or a named set [default: ethanol, embedded].
    config
        TOML file, or the name of a shipped one: demo, ethanol, ethanol_accurate, paper.
    epochs
        Passes over the training frames.
    no_augment
        Train the raw model.
    seed
        Seed of the split, the springs, the augmentation and the training.
    device
        Where to train: auto takes the GPU if there is one.
    resume
        Go on with the run in --out, or the newest unfinished one.
    """
    sections = {"split": split, "springs": springs, "augment": augment, "model": model, "training": training}
    changes = given_settings(data, source, epochs, sections, seed)
    if no_augment:
        changes["augment"]["enabled"] = False
    if not resume:
        load_config(config, changes)  # mistakes leave no run folder
    group = join_group()
    if group.is_rank_zero:
        _train_as_rank_zero(config, changes, group, output, device=device, resume=resume)
    else:
        folder = Path(group.broadcast(""))
        settings = _settings(config, changes, folder, resume=resume)
        train_as_worker(settings, folder, group, device=device, resume=resume)


def _train_as_rank_zero(
    config: Path | None,
    changes: Changes,
    group: ProcessGroup,
    output: OutputOptions,
    *,
    device: str,
    resume: bool,
) -> None:
    """Train in a run folder, as the first process of `group`, and say what came of it."""
    with open_run(output, command="train", resume=resume) as run, training_callbacks() as callbacks:
        settings = _settings(config, changes, run.path, resume=resume)
        group.broadcast(str(run.path))
        outcome = train_force_field(
            settings, run.path, device=device, resume=resume, callbacks=callbacks, group=group
        )
    if outcome.test is not None:
        print_table(errors_table({"test frames": outcome.test}))
    print(f"model  {outcome.model_path}")
    print(f"report {outcome.folder / 'report.html'}")
    prepare_lammps()


def _settings(config: Path | None, changes: Changes, folder: Path, *, resume: bool) -> RunConfig:
    """Return the settings given, on a resume over those of the run (or of `config` if that is given)."""
    saved = folder / CONFIG
    if not resume or config is not None:
        return load_config(config, changes)
    if not saved.exists():
        raise MDAugError(f"{folder} was stopped before it wrote its {CONFIG}; start it anew")
    return load_config(saved, changes)
