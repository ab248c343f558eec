"""`mdaug augment`: augmented frames with energies and forces."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.augmentation.options import AugmentOptions
from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.help import section
from mdaug.cli.progress import print_next, progress_bars
from mdaug.data.splits import SplitOptions
from mdaug.data.trainers.options import RepeatOptions, TrainerName
from mdaug.springs.options import SpringSettings
from mdaug.text import print_text
from mdaug.workflows.options import DataOptions, OutputOptions
from mdaug.workflows.runs import open_run


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
    line.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set.
    trainer
        Write files for this trainer.
    springs_file
        Use the springs of this springs.json instead of fitting springs to the frames.
    """
    from mdaug.workflows.augment import augment_data, augment_for_trainer

    if springs_file is not None:
        refuse([f"--springs.{name[2:]}" for name in given_options(springs)], "with --springs-file")
    if trainer is None:
        refuse([f"--split.{name[2:]}" for name in given_options(split)], "without --for")
    if trainer != "schnetpack":
        refuse(given_options(repetition), "with a trainer that reads weights, or none")
    inputs = [data, springs_file]
    with open_run(output, command="augment", inputs=inputs) as run, progress_bars() as progress:
        frames = source.load(data)
        if trainer is None:
            kinds = augment_data(
                frames, options, run.path, springs=springs, springs_file=springs_file, progress=progress
            )
        else:
            kinds = augment_for_trainer(
                frames,
                options,
                run.path,
                trainer,
                split=split,
                repeats=repetition.repeats,
                springs=springs,
                springs_file=springs_file,
                progress=progress,
            )
    n_moved = options.n_displaced or frames.n_atoms
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
    print_text(run.path / "augmented.xyz")
    if trainer is not None:
        print_text(run.path / "README.md")
        return
    print_next(f"mdaug train {data}  trains on the frames and on augmented frames that it makes itself")
