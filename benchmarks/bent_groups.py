"""Force-matched fields where all hydrogens (or other ends) at an atom bend to one side, against GFN2-xTB.

    python benchmarks/bent_groups.py DATA [DATA …] --temperature 500

Prints for each set the errors of the field with and without what keeps redundant angle products small
(mdaug/augmentation/force_matching/redundant_angles.py): of held-out forces, and of the energies of 150 bent
geometries relative to the frame of the lowest energy. For data of another level than GFN2-xTB the latter
holds the difference between the two.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from mdaug.augmentation.force_matching import redundant_angles
from mdaug.augmentation.force_matching.assessment import fit_and_assess
from mdaug.augmentation.force_matching.topology import find_topology, neighbors_of
from mdaug.data import load_frames
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import calculate_frames, charged_calculator
from mdaug.units import KCAL_MOL_PER_EV

N_GEOMETRIES = 150
SHARES = (0.2, 0.62)
"""Parts by which a bond turns to the other one: at 0.5 the angle between them is half of what it was."""
REACHED_KCAL_MOL = 150.0
WIDTHS_EV = {"without": 1e6, "with": redundant_angles.WIDTH_EV}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--temperature", type=float)
    given = parser.parse_args()
    print(f"| data | | held-out forces, rms | energy: rms below {REACHED_KCAL_MOL:g} | lowest above |")
    print("|---|---|---|---|---|")
    for data in given.data:
        frames = load_frames(data, temperature_K=given.temperature)
        bent = bent_frames(frames)
        calculator = charged_calculator("GFN2-xTB", frames.charge, frames.multiplicity)
        reference, _ = calculate_frames(calculator, bent)
        for name, width in WIDTHS_EV.items():
            redundant_angles.WIDTH_EV = width
            print(f"| {frames.name} | {name} | {row(frames, bent, relative(reference))} |", flush=True)


def row(frames: FrameSet, bent: FrameSet, reference: FloatArray) -> str:
    """Return the errors of a field fitted to the frames; `reference` in kcal/mol."""
    field, half, _ = fit_and_assess(frames)
    errors = half.field.evaluate(half.others.positions)[1] - half.others.forces
    energies = relative(field.evaluate(bent.positions)[0])
    low = reference < REACHED_KCAL_MOL
    rms = np.sqrt(np.mean((energies - reference)[low] ** 2))
    return f"{np.sqrt(np.mean(errors**2)) * KCAL_MOL_PER_EV:.3f} | {rms:.1f} | {energies[~low].min():.0f}"


def relative(energies: FloatArray) -> FloatArray:
    """Return energies relative to the first, kcal/mol."""
    return (energies - energies[0]) * KCAL_MOL_PER_EV


def bent_frames(frames: FrameSet) -> FrameSet:
    """Return the frame of the lowest energy, and bent geometries of random frames."""
    rng = np.random.default_rng(1)
    made = [frames.positions[frames.energies.argmin()]]
    groups = list(_groups(frames))
    for frame in rng.integers(len(frames), size=N_GEOMETRIES):
        center, ends, others = groups[rng.integers(len(groups))]
        made.append(_bent(frames.positions[frame], center, ends, rng.choice(others), rng.uniform(*SHARES)))
    positions = np.array(made)
    return FrameSet(
        frames.atomic_numbers,
        positions,
        np.zeros(len(made)),
        np.zeros_like(positions),
        charge=frames.charge,
        multiplicity=frames.multiplicity,
    )


def _groups(frames: FrameSet) -> Iterator[tuple[int, list[int], list[int]]]:
    """Yield atoms with two or more ends beside another bond: the atom, its ends, its other neighbors."""
    neighbors = neighbors_of(frames.n_atoms, find_topology(frames).bonds)
    for center, own in enumerate(neighbors):
        ends = [atom for atom in own if len(neighbors[atom]) == 1]
        others = [atom for atom in own if len(neighbors[atom]) > 1]
        if len(ends) >= 2 and others:
            yield center, ends, others


def _bent(positions: FloatArray, center: int, ends: list[int], other: int, share: float) -> FloatArray:
    arms = positions[[*ends, other]] - positions[center]
    lengths = np.linalg.norm(arms, axis=1, keepdims=True)
    units = arms / lengths
    turned = (1 - share) * units[:-1] + share * units[-1]
    bent = positions.copy()
    bent[ends] = positions[center] + lengths[:-1] * turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return bent


if __name__ == "__main__":
    main()
