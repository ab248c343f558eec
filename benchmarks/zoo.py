"""Raw and recommended models of 24 systems unlike each other: errors, bond scans, survival in MD.

    python benchmarks/zoo.py frames|fields|train|scan|survival|report --out FOLDER [--only NAME …]

Each command does its part for every system and can be started again; what is finished is kept. The systems
and their two halves, for development and held aside, are in `zoo_systems.py`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from zoo_systems import SAMPLING, SYSTEMS, ordered, structure_of


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


def mdaug(*command: str) -> None:
    """Run a command of mdaug; its failure is reported and does not stop the others."""
    print("mdaug", *command, flush=True)
    if subprocess.run([sys.executable, "-m", "mdaug", *command], check=False).returncode:
        print("FAILED: mdaug", *command, flush=True)


PARTS = {"frames": frames}

if __name__ == "__main__":
    main()
