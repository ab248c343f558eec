"""Decide whether augmented frames are trained on: their labels must be sound, and must do no gross harm.

Frames whose labels are not of the recommended rule, because no sound force field could be fitted, are left
out. The others are compared on the validation frames by short trainings of a small network, with and without
them. Two probes of half the features see the same raw frames in as many steps. In short trainings augmented
frames slow the learning (after 1000 steps the force MAE of three molecules was 0.87 to 1.12 times that
without), so only more than `WORSE` is harm.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.archives import read_json
from mdaug.augmentation.generate import Augmentation
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.training import train
from mdaug.workflows.config import RunConfig

FILE = "augmentation.json"

WORSE = 1.3
"""Largest force MAE of a probe with augmented frames over that without, on the validation frames."""

LEAST_STEPS = 1000
"""Steps of a probe; fewer decide nothing."""

EPOCHS_SHARE = 0.15
"""Most epochs of a probe, in epochs of the training; where these have fewer steps, nothing is compared."""


@dataclass(frozen=True)
class AugmentationChoice:
    """Whether augmented frames are trained on.

    Parameters
    ----------
    used
        Whether they are.
    reason
        One sentence: why.
    rule
        Label rule of the augmented frames.
    force_mae_raw_kcal_mol_A, force_mae_kcal_mol_A
        Force MAE of the probes on the validation frames without and with augmented frames; None where nothing
        was compared.
    verdicts
        Assessment of the force-matched field, as JSON.
    """

    used: bool
    reason: str
    rule: str = ""
    force_mae_raw_kcal_mol_A: float | None = None
    force_mae_kcal_mol_A: float | None = None
    verdicts: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return ``"augmentation"`` of results.json."""
        return {**vars(self), "verdicts": list(self.verdicts)}

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "AugmentationChoice":
        """Return the choice that `to_json` recorded.

        Parameters
        ----------
        entry
            What `to_json` returned.
        """
        return cls(**entry | {"verdicts": tuple(entry["verdicts"])})


def choose_augmentation(
    augmentation: Augmentation,
    raw: FrameSet,
    validation: FrameSet,
    config: RunConfig,
    *,
    device: str = "auto",
) -> AugmentationChoice:
    """Decide whether augmented frames are trained on.

    Only the recommended rule is judged: another one that the settings name is used.

    Parameters
    ----------
    augmentation
        Augmented frames of `raw`.
    raw, validation
        Frames of the data to train on, and to compare on.
    config
        Settings of the training.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """
    rule = augmentation.rule
    choice = AugmentationChoice(
        True, augmentation.reason, rule, verdicts=tuple(one.to_json() for one in augmentation.verdicts)
    )
    if config.augment.rule != "force-matched":
        return replace(choice, reason=f"labels by rule {rule!r}, as set")
    if rule != "force-matched":
        reason = f"{augmentation.reason}; trained on the raw frames alone"
        return replace(choice, used=False, reason=reason)
    steps = max(1, round(len(raw) / config.training.batch_size))
    epochs = -(-LEAST_STEPS // steps)
    if not config.augment.compare or epochs > EPOCHS_SHARE * config.training.epochs:
        why = "too short a training for that" if config.augment.compare else "as set"
        return replace(choice, reason=f"{choice.reason}; not compared with raw frames ({why})")
    errors = [
        _probe(raw, frames, validation, config, epochs=epochs, device=device)
        for frames in (None, augmentation.frames)
    ]
    harmful = errors[1] > WORSE * errors[0]
    outcome = (
        f"in {epochs} epochs of a small network the force MAE of the validation frames is {errors[1]:.3g} "
        f"kcal/mol/Å with augmented frames, {errors[0]:.3g} without"
    )
    reason = f"{choice.reason}; {outcome}" + ("; trained on the raw frames alone" if harmful else "")
    return replace(
        choice,
        used=not harmful,
        reason=reason,
        force_mae_raw_kcal_mol_A=errors[0],
        force_mae_kcal_mol_A=errors[1],
    )


def recorded_choice(folder: Path) -> AugmentationChoice | None:
    """Return the choice of a run that is resumed; None if it has none.

    Parameters
    ----------
    folder
        The run folder.
    """
    path = folder / FILE
    if not path.exists():
        return None
    expected = "the choice of augmented frames that `mdaug train` recorded"
    try:
        return AugmentationChoice.from_json(read_json(path, expected))
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: not {expected} ({error}); remove it to choose again") from error


def record_choice(choice: AugmentationChoice, folder: Path) -> None:
    """Write the choice, so that a resumed run trains on the same frames.

    Parameters
    ----------
    choice
        The choice.
    folder
        The run folder.
    """
    write_json(folder / FILE, choice.to_json())


def join_frames(first: FrameSet, second: FrameSet) -> FrameSet:
    """Return the frames of both sets in one; per-frame records are left out.

    Parameters
    ----------
    first, second
        Frames of the same atoms.
    """

    def both(name: str) -> Any:
        a, b = getattr(first, name), getattr(second, name)
        return None if a is None or b is None else np.concatenate([a, b])

    per_frame = ("positions", "energies", "forces", "cells", "stresses", "group", "weights")
    return replace(first, info={}, **{name: both(name) for name in per_frame})


def _probe(
    raw: FrameSet,
    augmented: FrameSet | None,
    validation: FrameSet,
    config: RunConfig,
    *,
    epochs: int,
    device: str,
) -> float:
    """Return the force MAE (kcal/mol/Å) of the validation frames after a short training of a small network.

    With augmented frames a batch is larger by their share, so that an epoch has as many steps as without.
    """
    frames = raw if augmented is None else join_frames(raw, augmented)
    size = max(1, round(config.training.batch_size * len(frames) / len(raw)))
    halved = {key: max(8, getattr(config.model, key) // 2) for key in ("n_atom_basis", "n_filters")}
    model = config.model.model_copy(update=halved)
    options = config.training.model_copy(update={"epochs": epochs, "batch_size": size})
    with tempfile.TemporaryDirectory() as folder:
        result = train(frames, validation, model, options, Path(folder), device=device)
    best = result.history.epochs[result.best_epoch - 1]
    return float(best.validation_force_mae_kcal_mol_A)
