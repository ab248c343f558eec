"""Raw and recommended models of 24 systems unlike each other: errors, bond scans, survival in MD.

    python benchmarks/zoo.py frames|fields|train|scan|survival|report --out FOLDER [--only NAME …]

Each command does its part for every system and can be started again; what is finished is kept. The systems
and their two halves, for development and held aside, are in `zoo_systems.py`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from zoo_systems import SAMPLING, SYSTEMS, ordered, structure_of

from mdaug.augmentation.force_matching.assessment import fit_and_assess
from mdaug.data import load_frames, split_frames
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError
from mdaug.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), metavar="NAME")
    given = parser.parse_args()
    for name in ordered(given.only):
        PARTS[given.part](name, given.out / name)


def frames(name: str, folder: Path) -> None:
    """Sample frames, unless they are there."""
    system, out = SYSTEMS[name], folder / "frames"
    if (out / "frames.json").exists():
        return
    start = [structure_of(name, folder)]
    options = {"temperature": system.temperature, "multiplicity": system.multiplicity}
    options |= {"calculator": system.calculator, **SAMPLING, **system.sampling}
    for key, value in options.items():
        start += [f"--{key.replace('_', '-')}", str(value)]
    mdaug("frames", *start, *(["--resume"] if (out / "run.json").exists() else []), "--out", str(out))


def fields(name: str, folder: Path) -> None:
    """Fit a force field to the training frames and assess it."""
    path = folder / "field.json"
    if path.exists() or not (folder / "frames" / "frames.json").exists():
        return
    sampled = load_frames(folder / "frames" / "frames.xyz")
    training, start = sampled.select(split_frames(sampled, SplitOptions()).train), time.perf_counter()
    try:
        field, _, assessment = fit_and_assess(training)
    except DataError as error:
        record = {"sound": False, "reason": str(error), "n_terms": 0}
    else:
        untabulated = [(int(i), int(j)) for i, j in field.untabulated_bonds]
        record = {
            "sound": assessment.sound,
            "reason": assessment.reason,
            "n_terms": field.terms.n_coefficients,
            "changed": list(assessment.changed),
            "untabulated_bonds": untabulated,
            "verdicts": [verdict.to_json() for verdict in assessment.verdicts],
        }
    write_json(path, record | {"seconds": time.perf_counter() - start})
    print(f"{name}: {'sound' if record['sound'] else 'REFUSED'}: {record['reason']}", flush=True)
    for text in record.get("changed", []):
        print(f"  {text}", flush=True)


def mdaug(*command: str) -> None:
    """Run a command of mdaug; its failure is reported and does not stop the others."""
    print("mdaug", *command, flush=True)
    if subprocess.run([sys.executable, "-m", "mdaug", *command], check=False).returncode:
        print("FAILED: mdaug", *command, flush=True)


PARTS = {"frames": frames, "fields": fields}

if __name__ == "__main__":
    main()
