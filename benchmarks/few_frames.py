"""How often checks of few frames refuse right and wrong sets, for docs/data.md.

    python benchmarks/few_frames.py FRAMES …

Random sets of 4 to 15 systems with 3 to 15 frames of each are drawn from the given files, as they are and
with a fault.
"""

import argparse
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np

from mdaug.data.load import read_systems
from mdaug.data.verification.few_frames import few_frames_verdicts
from mdaug.frames import FrameSet
from mdaug.units import EV_PER_ENERGY_UNIT, KCAL_MOL_PER_EV
from mdaug.verdicts import worst

TRIALS = 25
SYSTEMS, FRAMES = (4, 16), (3, 16)
A_PER_BOHR = 0.529177


def scaled(frames: FrameSet, energy: float = 1.0, force: float = 1.0) -> FrameSet:
    return replace(frames, energies=frames.energies * energy, forces=frames.forces * force)


def with_noise(frames: FrameSet, rng: np.random.Generator) -> FrameSet:
    return replace(frames, energies=frames.energies + rng.normal(size=len(frames)))


def of_other_frames(frames: FrameSet, rng: np.random.Generator) -> FrameSet:
    return replace(frames, energies=rng.permutation(frames.energies))


FAULTS = {
    "none": lambda frames, _: frames,
    "energies in Hartree": lambda frames, _: scaled(frames, 1 / EV_PER_ENERGY_UNIT["Hartree"]),
    "energies per atom": lambda frames, _: scaled(frames, 1 / frames.n_atoms),
    "noise of 1 eV": with_noise,
    "energies of other frames": of_other_frames,
    "forces in kcal/mol/Angstrom": lambda frames, _: scaled(frames, 1, KCAL_MOL_PER_EV),
    "forces in eV/Bohr": lambda frames, _: scaled(frames, 1, A_PER_BOHR),
    "gradients": lambda frames, _: scaled(frames, 1, -1),
}


def drawn(systems: list[FrameSet], rng: np.random.Generator) -> list[FrameSet]:
    chosen = rng.choice(len(systems), min(int(rng.integers(*SYSTEMS)), len(systems)), replace=False)
    sizes = [min(int(rng.integers(*FRAMES)), len(systems[n])) for n in chosen]
    return [
        systems[n].select(np.sort(rng.choice(len(systems[n]), size, replace=False)))
        for n, size in zip(chosen, sizes, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="+")
    warnings.simplefilter("ignore")
    read = [
        contents for path in parser.parse_args().frames for contents in read_systems(path, temperature_K=400)
    ]
    systems, units = [contents.frames for contents in read if contents.frames.has_forces], read[0].units
    print(f"{len(systems)} systems, {TRIALS} random sets for each fault")
    for fault, change in FAULTS.items():
        outcomes: Counter[str] = Counter()
        for trial in range(TRIALS):
            rng = np.random.default_rng(trial)
            few = [change(frames, rng) for frames in drawn(systems, rng)]
            outcomes[worst(few_frames_verdicts(few, units))] += 1
        print(f"{fault:28s}", dict(outcomes))


if __name__ == "__main__":
    main()
