"""Molecular dynamics of models beside the frames that they were trained on: survival, bonds, torsions.

    python benchmarks/distributions.py ours=RUN raw=RUN … --data ethanol --out FOLDER

Runs `mdaug nve --replicas N` for each model at the temperature of the frames (finished runs are kept; 5 ps of
Langevin dynamics first) and prints, over all replicas: how many survived, ∫|h(r) − h'(r)| dr of all pair
distances, the largest differences of bond lengths' means and spreads, and torsion populations. The row "half
the frames" compares one half of the frames with the other: the least that sampling alone gives.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from mdaug.analysis.distributions import Sample, distance_histogram_error, populations, sample_like
from mdaug.analysis.trajectory import blocks, open_trajectory
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import bond_name
from mdaug.geometry.pairs import pair_lengths
from mdaug.geometry.torsions import rotatable_torsions
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.workflows.settings.options import DataOptions

TIMESTEP_FS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--data", required=True)
    parser.add_argument("--units")
    parser.add_argument("--temperature", type=float, default=500.0)
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--ps", type=float, default=20.0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    frames = DataOptions(units=given.units, temperature=given.temperature).load(given.data)
    bonds = TrainingBonds.from_frames(frames)
    rows = [compare(frames, bonds, "frames", [frames.positions], [frames.positions])]
    halves = np.random.default_rng(0).permutation(len(frames))
    first, second = (frames.positions[half] for half in np.array_split(halves, 2))
    rows.append(compare(frames, bonds, "half the frames", [first], [second]))
    for text in given.models:
        label, _, run = text.partition("=")
        folder = simulate(Path(run), given)
        visited = [read(replica) for replica in sorted(folder.glob("replica-*"))]
        row = compare(frames, bonds, label, visited, [frames.positions])
        summary = json.loads((folder / "nve.json").read_text())
        row |= {"run": Path(run).name, "n_runs": given.replicas}
        row["n_survived"] = sum(reason is None for reason in summary["stopped_because"])
        rows.append(row)
        write_json(given.out / "distributions.json", rows)
    print("\n".join(table(rows)))


def simulate(run: Path, given: argparse.Namespace) -> Path:
    """Return the folder of the finished runs."""
    folder = given.out / f"{run.name}-{given.temperature:g}K"
    if not (folder / "nve.json").exists():
        steps = ["--steps", str(round(1000 * given.ps / TIMESTEP_FS)), "--timestep", str(TIMESTEP_FS)]
        options = [*steps, "--temperature", f"{given.temperature:g}", "--replicas", str(given.replicas)]
        writing = ["--thermo-every", "20", "--frames-every", "40", "--dtype", "float32"]
        command = [sys.executable, "-m", "mdaug", "nve", str(run), *options, *writing]
        subprocess.run([*command, "--out", str(folder), "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    return folder


def read(replica: Path) -> FloatArray:
    """Return all positions (n_frames, n_atoms, 3) of a trajectory."""
    return np.concatenate([block.positions for block in blocks(open_trajectory(replica))])


def compare(
    frames: FrameSet, bonds: TrainingBonds, label: str, visited: list[FloatArray], expected: list[FloatArray]
) -> dict:
    """Return how the visited geometries differ from the expected ones."""
    torsions = rotatable_torsions(bonds.atomic_numbers, bonds.bonds)
    samples: list[Sample] = []
    for parts in (visited, expected):
        sample = sample_like(frames, torsions)
        for positions in parts:
            sample.add(positions, None)
        samples.append(sample)
    lengths = [bond_lengths(np.concatenate(parts), bonds) for parts in (visited, expected)]
    means, spreads = ([one.mean(axis=0) for one in lengths], [one.std(axis=0) for one in lengths])
    return {
        "model": label,
        "h_error": distance_histogram_error(*samples),
        "bond_mean_difference_A": float(np.abs(means[0] - means[1]).max()),
        "bond_spread_ratio": [float(x) for x in np.percentile(spreads[0] / spreads[1], [0, 100])],
        "torsions": {
            bond_name(bonds.atomic_numbers, torsion): populations(samples[0].angles[:, k])
            for k, torsion in enumerate(torsions)
        },
    }


def bond_lengths(positions: FloatArray, bonds: TrainingBonds) -> FloatArray:
    return pair_lengths(positions, None, bonds.bonds[:, 0], bonds.bonds[:, 1])


def table(rows: list[dict]) -> list[str]:
    torsions = list(rows[0]["torsions"])
    heads = ["", "run", "survived", "∫\\|h − h'\\| dr", "bond means, largest difference (Å)"]
    heads += ["bond spreads, ratio", *(f"{name}: trans, gauche+, gauche−" for name in torsions)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        survived = f"{row['n_survived']} of {row['n_runs']}" if "run" in row else ""
        low, high = row["bond_spread_ratio"]
        cells = [row["model"], row.get("run", ""), survived, f"{row['h_error']:.3f}"]
        cells += [f"{row['bond_mean_difference_A']:.4f}", f"{low:.3f} to {high:.3f}"]
        cells += [", ".join(f"{share:.2f}" for share in row["torsions"][name].values()) for name in torsions]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
