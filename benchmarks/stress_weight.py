"""Errors of energies, forces and stresses of silicon by the weight of stresses in the loss.

``python benchmarks/stress_weight.py si64_pbe_110.xyz --weights 0 0.001 0.01 0.1`` trains on raw frames of a
file with stresses, each weight with the same frames, steps and seeds, and prints the errors of test frames.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mdaug.analysis.accuracy import errors_of
from mdaug.calculators.predictions import predict_all
from mdaug.data import SplitOptions, load_frames, split_frames
from mdaug.deployment import export_model
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions, train


def main() -> None:
    """Train once for each weight and seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.001, 0.01, 0.1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--width", type=int, default=64)
    given = parser.parse_args()
    frames = load_frames(given.data)
    print("| weight | seed | energy MAE (meV/atom) | force MAE (eV/Å) | stress MAE (GPa) |", flush=True)
    for weight in given.weights:
        for seed in given.seeds:
            split = split_frames(frames, SplitOptions(train=80, validation=10, test=20, seed=seed))
            model = SchNetOptions(n_atom_basis=given.width, n_filters=given.width)
            options = TrainOptions(epochs=given.epochs, batch_size=5, stress_weight=weight, seed=seed)
            with TemporaryDirectory() as folder:
                parts = frames.select(split.train), frames.select(split.validation)
                trained = train(*parts, model, options, Path(folder)).model
                path = export_model(trained, Path(folder) / "model.pt", training={})
                test = frames.select(split.test)
                result = errors_of(predict_all(path, [test])[0].labels, test)
            energy = 1000 * np.abs(result.predicted_energies_eV - result.energies_eV).mean() / frames.n_atoms
            force = np.abs(result.predicted_forces_eV_A - result.forces_eV_A).mean()
            stress = result.to_json()["stress_mae_GPa"]
            print(f"| {weight:g} | {seed} | {energy:.2f} | {force:.4f} | {stress:.3f} |", flush=True)


if __name__ == "__main__":
    main()
