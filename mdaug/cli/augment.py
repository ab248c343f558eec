"""`mdaug augment`: augmented frames with energies and forces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.augmentation.options import AugmentOptions
from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.help import section
from mdaug.cli.progress import print_next, progress_bars
from mdaug.data.splits import SplitOptions
from mdaug.data.trainers.options import RepeatOptions, TrainerName
from mdaug.errors import SettingsError
from mdaug.options import Options
from mdaug.springs.options import SpringSettings
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import DataOptions, OutputOptions

if TYPE_CHECKING:
    from mdaug.workflows.augment import AugmentedSystem


def augment(
    data: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    *,
    trainer: Annotated[TrainerName | None, Parameter(name="--for")] = None,
    springs_file: Path | None = None,
    repetition: Annotated[RepeatOptions, Parameter(name="*")] = RepeatOptions(),
    options: Annotated[AugmentOptions, Parameter(name="*")] = AugmentOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    springs: Annotated[
        SpringSettings, Parameter(name="springs", group=section("Springs", 1))
    ] = SpringSettings(),
    split: Annotated[
        SplitOptions, Parameter(name="split", group=section("Training, validation, test frames (--for)", 2))
    ] = SplitOptions(),
) -> None:
    """Write augmented frames: frames with displaced atoms, stretched bonds or impulses, with their labels.

    Writes augmented.xyz (extended xyz; each frame with energy, forces, parent, rule, kind, displacement and
    weight) and the springs of the frames, springs.json. `mdaug train` does the same by itself.

    With --for, the frames are split, those for training are augmented, and the folder gets raw and augmented
    frames in the format of another trainer, with the weights that it reads, and a README.md with its command
    line. Unless set, --weight is 0.5 and --error-scale 20 there, and there are as many augmented frames as
    training frames. With the folder of a training as DATA these are its frames in its split, and those of
    its Δ-learning.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set; with --for also several of these, files of
        several systems, or the folder of a training [default: ethanol].
    trainer
        Write files for this trainer.
    springs_file
        Use the springs of this springs.json instead of fitting springs to the frames.
    """
    from mdaug.workflows.augment import (
        AugmentedSystem,
        augment_data,
        augment_for_trainer,
    )
    from mdaug.workflows.trainer_sets import is_run, sets_of_data, sets_of_run

    names = data or ("ethanol",)
    of_run = is_run(Path(names[0]))
    if of_run:
        _check_run(names, trainer, given_options(source) + _prefixed("split", split))
    elif trainer is None and len(names) > 1:
        raise SettingsError(f"{len(names)} sources of frames without --for; expected one")
    if springs_file is not None:
        refuse(_prefixed("springs", springs), "with --springs-file")
    if trainer is None:
        refuse(_prefixed("split", split), "without --for")
    if trainer != "schnetpack":
        refuse(given_options(repetition), "with a trainer that reads weights, or none")
    inputs = [*names, springs_file]
    with open_run(output, command="augment", inputs=inputs) as run, progress_bars() as progress:
        if trainer is None:
            frames = source.load(names[0])
            kinds = augment_data(
                frames, options, run.path, springs=springs, springs_file=springs_file, progress=progress
            )
            systems = [AugmentedSystem("", options.n_displaced or frames.n_atoms, kinds)]
        else:
            sets = sets_of_run(Path(names[0])) if of_run else sets_of_data(names, source, split)
            if springs_file is not None and len(sets) > 1:
                raise SettingsError(f"--springs-file: for one system, and these are {len(sets)}")
            n_delta = sum(len(one.delta) for one in sets if one.delta is not None)
            if n_delta:
                print_text(f"{n_delta} frames of Δ-learning")
            systems = augment_for_trainer(
                sets,
                options,
                run.path,
                trainer,
                repeats=repetition.repeats,
                springs=springs,
                springs_file=springs_file,
                progress=progress,
            )
    _print_systems(systems, options)
    if trainer is not None:
        print_text(run.path / "README.md")
        return
    print_text(run.path / "augmented.xyz")
    print_next(f"mdaug train {names[0]}  trains on the frames and on augmented frames that it makes itself")


def _prefixed(section: str, options: Options) -> list[str]:
    """Return the options of a section that were given, as typed: ``["--split.train"]``."""
    return [f"--{section}.{name[2:]}" for name in given_options(options)]


def _check_run(names: tuple[str, ...], trainer: TrainerName | None, given: list[str]) -> None:
    """Refuse what is not possible where DATA is the folder of a training."""
    folder = names[0]
    if len(names) > 1:
        raise SettingsError(f"{folder}: the folder of a training, beside {names[1]}; expected it alone")
    if trainer is None:
        raise SettingsError(
            f"{folder}: the folder of a training, whose augmented frames are in its augmented.xyz; --for "
            "NAME writes its frames for another trainer"
        )
    refuse(given, "with the folder of a training, which records how its frames are read and split")


def _print_systems(systems: "list[AugmentedSystem]", options: AugmentOptions) -> None:
    """Print what was made of each system; of many their number and why some have no augmented frames."""
    if len(systems) == 1:
        _print_kinds(systems[0], options)
        return
    for system in systems:
        n_frames = sum(kind.n_frames for kind in system.kinds)
        made = f"{n_frames} augmented frames, rule {system.kinds[0].rule}" if system.kinds else system.failure
        print_text(f"{system.label}: {made}")


def _print_kinds(system: "AugmentedSystem", options: AugmentOptions) -> None:
    """Print a line for each kind of augmented frames."""
    atoms = f"{system.n_moved} atom{'s' if system.n_moved > 1 else ''}"
    descriptions = {
        "displacement": f"with {atoms} displaced by up to {options.epsilon} Å",
        "stretch": "with a bond stretched or compressed",
        "impulse": f"after an impulse of up to {options.impulse_energy:g} kcal/mol",
    }
    for kind in system.kinds:
        print_text(
            f"{kind.n_frames} frames {descriptions[kind.name]}, rule {kind.rule}: energy change "
            f"{kind.mean_change_kcal_mol:.2f} ± {kind.std_change_kcal_mol:.2f} kcal/mol, "
            f"mean weight {kind.mean_weight:.3g}"
        )
