"""The embedded frames."""

import pytest

from mdaug.data import load_frames
from mdaug.frames import FrameSet


@pytest.fixture(scope="session")
def ethanol() -> FrameSet:
    """The embedded frames."""
    return load_frames("ethanol")
