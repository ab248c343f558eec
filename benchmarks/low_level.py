"""What low-level methods leave to learn: mean absolute forces of held-out frames.

    python benchmarks/low_level.py DATA --temperature 500 --train 50 850 --methods GFN2-xTB GFN1-xTB

E is the method of the frames, X the low-level method, M and M_X the force fields matched to their forces on
the first frames of DATA. The last frames, which no field was fitted to, give the means.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.data import load_frames
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import ignore
from mdaug.workflows.training.low_level import LowLevel, evaluate

CUTOFF_A = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--train", type=int, nargs="+", required=True)
    parser.add_argument("--methods", nargs="+", default=["GFN2-xTB", "GFN1-xTB"])
    parser.add_argument("--test", type=int, default=100)
    given = parser.parse_args()
    frames = load_frames(given.data, temperature_K=given.temperature)
    test = frames.select(slice(len(frames) - given.test, None))
    print(
        "| training frames | X | E − X | E − M | X − M_X | (E − M) − (X − M_X) |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for n in given.train:
            train = frames.select(slice(0, n))
            rest = test.forces - match_forces(train, cutoff=CUTOFF_A).evaluate(test.positions)[1]
            for method in given.methods:
                low_level = LowLevel.fitted(method, train, CUTOFF_A, Path(folder) / method, ignore)
                low_rest = low_level.residual(test, ignore)[0].forces
                low = low_rest + evaluate(low_level.field, test.positions)[1]
                values = test.forces - low, rest, low_rest, rest - low_rest
                means = " | ".join(f"{np.abs(each).mean() * KCAL_MOL_PER_EV:.2f}" for each in values)
                print(f"| {n} | {method} | {means} |", flush=True)


if __name__ == "__main__":
    main()
