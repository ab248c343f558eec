"""What a set of frames says of itself."""

from dataclasses import replace

import numpy as np

from mdaug.data import load_frames


def test_frames_are_shown_in_a_line_and_not_number_by_number() -> None:
    frames = load_frames("ethanol", every=100)
    assert repr(frames) == "FrameSet(ethanol: 10 frames of C2H6O, GFN2-xTB, 500 K)"
    unknown = replace(frames, name="x.xyz", temperature_K=None, level_of_theory=None)
    assert repr(unknown) == "FrameSet(x.xyz: 10 frames of C2H6O)"


def test_evenly_spaced_frames_go_from_the_first_to_the_last() -> None:
    ethanol = load_frames("ethanol")
    few = ethanol.evenly_spaced(5)
    assert np.array_equal(few.energies, ethanol.energies[[0, 249, 499, 749, 999]])
    assert ethanol.evenly_spaced(2000) is ethanol
