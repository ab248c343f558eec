"""`mdaug augment`: augmented frames with energies and forces."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.augmentation.options import AugmentOptions
from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.help import section
from mdaug.cli.progress import print_next, progress_bars
from mdaug.springs.options import SpringSettings
from mdaug.text import print_text
from mdaug.workflows.options import DataOptions, OutputOptions
from mdaug.workflows.runs import open_run


def augment(
    data: str = "ethanol",
    *,
    springs_file: Path | None = None,
    options: Annotated[AugmentOptions, Parameter(name="*")] = AugmentOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    springs: Annotated[
        SpringSettings, Parameter(name="springs", group=section("Springs", 1))
    ] = SpringSettings(),
) -> None:
    """Write augmented frames: frames with displaced atoms, stretched bonds or impulses, with their labels.

    Writes augmented.xyz (extended xyz; each frame with energy, forces, parent, rule, kind, displacement and
    weight) and the springs of the frames, springs.json. `mdaug train` does the same by itself.

    Parameters
    ----------
    data
        A file of frames or the name of a set.
    springs_file
        Use the springs of this springs.json instead of fitting springs to the frames.
    """
    from mdaug.workflows.augment import augment_data

    if springs_file is not None:
        refuse([f"--springs.{name[2:]}" for name in given_options(springs)], "with --springs-file")
    inputs = [data, springs_file]
    with open_run(output, command="augment", inputs=inputs) as run, progress_bars() as progress:
        frames = source.load(data)
        kinds = augment_data(
            frames, options, run.path, springs=springs, springs_file=springs_file, progress=progress
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
    print_next(f"mdaug train {data}  trains on the frames and on augmented frames that it makes itself")
