"""From ab-initio MD frames of a molecule to a neural force field that survives MD.

The functions below are imported on first use, so that ``import mdaug`` takes no time:

>>> import mdaug
>>> frames = mdaug.load_frames("ethanol")
>>> springs = mdaug.fit_springs(frames)
>>> augmented = mdaug.augment(frames, springs)
"""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.analysis.scan import bond_scan
    from mdaug.augmentation import augment
    from mdaug.calculators import MDAugCalculator, MDAugCommittee
    from mdaug.data import load_frames
    from mdaug.md import run_dynamics
    from mdaug.springs import fit_springs
    from mdaug.workflows.settings.config import load_config
    from mdaug.workflows.train import train_force_field as train

__version__ = "0.1.0"  # the only place: pyproject.toml reads it from here

__all__ = [
    "MDAugCalculator",
    "MDAugCommittee",
    "augment",
    "bond_scan",
    "fit_springs",
    "load_config",
    "load_frames",
    "run_dynamics",
    "train",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "MDAugCalculator": "mdaug.calculators",
        "MDAugCommittee": "mdaug.calculators",
        "augment": "mdaug.augmentation",
        "bond_scan": "mdaug.analysis.scan",
        "fit_springs": "mdaug.springs",
        "load_config": "mdaug.workflows.settings.config",
        "load_frames": "mdaug.data",
        "run_dynamics": "mdaug.md",
        "train": "mdaug.workflows.train:train_force_field",
    },
)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
