"""Frames of Δ-learning in the folder of a training."""

from pathlib import Path

from mdaug.data.load import read_frames
from mdaug.frames import FrameSet

FOLDER, FRAMES = "delta", "frames.xyz"
"""Folder of the Δ-learning of a system, and file there of the frames that are trained on."""


def recorded_frames(place: Path, temperature_K: float | None) -> FrameSet | None:
    """Return the frames of a system that `make_delta_frames` recorded, None for none.

    Parameters
    ----------
    place
        Folder of the Δ-learning of the system.
    temperature_K
        Temperature of the training frames; None where it is unknown.
    """
    if not (place / FRAMES).exists():
        return None
    return read_frames(place / FRAMES, units="eV", temperature_K=temperature_K).frames
