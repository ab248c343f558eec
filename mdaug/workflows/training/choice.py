"""Decide whether a model has a baseline and on which augmented frames it is trained.

Both come from the force-matched field of the training frames. Where no sound field could be fitted, the
network is trained on the raw frames alone. Otherwise short trainings of a small network, on the same raw
frames in as many steps, compare what is recommended with raw frames on the validation frames: the baseline
with few augmented frames, then without them, then augmented frames alone; the first that does no harm is
used. With a baseline the force MAE must be at most `WORSE_WITH_BASELINE` times that without. Without one
augmented frames slow the learning in short trainings (after 1000 steps the force MAE of three molecules was
0.87 to 1.12 times that without), so only more than `WORSE` is harm.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import NamedTuple

from mdaug.augmentation.generate import Augmentation
from mdaug.errors import DivergedError
from mdaug.frames import Frames, FrameSet, as_frames, join_frames
from mdaug.training import train
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.augmented import augmented_frames
from mdaug.workflows.training.baseline import NO_BASELINE, BaselineChoice, choose_baseline, network_options

WORSE = 1.3
"""Largest force MAE of a probe with augmented frames over that without, on the validation frames."""

WORSE_WITH_BASELINE = 1.05
"""The same with a baseline."""

LEAST_STEPS = 1000
"""Steps of a probe; fewer decide nothing."""

EPOCHS_SHARE = 0.15
"""Most epochs of a probe, in epochs of the training; where these have fewer steps, nothing is compared."""


class TrainingChoice(NamedTuple):
    """What a network is trained on.

    Parameters
    ----------
    augmentation
        Whether augmented frames are used; None where none were made.
    baseline
        Whether the model has a baseline.
    """

    augmentation: AugmentationChoice | None
    baseline: BaselineChoice


def choose_training(
    augmentation: Augmentation | None,
    raw: FrameSet,
    validation: FrameSet,
    config: RunConfig,
    *,
    device: str = "auto",
) -> TrainingChoice:
    """Decide whether the model has a baseline and whether augmented frames are trained on.

    Only augmented frames of the recommended rule are judged: those of another rule that the settings name are
    used.

    Parameters
    ----------
    augmentation
        Augmented frames of `raw`; None for none.
    raw, validation
        Frames of the data to train on, and to compare on.
    config
        Settings of the training.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    DataError
        The settings ask for a baseline, and the force-matched field cannot be one.
    """
    baseline = choose_baseline(augmentation, raw, config)
    if augmentation is None:
        return TrainingChoice(None, baseline)
    choice = by_assessment(augmentation, config)
    if not choice.used or config.augment.rule != "force-matched":
        return TrainingChoice(choice, baseline)
    epochs, why_not = epochs_of_comparison(len(raw), config)
    if why_not is not None:
        return TrainingChoice(replace(choice, reason=f"{choice.reason}; {why_not}"), baseline)
    system = ComparedSystem(raw, validation, augmentation, baseline)
    compared = Comparison([system], config, epochs, device)
    return by_comparison(
        compared, choice, baseline, must_have_baseline=config.model.baseline == "force-field"
    )


def epochs_of_comparison(n_raw: int, config: RunConfig) -> tuple[int, str | None]:
    """Return the epochs of the short trainings, and why nothing is compared; None if it is.

    Parameters
    ----------
    n_raw
        Number of raw frames of the training.
    config
        Settings of the training.
    """
    steps = max(1, round(n_raw / config.training.batch_size))
    epochs = -(-LEAST_STEPS // steps)
    if config.augment.compare and epochs <= EPOCHS_SHARE * config.training.n_epochs:
        return epochs, None
    why = "too short a training for that" if config.augment.compare else "as set"
    return epochs, f"not compared with raw frames ({why})"


def by_assessment(augmentation: Augmentation, config: RunConfig) -> AugmentationChoice:
    """Return whether augmented frames are used if they do no harm.

    Parameters
    ----------
    augmentation
        Augmented frames of one system.
    config
        Settings of the training.
    """
    rule = augmentation.rule
    choice = AugmentationChoice(
        True,
        augmentation.reason,
        rule,
        verdicts=tuple(one.to_json() for one in augmentation.verdicts),
        changed=augmentation.changed,
    )
    if config.augment.rule != "force-matched":
        return replace(choice, reason=f"labels by rule {rule!r}, as set")
    if rule != "force-matched":
        reason = f"{augmentation.reason}; trained on the raw frames alone"
        return replace(choice, used=False, reason=reason)
    return choice


class ComparedSystem(NamedTuple):
    """Frames of one system in a comparison.

    Parameters
    ----------
    raw, validation
        Frames of the data to train on, and to compare on; some of several systems may have none of these.
    augmentation
        Its augmented frames; None for none.
    baseline
        Its baseline.
    """

    raw: FrameSet
    validation: FrameSet
    augmentation: Augmentation | None
    baseline: BaselineChoice


@dataclass(frozen=True)
class Comparison:
    """Short trainings of a small network on the same raw frames of one or several systems."""

    systems: Sequence[ComparedSystem]
    config: RunConfig
    epochs: int
    device: str

    def force_mae(self, *, with_baseline: bool, with_augmented: bool) -> float:
        """Return the force MAE of the validation frames, kcal/mol/Å; infinite if the training diverges.

        Parameters
        ----------
        with_baseline
            Whether the network has the baselines of the systems.
        with_augmented
            Whether augmented frames are trained on too.
        """
        training, held_out, baselines = [], [], []
        for system in self.systems:
            baseline = system.baseline if with_baseline else NO_BASELINE
            parts = [baseline.subtract(system.raw)]
            if with_augmented and system.augmentation is not None:
                chosen = augmented_frames(system.augmentation, system.raw, baseline, self.config)
                parts.append(baseline.subtract(chosen))
            training.append(join_frames(parts))
            if len(system.validation):
                held_out.append(baseline.subtract(system.validation))
            baselines.append(baseline)
        try:
            return short_training(
                as_frames(training),
                sum(len(system.raw) for system in self.systems),
                as_frames(held_out),
                self.config.model_copy(update={"model": network_options(baselines, self.config)}),
                epochs=self.epochs,
                device=self.device,
            )
        except DivergedError:
            return inf


def by_comparison(
    compared: Comparison, choice: AugmentationChoice, baseline: BaselineChoice, *, must_have_baseline: bool
) -> TrainingChoice:
    """Return the first of the recommended ways to train that does no harm.

    Parameters
    ----------
    compared
        Errors with and without baseline and augmented frames.
    choice
        By the assessment of the labels.
    baseline
        The baseline that is recommended.
    must_have_baseline
        Whether the settings ask for it.
    """
    without = compared.force_mae(with_baseline=False, with_augmented=False)
    ways: list[tuple[bool, bool]] = []
    if baseline.used:
        ways += [(True, True), (True, False)]
    if not must_have_baseline:
        ways.append((False, True))
    text = f"in {compared.epochs} epochs of a small network the force MAE of the validation frames is"
    for with_baseline, with_augmented in ways:
        error = compared.force_mae(with_baseline=with_baseline, with_augmented=with_augmented)
        limit = WORSE_WITH_BASELINE if with_baseline else WORSE
        if error > limit * without:
            continue
        how = " and ".join(["a baseline"] * with_baseline + ["augmented frames"] * with_augmented)
        reason = f"{choice.reason}; {text} {error:.3g} kcal/mol/Å with {how}, {without:.3g} without"
        if not with_augmented:
            reason += "; trained without augmented frames"
        judged = replace(
            choice,
            used=with_augmented,
            reason=reason,
            force_mae_raw_kcal_mol_A=_if_finite(without),
            force_mae_kcal_mol_A=_if_finite(error),
        )
        return TrainingChoice(judged, baseline if with_baseline else _left_out(baseline))
    harmful = f"{text} {error:.3g} kcal/mol/Å with augmented frames, {without:.3g} without"
    judged = replace(
        choice,
        used=False,
        reason=f"{choice.reason}; {harmful}; trained on the raw frames alone",
        force_mae_raw_kcal_mol_A=_if_finite(without),
        force_mae_kcal_mol_A=_if_finite(error),
    )
    return TrainingChoice(judged, baseline if must_have_baseline else _left_out(baseline))


def _if_finite(error: float) -> float | None:
    """Return an error, or None, as JSON has no infinity, for a training that diverged."""
    return error if isfinite(error) else None


def _left_out(baseline: BaselineChoice) -> BaselineChoice:
    """Return no baseline; one that would have been used made validation errors larger."""
    if not baseline.used:
        return baseline
    return BaselineChoice(False, "with a baseline the errors of the validation frames are larger")


def short_training(
    frames: Frames, n_raw: int, validation: Frames, config: RunConfig, *, epochs: int, device: str
) -> float:
    """Return the force MAE (kcal/mol/Å) of the validation frames after a short training of a small network.

    A batch is larger by the share of augmented frames, so that an epoch has as many steps as without them.

    Parameters
    ----------
    frames
        All frames to train on.
    n_raw
        Number of raw frames among them.
    validation
        Validation frames.
    config
        Settings of the training; the network is half as wide.
    epochs
        Epochs of the training.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """
    size = max(1, round(config.training.batch_size * len(frames) / n_raw))
    halved = {key: max(8, getattr(config.model, key) // 2) for key in ("n_atom_basis", "n_filters")}
    halved["n_vectors"] = config.model.n_vectors // 2
    model = config.model.model_copy(update=halved)
    options = config.training.model_copy(update={"epochs": epochs, "batch_size": size})
    with tempfile.TemporaryDirectory() as folder:
        result = train(frames, validation, model, options, Path(folder), device=device)
    best = result.history.epochs[result.best_epoch - 1]
    return float(best.validation_force_mae_kcal_mol_A)
