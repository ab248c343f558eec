"""Force-matched fields of few frames, with and without the parameters of another system as prior.

``python benchmarks/shared_parameters.py ethanol.xyz methanol.xyz`` fits fields to few frames of the first
file, evenly spaced in its first half, and prints the rms errors of the forces of its second half (columns of
a table). The other field is fitted to all frames of the second file.
"""

import argparse

import numpy as np

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.force_matching.shared_parameters import Donor
from mdaug.data import load_frames
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV


def rms_error(field: ForceField, frames: FrameSet) -> float:
    """Return the rms error of the forces of frames, kcal/mol/Å."""
    errors = frames.forces - field.evaluate(frames.positions, frames.periodic_cells)[1]
    return KCAL_MOL_PER_EV * float(np.sqrt(np.mean(errors**2)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames")
    parser.add_argument("others")
    parser.add_argument("--numbers", type=int, nargs="+", default=[4, 6, 10, 20, 40])
    given = parser.parse_args()
    frames, others = load_frames(given.frames), load_frames(given.others)
    donor = Donor(match_forces(others), len(others))
    half = len(frames) // 2
    known, held_out = frames.select(slice(0, half)), frames.select(slice(half, None))
    print("| frames | alone | with parameters of the other |\n|---|---|---|")
    for number in given.numbers:
        few = known.evenly_spaced(number)
        alone, shared = (rms_error(match_forces(few, donors=donors), held_out) for donors in ((), [donor]))
        print(f"| {number} | {alone:.3g} | {shared:.3g} |", flush=True)


if __name__ == "__main__":
    main()
