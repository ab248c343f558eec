"""The other networks of a committee: their settings, and the folders of their trainings."""

from pathlib import Path

from mdaug.calculators.committee import COMMITTEE
from mdaug.workflows.settings.config import RunConfig


def committee_members(config: RunConfig, folder: Path) -> list[tuple[Path, RunConfig]]:
    """Return folder and settings of each network of the committee except the model: only the seed differs.

    Parameters
    ----------
    config
        Settings of the training.
    folder
        Its run folder.
    """
    seed = config.training.seed
    return [
        (folder / COMMITTEE / f"network-{k}", config.replace({"training": {"seed": seed + k}}))
        for k in range(1, config.committee.networks)
    ]
