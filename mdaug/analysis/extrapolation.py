"""Extrapolation of held-out frames: whether the recommended limit of the warning suits a model."""

from math import ceil

from mdaug.frames import FloatArray
from mdaug.verdicts import Verdict

RECOMMENDED_LIMIT = 0.8
"""Limit of the warning that nearly all falls exceed at least 0.1 ps before (docs/warning.md)."""

MARGIN = 1.1
"""Factor on the largest value of the held-out frames in the limit that is proposed instead."""


def extrapolation_verdict(of_frames: FloatArray | None) -> Verdict:
    """Return whether held-out frames, on which a model is right, are below `RECOMMENDED_LIMIT`.

    Parameters
    ----------
    of_frames
        Shape (n_frames,), the largest extrapolation of an atom in each test frame; None without any.
    """
    name, limit = "extrapolation of test frames", RECOMMENDED_LIMIT
    if of_frames is None or not len(of_frames):
        return Verdict(name, "cannot tell", None, limit, "There are no test frames (`--split.test`).")
    largest, n_above = float(of_frames.max()), int((of_frames > limit).sum())
    if not n_above:
        text = f"At most {largest:.2f}; a warning at {limit:g}, as recommended, has no false alarm on them."
        return Verdict(name, "ok", largest, limit, text)
    proposed = ceil(10 * MARGIN * largest) / 10
    text = (
        f"{n_above} of {len(of_frames)} test frames are above the recommended limit of a warning, so that it "
        f"would often be false: use {proposed:.1f} (--halt-above, --above), or train on more frames."
    )
    return Verdict(name, "warning", largest, limit, text)
