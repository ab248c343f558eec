"""`mdaug augment`: displaced copies of frames with energies and forces."""

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from mdaug.augmentation import AugmentOptions
from mdaug.augmentation import augment as augment_frames
from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.help import section
from mdaug.cli.progress import counted
from mdaug.data import write_extxyz
from mdaug.springs import SpringOptions, Springs, fit_springs, write_springs
from mdaug.units import KCAL_MOL_PER_EV


def augment(
    data: str = "ethanol",
    *,
    springs_file: Path | None = None,
    options: Annotated[AugmentOptions, Parameter(name="*")] = AugmentOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    springs: Annotated[
        SpringOptions, Parameter(name="springs", group=section("Springs", 1))
    ] = SpringOptions(),
) -> None:
    """Displace atoms, stretch bonds and apply impulses in frames drawn at random, and label the results.

    Writes augmented.xyz (extended xyz; each frame with energy, forces, parent, rule, kind, displacement and
    weight) and the springs of the frames, springs.json.

    Parameters
    ----------
    data
        A file of frames or a named set.
    springs_file
        A springs.json to use instead of fitting springs to the frames.
    """
    frames = source.load(data)
    with open_run(output, command="augment") as run:
        if springs_file is not None:
            known = Springs.read(springs_file)
            known.write(run.path / "springs.json")
        else:
            with counted("springs") as progress:
                known = fit_springs(frames, springs, progress=progress)
            write_springs(known, frames, run.path / "springs.json")
        made = augment_frames(frames, known, options)
        write_extxyz(made, run.path / "augmented.xyz")
    change = (made.energies - frames.energies[made.info["parent"]]) * KCAL_MOL_PER_EV
    n_moved = options.n_displaced or frames.n_atoms
    atoms = f"{n_moved} atom{'s' if n_moved > 1 else ''}"
    whats = {
        "displacement": f"with {atoms} displaced by up to {options.epsilon} Å",
        "stretch": "with a bond stretched or compressed",
        "impulse": f"after an impulse of up to {options.impulse_energy:g} kcal/mol",
    }
    for kind, what in whats.items():
        copies = made.info["kind"] == kind
        if copies.any():
            print(
                f"{copies.sum()} frames {what}, rule {made.info['rule'][0]}: energy change "
                f"{np.mean(change[copies]):.2f} ± {np.std(change[copies]):.2f} kcal/mol, "
                f"weight {np.mean(made.weights[copies]):.3g} on average"
            )
    print(run.path / "augmented.xyz")
