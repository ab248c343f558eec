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
    from mdaug.workflows.augment import AugmentedKind


def augment(
    data: str = "ethanol",
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
        A file, folder or pattern of frames, the name of a set, or with --for the folder of a training.
    trainer
        Write files for this trainer.
    springs_file
        Use the springs of this springs.json instead of fitting springs to the frames.
    """
    from mdaug.workflows.augment import augment_data, augment_for_trainer, is_run, sets_of_data, sets_of_run

    of_run = is_run(Path(data))
    if of_run:
        _check_run(data, trainer, given_options(source) + _prefixed("split", split))
    if springs_file is not None:
        refuse(_prefixed("springs", springs), "with --springs-file")
    if trainer is None:
        refuse(_prefixed("split", split), "without --for")
    if trainer != "schnetpack":
        refuse(given_options(repetition), "with a trainer that reads weights, or none")
    inputs = [data, springs_file]
    with open_run(output, command="augment", inputs=inputs) as run, progress_bars() as progress:
        if trainer is None:
            frames = source.load(data)
            kinds = augment_data(
                frames, options, run.path, springs=springs, springs_file=springs_file, progress=progress
            )
        else:
            sets = sets_of_run(Path(data)) if of_run else sets_of_data(source.load(data), split)
            frames = sets.raw
            if sets.delta is not None:
                print_text(f"{len(sets.delta)} frames of Δ-learning")
            kinds = augment_for_trainer(
                sets,
                options,
                run.path,
                trainer,
                repeats=repetition.repeats,
                springs=springs,
                springs_file=springs_file,
                progress=progress,
            )
    _print_kinds(kinds, options.n_displaced or frames.n_atoms, options)
    print_text(run.path / "augmented.xyz")
    if trainer is not None:
        print_text(run.path / "README.md")
        return
    print_next(f"mdaug train {data}  trains on the frames and on augmented frames that it makes itself")


def _prefixed(section: str, options: Options) -> list[str]:
    """Return the options of a section that were given, as typed: ``["--split.train"]``."""
    return [f"--{section}.{name[2:]}" for name in given_options(options)]


def _check_run(folder: str, trainer: TrainerName | None, given: list[str]) -> None:
    """Refuse what is not possible where DATA is the folder of a training."""
    if trainer is None:
        raise SettingsError(
            f"{folder}: the folder of a training, whose augmented frames are in its augmented.xyz; --for "
            "NAME writes its frames for another trainer"
        )
    refuse(given, "with the folder of a training, which records how its frames are read and split")


def _print_kinds(kinds: "list[AugmentedKind]", n_moved: int, options: AugmentOptions) -> None:
    """Print a line for each kind of augmented frames."""
    atoms = f"{n_moved} atom{'s' if n_moved > 1 else ''}"
    descriptions = {
        "displacement": f"with {atoms} displaced by up to {options.epsilon} Å",
        "stretch": "with a bond stretched or compressed",
        "impulse": f"after an impulse of up to {options.impulse_energy:g} kcal/mol",
    }
    for kind in kinds:
        print_text(
            f"{kind.n_frames} frames {descriptions[kind.name]}, rule {kind.rule}: energy change "
            f"{kind.mean_change_kcal_mol:.2f} ± {kind.std_change_kcal_mol:.2f} kcal/mol, "
            f"mean weight {kind.mean_weight:.3g}"
        )
