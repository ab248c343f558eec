"""Whether a training has Δ-learning, and by which low-level method."""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray
from mdaug.geometry.molecules import count_molecules
from mdaug.quantum.calculators import GFN2
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.settings.delta_options import DeltaSettings
from mdaug.workflows.training.low_level import LowLevel, evaluate
from mdaug.workflows.training.network import n_steps, n_steps_with_delta
from mdaug.workflows.training.recorded import recorded
from mdaug.workflows.training.sets import Sets
from mdaug.workflows.training.short_runs import why_no_md

FILE = "delta.json"
"""Record of the choice."""

LEAST_STEPS = 8000
"""Least steps of a training whose epochs are set, without Δ-learning, for auto to use it."""

AUTO_METHODS = (GFN2, "GFN1-xTB")
"""Methods of auto: the first that is not the reference method itself."""

SAME_METHOD = 0.02
"""Mean absolute difference of the forces of two methods, over the mean absolute force, below which they are
one. (GFN1-xTB and GFN2-xTB: 0.15 to 0.5.) The frames of the data are all that is known of the reference
method, so auto does not use it."""

LARGEST_SHARE = 0.8
"""Mean absolute forces of (E - M) - (X - M_X) over those of E - M, on validation frames, above which X is of
too little use for auto."""

SHARE_OF_EPOCHS = 0.5
"""Epochs of the network of differences over those of the training without Δ-learning."""

MOST_ATOMS_WITHOUT_BASELINE = 25
"""Most atoms of a molecule without baseline for auto: MD is then of the low-level method, of which a step of
a hundred atoms takes a second."""

FRAMES_PER_FRAME, LEAST_FRAMES, MOST_FRAMES = 4, 1000, 4000
"""Frames that are made for each training frame, at least and at most."""

MOST_TOGETHER = 40_000
"""Most frames that are made of all systems of a training: ten have as many as alone, and hundreds together no
more than these."""


@dataclass(frozen=True)
class DeltaChoice:
    """Whether a system is trained on frames by Δ-learning.

    Parameters
    ----------
    used
        Whether it is.
    reason
        One sentence: why.
    method
        The low-level method.
    force_mae_field_kcal_mol_A, force_mae_difference_kcal_mol_A, force_mae_network_kcal_mol_A
        On the validation frames: of the field M (zero without a baseline); of M + X - M_X, whose error the
        network learns; and of the sum of these and the network. None where it is not known.
    n_frames, n_left_out
        Frames that were made, and those without label or with too high an energy.
    """

    used: bool
    reason: str
    method: str = ""
    force_mae_field_kcal_mol_A: float | None = None
    force_mae_difference_kcal_mol_A: float | None = None
    force_mae_network_kcal_mol_A: float | None = None
    n_frames: int = 0
    n_left_out: int = 0

    @property
    def helps(self) -> bool:
        """Whether the method leaves so little to the network that auto uses it."""
        field, difference = self.force_mae_field_kcal_mol_A, self.force_mae_difference_kcal_mol_A
        assert field is not None and difference is not None
        return difference <= LARGEST_SHARE * field


def recorded_delta(folder: Path) -> DeltaChoice | None:
    """Return the choice of a run that is resumed; None if it has none.

    Parameters
    ----------
    folder
        Folder of the Δ-learning of a system.

    Raises
    ------
    DataError
        The record is damaged.
    """
    return recorded(
        folder / FILE,
        "the choice of Δ-learning",
        lambda entry: DeltaChoice(**entry),
        advice="remove it to choose again",
    )


def record_delta(choice: DeltaChoice, folder: Path) -> None:
    """Write the choice, after which its frames are not made again.

    Parameters
    ----------
    choice
        The choice.
    folder
        Folder of the Δ-learning of a system.
    """
    write_json(folder / FILE, asdict(choice))


def plan_of_delta(systems: Sequence[Sets], config: RunConfig) -> str | None:
    """Return what Δ-learning adds to a training in which it is used; None if it is not for this training.

    Parameters
    ----------
    systems
        Frames of each system. No baseline is chosen yet: one with augmented frames counts as used.
    config
        Settings of the training.
    """
    used = [sets.augmented is not None and config.model.baseline != "none" for sets in systems]
    chosen = [
        replace(sets, baseline=replace(sets.baseline, used=one))
        for sets, one in zip(systems, used, strict=True)
    ]
    may_have = [
        sets for sets in chosen if _is_wanted(sets, chosen, config) and _why_not(sets, config) is None
    ]
    if not may_have:
        return None
    n_frames = sum(numbers_wanted(may_have, config.delta))
    n_labels = n_frames + sum(len(sets.train) + len(sets.validation) for sets in may_have)
    method = AUTO_METHODS[0] if config.delta.method == "auto" else config.delta.method
    steps = round(SHARE_OF_EPOCHS * n_steps(chosen, config)) + n_steps_with_delta(chosen, config)
    return f"if it is used, {steps} steps in all, and {n_labels} labels by {method}"


def numbers_wanted(systems: Sequence[Sets], settings: DeltaSettings) -> list[int]:
    """Return the number of frames that are made of each system, default ones reduced by a common factor.

    Parameters
    ----------
    systems
        The systems for which Δ-learning is used.
    settings
        Of Δ-learning.
    """
    if settings.n_frames is not None:
        return [settings.n_frames] * len(systems)
    alone = [min(max(FRAMES_PER_FRAME * len(sets.train), LEAST_FRAMES), MOST_FRAMES) for sets in systems]
    share = min(1.0, MOST_TOGETHER / max(sum(alone), 1))
    return [round(share * n) for n in alone]


def assess(
    sets: Sets, systems: Sequence[Sets], config: RunConfig, place: Path, progress: Progress
) -> tuple[DeltaChoice, LowLevel | None]:
    """Return whether Δ-learning is used for a system, and its low-level method if it is.

    Parameters
    ----------
    sets
        Frames and baseline of the system.
    systems
        All systems of the training.
    config
        Settings of the training.
    place
        Folder for the labels.
    progress
        Called with the name of a part and the numbers of frames done and in all.

    Raises
    ------
    DataError, MissingDependencyError
        The settings name a method that cannot be used.
    """
    method = config.delta.method
    if not _is_wanted(sets, systems, config):
        return DeltaChoice(False, ""), None
    why_not = _why_not(sets, config)
    if why_not is None:
        methods = AUTO_METHODS if method == "auto" else (method,)
        try:
            choice, low_level = _measured(methods, sets, config, place, progress)
        except DataError as error:
            why_not = str(error)
        else:
            if method == "auto" and not choice.helps:
                return replace(choice, used=False, reason=f"no {choice.reason}, which is too little"), None
            return choice, low_level
    if method != "auto":
        raise DataError(f"delta.method = {method!r}: {why_not}; set it to none")
    return DeltaChoice(False, f"no Δ-learning: {why_not}"), None


def fitted_method(
    method: str, sets: Sets, config: RunConfig, place: Path, progress: Progress = ignore
) -> LowLevel:
    """Return a low-level method with the field of its forces on the training frames.

    Parameters
    ----------
    method
        Its name.
    sets
        Frames of the system.
    config
        Settings of the training.
    place
        Folder for the labels; those that are there are not computed again.
    progress
        Called with the name of the part and the numbers of frames done and in all.

    Raises
    ------
    DataError, MissingDependencyError
        The method cannot be used.
    """
    labels = partial(progress, f"{method} of the data")
    return LowLevel.fitted(
        method,
        sets.train,
        config.model.cutoff,
        place / "labels.jsonl",
        labels,
        with_field=sets.baseline.used,
    )


def mean_force_kcal_mol_A(forces: FloatArray) -> float:
    """Return the mean absolute component of forces, kcal/mol/Å.

    Parameters
    ----------
    forces
        eV/Å.
    """
    return float(np.abs(forces).mean()) * KCAL_MOL_PER_EV


def _measured(
    methods: Sequence[str], sets: Sets, config: RunConfig, place: Path, progress: Progress
) -> tuple[DeltaChoice, LowLevel]:
    """Return the first method that is not the reference method, or the last, and how much of the forces of
    the validation frames it leaves to a network."""
    place.mkdir(parents=True, exist_ok=True)
    for method in methods:
        low_level = fitted_method(method, sets, config, place, progress)
        residual, kept = low_level.residual(sets.validation, ignore)
        if not len(kept):
            raise DataError(f"{method} fails on all validation frames")
        true = sets.validation.select(kept)
        forces = residual.forces + evaluate(low_level.field, true.positions)[1]
        if mean_force_kcal_mol_A(true.forces - forces) > SAME_METHOD * mean_force_kcal_mol_A(true.forces):
            break
    of_network = sets.baseline.subtract(true).forces
    field, difference = (
        mean_force_kcal_mol_A(of_network),
        mean_force_kcal_mol_A(of_network - residual.forces),
    )
    reason = (
        f"Δ-learning: {method} lowers what the network has to learn from {field:.3g} to {difference:.3g} "
        "kcal/mol/Å (mean absolute force of the validation frames)"
    )
    return DeltaChoice(True, reason, method, field, difference), low_level


def _is_wanted(sets: Sets, systems: Sequence[Sets], config: RunConfig) -> bool:
    """Whether a system is to have Δ-learning, if it is possible.

    auto uses it, if it helps, where the settings ask for baseline and augmented frames, and the system has
    both or can have neither; but not in short trainings.
    """
    if config.delta.method != "auto":
        return config.delta.method != "none"
    if not config.augment.enabled or config.model.baseline == "none":
        return False
    if sets.baseline.used != (sets.augmented is not None):
        return False
    return config.training.epochs is None or n_steps(systems, config) >= LEAST_STEPS


def _why_not(sets: Sets, config: RunConfig) -> str | None:
    """Return why a system cannot have Δ-learning; None if it can."""
    auto, no_md = config.delta.method == "auto", why_no_md(sets, "Δ-learning")
    if no_md is not None:
        return no_md
    if not len(sets.validation):
        return "no validation frames"
    if auto and sets.baseline.used and count_molecules(sets.train) > 1:
        return "several molecules, between which the network of differences is arbitrary in hot MD"
    if auto and not sets.baseline.used and sets.train.n_atoms > MOST_ATOMS_WITHOUT_BASELINE:
        return f"without a baseline it is for molecules of at most {MOST_ATOMS_WITHOUT_BASELINE} atoms"
    if auto and importlib.util.find_spec("tblite") is None:
        return "tblite is not installed (pip install 'mdaug[xtb]'), whose GFN2-xTB often halves the errors"
    return None
