"""Whether the recommended limit of the warning suits a model: its held-out frames are below it."""

import numpy as np

from mdaug.analysis.extrapolation import extrapolation_verdict


def test_frames_below_the_limit_pass():
    verdict = extrapolation_verdict(np.array([0.2, 0.31]))
    assert (verdict.verdict, verdict.value) == ("ok", 0.31)


def test_a_limit_above_the_frames_is_proposed():
    verdict = extrapolation_verdict(np.array([0.2, 0.95, 0.3, 0.81]))
    assert verdict.verdict == "warning"
    assert verdict.text.startswith("2 of 4 test frames")
    assert "use 1.1 " in verdict.text


def test_without_frames_nothing_is_known():
    assert extrapolation_verdict(None).verdict == extrapolation_verdict(np.zeros(0)).verdict == "cannot tell"
