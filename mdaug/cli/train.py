"""`mdaug train`: training of a force field, with its report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.arguments import Changes, given_options, given_settings, refuse, typed
from mdaug.cli.help import section
from mdaug.cli.progress import advance, console, started_when_needed
from mdaug.data.splits import SplitOptions
from mdaug.errors import MDAugError
from mdaug.models.options import SchNetOptions
from mdaug.options import TrainingDevice
from mdaug.springs.options import SpringSettings
from mdaug.text import print_text
from mdaug.training.options import TrainOptions
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.config import (
    CONFIG,
    AugmentSection,
    RunConfig,
    load_config,
    load_recorded_config,
)
from mdaug.workflows.settings.delta_options import DeltaSettings
from mdaug.workflows.settings.options import DataOptions, OutputOptions, Switch
from mdaug.workflows.settings.workflow_options import HardeningSettings

if TYPE_CHECKING:
    from mdaug.training import ProcessGroup, TrainState
    from mdaug.workflows.training.log import LogName
    from mdaug.workflows.training.sets import TrainingCallbacks


def _keys(name: str, title: str, order: int) -> Parameter:
    """Options named by section and key, under a separate heading in the help."""
    return Parameter(name=name, group=section(title, order))


def train(
    data: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    *,
    config: Path | None = None,
    validation: str | None = None,
    test: str | None = None,
    epochs: Annotated[int | None, Field(ge=1)] = None,
    e0s: str | None = None,
    no_augment: Switch = False,
    harden: Annotated[int | None, Field(ge=0)] = None,
    committee: Annotated[int | None, Field(ge=1, le=100)] = None,
    seed: int | None = None,
    device: Annotated[TrainingDevice, Parameter(show_default=False)] = "auto",
    resume: Switch = False,
    log: Literal["tensorboard", "wandb"] | None = None,
    dry_run: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    split: Annotated[SplitOptions, _keys("split", "Training, validation, test frames", 0)] = SplitOptions(),
    springs: Annotated[SpringSettings, _keys("springs", "Springs", 1)] = SpringSettings(),
    augment: Annotated[AugmentSection, _keys("augment", "Augmentation", 2)] = AugmentSection(),
    model: Annotated[SchNetOptions, _keys("model", "Network", 3)] = SchNetOptions(),
    training: Annotated[TrainOptions, _keys("training", "Optimization", 4)] = TrainOptions(),
    delta: Annotated[DeltaSettings, _keys("delta", "Δ-learning", 5)] = DeltaSettings(),
    hardening: Annotated[HardeningSettings, _keys("hardening", "Hardening", 6)] = HardeningSettings(),
) -> None:
    """Train a force field on raw and augmented frames.

    Writes model.pt (mdaug, ASE, LAMMPS) and report.html. Options override the TOML file; its keys are
    options, too (`--help-all`). It runs under `torchrun`, too.

    Parameters
    ----------
    data
        Files of one or several systems [default: ethanol].
    config
        A TOML file, or the name of a shipped one: demo, ethanol, ethanol_accurate, paper,
        plain_schnet.
    validation
        File of validation frames [default: part of DATA].
    test
        File of test frames [default: part of DATA].
    epochs
        Passes over the training frames.
    e0s
        Energies of isolated atoms, eV: H=-13.6,C=-1029.5.
    no_augment
        Train on DATA alone; then auto has no Δ-learning.
    harden
        Most rounds of hot MD and training on what it finds.
    committee
        Networks with different seeds, to warn of errors.
    seed
        Seed of every section for which none is given.
    device
        auto: the GPU, if any.
    resume
        Continue the training in --out, or the newest one.
    log
        Log of each epoch.
    dry_run
        Print the expected minutes and memory; write nothing.
    """
    sections: dict[str, Any] = {"split": split, "springs": springs, "augment": augment, "model": model}
    sections |= {"training": training, "delta": delta, "hardening": hardening}
    changes = given_settings(data[0] if len(data) == 1 else None, source, epochs, sections, seed)
    if len(data) > 1:
        changes["data"]["sources"] = [{"source": name} for name in data]
    changes["data"] |= _not_none(validation=validation, test=test)
    changes["training"] |= _not_none(e0s=e0s)
    changes["hardening"] |= _not_none(rounds=harden)
    if committee is not None:
        changes["committee"] = {"networks": committee}
    if no_augment:
        _refuse_augmentation(springs, augment)
        changes["augment"]["enabled"] = False
    if dry_run:
        refuse(typed(resume=resume, log=log) + given_options(output), "with --dry-run, which writes nothing")
        _print_dry_run(load_config(config, changes), device)
        return
    given: dict[str, Any] = {"device": device, "resume": resume, "log": log}
    _train(config, changes, output, inputs=[*data, config], **given)


def _not_none(**values: Any) -> dict[str, Any]:
    """Return the values that are given."""
    return {name: value for name, value in values.items() if value is not None}


def _refuse_augmentation(springs: SpringSettings, augment: AugmentSection) -> None:
    for name, options in (("springs", springs), ("augment", augment)):
        refuse([f"--{name}.{option[2:]}" for option in given_options(options)], "with --no-augment")


def _train(
    config: Path | None,
    changes: Changes,
    output: OutputOptions,
    *,
    device: TrainingDevice,
    resume: bool,
    log: "LogName | None",
    inputs: list[Path | str | None],
) -> None:
    """Train alone, or as one of the processes of `torchrun`."""
    # mistakes in the settings are found before torch is imported
    settings = load_config(config, changes) if config is not None or not resume else None
    from mdaug.training import join_group
    from mdaug.workflows.train import train_as_worker

    group = join_group()
    if group.is_rank_zero:
        given: dict[str, Any] = {"device": device, "resume": resume, "log": log}
        _train_as_rank_zero(settings, changes, group, output, inputs=inputs, **given)
    else:
        folder = Path(group.broadcast(""))
        settings = settings or _settings_of(folder, changes)
        train_as_worker(settings, folder, group, device=device, resume=resume)


def _train_as_rank_zero(
    settings: RunConfig | None,
    changes: Changes,
    group: "ProcessGroup",
    output: OutputOptions,
    *,
    device: str,
    resume: bool,
    log: "LogName | None",
    inputs: list[Path | str | None],
) -> None:
    """Train in a run folder, as the first process of `group`, and print the result."""
    from mdaug.cli.lammps import prepare_lammps
    from mdaug.reports.accuracy import errors_table
    from mdaug.reports.terminal import print_next, print_table, print_verdicts
    from mdaug.reports.training import next_commands
    from mdaug.workflows.train import train_force_field
    from mdaug.workflows.training.log import training_log

    if settings is not None:
        inputs = [*inputs, *settings.data.files, settings.augment.explored]
    with (
        open_run(output, command="train", resume=resume, inputs=inputs) as run,
        _callbacks() as callbacks,
    ):
        settings = settings or _settings_of(run.path, changes)
        with training_log(log, run.path, settings.model_dump(mode="json")) as logged:
            group.broadcast(str(run.path))
            with_log = _both(callbacks, logged)
            outcome = train_force_field(
                settings, run.path, device=device, resume=resume, callbacks=with_log, group=group
            )
    print_verdicts(outcome.verdicts)
    if outcome.test is not None:
        print_table(errors_table(outcome.errors))
    print_text(f"model  {outcome.model_path}")
    print_text(f"report {outcome.folder / 'report.html'}")
    prepare_lammps()
    print_next(next_commands(outcome.model_path, outcome.scan))


def _both(callbacks: "TrainingCallbacks", logged: "Callable[[TrainState], None]") -> "TrainingCallbacks":
    """Return callbacks that also log each epoch."""
    shown = callbacks.epoch

    def epoch(state: "TrainState") -> None:
        shown(state)
        logged(state)

    return replace(callbacks, epoch=epoch)


def _print_dry_run(settings: RunConfig, device: TrainingDevice) -> None:
    from mdaug.workflows.dry_run import dry_run

    with _callbacks() as callbacks:
        outcome = dry_run(settings, device=device, callbacks=callbacks)
    for line in outcome.lines:
        print_text(line)


def _settings_of(folder: Path, changes: Changes) -> RunConfig:
    """Return the settings of the run in `folder`, changed by the options given now."""
    if not (folder / CONFIG).exists():
        raise MDAugError(f"{folder} was stopped before it wrote {CONFIG}; start a new training")
    return load_recorded_config(folder / CONFIG, changes)


@contextmanager
def _callbacks() -> Iterator["TrainingCallbacks"]:
    """Show the stages of a training, with bars for the springs, the epochs and other parts.

    The bar of the epochs shows the validation errors of energy (kcal/mol) and forces (kcal/mol/Å) and the
    number of frames per second.
    """
    from mdaug.workflows.training.sets import TrainingCallbacks

    with started_when_needed() as bar:

        def epoch(state: "TrainState") -> None:
            text = f"{state.validation_errors} {state.geometries_per_second:.0f}/s"
            advance(bar, "training", state.epoch, state.n_epochs, text)

        stage = partial(console.print, markup=False)
        yield TrainingCallbacks(stage, partial(advance, bar, "springs"), epoch, partial(advance, bar))
