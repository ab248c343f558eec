"""Train with given settings and compare the model's bond scans with the force-matched field of the labels.

    python benchmarks/label_agreement.py FRAMES --out FOLDER --set augment.weight=0.1 --set model.prior=zbl …

Needs no reference calculation, so settings can be chosen without looking at the molecule that is reported.
Prints the held-out errors and, for every bond from 0.6 to 2.5 times its length, the rms difference to the
force-matched field where that is below 150 kcal/mol, and spurious minima and maxima.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from mdaug.analysis.relax import relax
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.analysis.scan_metrics import extrema
from mdaug.augmentation.force_matching.force_matched_rule import force_matched_rule
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.frames import structure_from_json
from mdaug.sweep.space import changes_of, grid, parse_space
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.train import train_force_field

LIMIT_KCAL_MOL = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames")
    parser.add_argument("--config", help="a TOML file or the name of a shipped one")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    config = load_config(given.config, {"data": {"source": given.frames}})
    (point,) = grid(parse_space(given.set, config)) or [{}]
    outcome = train_force_field(config.replace(changes_of(point, config)), given.out, device="cpu")
    if outcome.test is not None:
        test = outcome.test.to_json()
        print(
            f"E {test['energy_mae_kcal_mol']:.4f} kcal/mol, F {test['force_mae_kcal_mol_A']:.4f} kcal/mol/Å"
        )
    field = force_matched_rule(outcome.sets.train).field
    calculator = MDAugCalculator(outcome.model_path, dtype="float64")
    training = calculator.manifest["training"]
    atoms = relax(calculator, structure_from_json(training["reference_structure"])).atoms
    rows = [compare(calculator, field, atoms, tuple(bond["atoms"])) for bond in training["bonds"]]
    (given.out / "label_agreement.json").write_text(json.dumps(rows, indent=2))
    for row in rows:
        print(row)


def compare(calculator, field, atoms, bond) -> dict:
    """Scan one bond with the model and with the matched force field, at the same geometries."""
    length = atoms.get_distance(*bond)
    scan = bond_scan(calculator, atoms, bond, scan_distances(0.6 * length, 2.5 * length, 0.02))
    fixed, moved = bond if bond[1] in scan.moving else bond[::-1]
    axis = (atoms.positions[moved] - atoms.positions[fixed]) / length
    positions = np.repeat(atoms.positions[None], len(scan.distances_A) + 1, axis=0)
    shifts = np.append(scan.distances_A, length) - length
    positions[:, list(scan.moving)] += shifts[:, None, None] * axis
    energies = field.evaluate(positions)[0] * KCAL_MOL_PER_EV
    labels = energies[:-1] - energies[-1]
    low = labels < LIMIT_KCAL_MOL
    minima, maxima = extrema(scan.energy_kcal_mol)
    return {
        "bond": scan.name,
        "rms_kcal_mol": round(float(np.sqrt(np.mean((scan.energy_kcal_mol - labels)[low] ** 2))), 2),
        "n_spurious_extrema": len(minima) + len(maxima) - 1,
        "end_kcal_mol": round(float(scan.energy_kcal_mol[-1]), 1),
        "labels_end_kcal_mol": round(float(labels[-1]), 1),
    }


if __name__ == "__main__":
    main()
