"""A few frames of ethanol and the force field matched to them."""

import pytest
import torch

from mdaug.augment.matched.assemble import initial_force_field
from mdaug.augment.matched.fit import match
from mdaug.frames import load_frames


@pytest.fixture(scope="session")
def ethanol_frames():
    return load_frames("ethanol", every=36)


@pytest.fixture(scope="session")
def unmatched(ethanol_frames):
    return initial_force_field(ethanol_frames)


@pytest.fixture(scope="session")
def matched(ethanol_frames):
    torch.set_num_threads(1)
    return match(ethanol_frames)
