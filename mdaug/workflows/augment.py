"""Augmented frames of a set of frames, with the springs that label them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mdaug.augmentation import AugmentOptions, augment
from mdaug.data import write_extxyz
from mdaug.frames import FrameSet
from mdaug.springs import SpringOptions, Springs, fit_springs, write_springs
from mdaug.springs.options import SpringSettings
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import Progress, ignore


@dataclass(frozen=True)
class AugmentedKind:
    """Statistics of the augmented frames of one kind.

    Parameters
    ----------
    name
        The kind.
    n_frames
        Number of augmented frames.
    rule
        The rule that labeled them.
    mean_change_kcal_mol, std_change_kcal_mol
        Energy of a frame minus that of its parent: mean and standard deviation.
    mean_weight
        Their weight in a training.
    """

    name: str
    n_frames: int
    rule: str
    mean_change_kcal_mol: float
    std_change_kcal_mol: float
    mean_weight: float


def augment_data(
    frames: FrameSet,
    options: AugmentOptions,
    folder: Path,
    *,
    springs: SpringSettings | None = None,
    springs_file: Path | None = None,
    progress: Progress = ignore,
) -> list[AugmentedKind]:
    """Write augmented.xyz and springs.json into `folder`, and return what was made.

    Parameters
    ----------
    frames
        The frames to augment.
    options
        Numbers and kinds of augmented frames, and their label rule.
    folder
        Output folder.
    springs
        Options of the spring fit; the cutoff is that of `options`.
    springs_file
        A springs.json to use instead.
    progress
        Called with the stage "springs" and the numbers of element pairs done and in all.

    Raises
    ------
    DataError
        As `fit_springs` and `mdaug.augmentation.augment` do.
    """
    if springs_file is not None:
        fitted = Springs.read(springs_file)
        fitted.write(folder / "springs.json")
    else:
        settings = (springs or SpringSettings()).model_dump(exclude_unset=True)
        spring_options = SpringOptions(**settings, cutoff=options.cutoff)
        fitted = fit_springs(frames, spring_options, progress=partial(progress, "springs"))
        write_springs(fitted, frames, folder / "springs.json")
    augmented = augment(frames, fitted, options)
    write_extxyz(augmented, folder / "augmented.xyz")
    return _kinds(frames, augmented)


def _kinds(frames: FrameSet, augmented: FrameSet) -> list[AugmentedKind]:
    change = (augmented.energies - frames.energies[augmented.info["parent"]]) * KCAL_MOL_PER_EV
    kinds = augmented.info["kind"]
    rule = str(augmented.info["rule"][0])
    return [
        AugmentedKind(
            str(kind),
            int(np.sum(kinds == kind)),
            rule,
            float(np.mean(change[kinds == kind])),
            float(np.std(change[kinds == kind])),
            float(np.mean(augmented.weights[kinds == kind])),
        )
        for kind in dict.fromkeys(kinds)
    ]
