"""The choice of augmented frames for a training, and its record in the run folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdaug.files import write_json
from mdaug.workflows.training.recorded import recorded

FILE = "augmentation.json"


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
    changed
        Terms of the field that were fitted with a tighter prior or left out.
    """

    used: bool
    reason: str
    rule: str = ""
    force_mae_raw_kcal_mol_A: float | None = None
    force_mae_kcal_mol_A: float | None = None
    verdicts: tuple[dict[str, Any], ...] = ()
    changed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return ``"augmentation"`` of results.json."""
        return {**vars(self), "verdicts": list(self.verdicts), "changed": list(self.changed)}

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "AugmentationChoice":
        """Return the choice that `to_json` recorded.

        Parameters
        ----------
        entry
            What `to_json` returned.
        """
        lists = {key: tuple(entry.get(key, ())) for key in ("verdicts", "changed")}
        return cls(**entry | lists)


def recorded_choice(folder: Path) -> AugmentationChoice | None:
    """Return the choice of a run that is resumed; None if it has none.

    Parameters
    ----------
    folder
        The run folder.

    Raises
    ------
    DataError
        The record is damaged.
    """
    return recorded(
        folder / FILE,
        "the choice of augmented frames",
        AugmentationChoice.from_json,
        advice="remove it to choose again",
    )


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
