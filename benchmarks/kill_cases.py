"""The commands that `benchmarks/kills.py` kills, as small as they can be."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mdaug.deployment.manifest import read_manifest

TINY = {
    **{"split.train": 60, "split.validation": 20, "split.test": 20},
    **{"springs.bootstrap": 0, "springs.max-components": 2, "augment.n-frames": 10},
    **{"model.n-atom-basis": 8, "model.n-filters": 8, "model.n-gaussians": 8},
    **{"model.n-interactions": 1, "model.n-knots": 16},
}
"""A training that takes seconds."""

SMALL = TINY | {
    "augment.n-stretched": 0,
    "augment.rule": "gradient",
    "model.prior": "none",
    "model.baseline": "none",
}

RECOMMENDED = TINY | {"augment.n-stretched": 20, "augment.n-impulses": 20}
"""Labels, augmented frames and prior of the recommended settings; they are made again on every resume."""

SWEEP = """
[split]
train = 40
validation = 10
test = 10
[springs]
bootstrap = 0
max_components = 2
[augment]
n_frames = 5
n_stretched = 0
rule = "gradient"
[model]
n_atom_basis = 8
n_filters = 8
n_gaussians = 8
n_interactions = 1
n_knots = 16
prior = "none"
baseline = "none"
[training]
epochs = 2
"""


@dataclass(frozen=True)
class Case:
    """A command to kill.

    Attributes
    ----------
    argv
        The command without --out.
    more
        What is added to go on after a kill.
    same
        Returns what the finished folder holds that an uninterrupted run must hold too, bit for bit.
    before
        The command that made the folder, if `argv` replaces it by --overwrite; empty if the folder is new.
    file
        The file that is written in the folder, for commands that write one file.
    """

    name: str
    argv: list[str]
    more: list[str]
    same: Callable[[Path], object]
    before: tuple[str, ...] = ()
    file: str = ""

    def out(self, folder: Path) -> list[str]:
        """Return ``--out`` for `folder`."""
        return ["--out", str(folder / self.file)]


def options(settings: Mapping[str, object]) -> list[str]:
    """Return settings as they are given to `mdaug train`."""
    return [f"--{key}={value}" for key, value in settings.items()]


def cases(model: Path, work: Path) -> list[Case]:
    """Return the commands to kill."""
    resume = ["--resume"]
    run = str(work / "run")
    bond = ["--structure", str(work / "ethanol.xyz"), "--bond", "2", "3", "--reference", "none"]
    emt = ["--calculator", "ase.calculators.emt:EMT"]
    fit = ["--springs.bootstrap", "0", "--springs.max-components", "2"]
    few = ["--n-frames", "300", "--n-stretched", "100", "--rule", "gradient"]
    sampled = ["--n-frames", "16", "--n-replicas", "8", "--spacing", "20", "--equilibration", "0.1"]
    study = ["--rules", "isotropic", "gradient", "--epsilons", "0.1", "0.2", "--n-frames", "40"]
    nve = ["nve", str(model), "--steps", "4000", "--equilibration", "0.05", "--checkpoint-every", "0.02"]
    sweep = ["sweep", "--config", str(work / "sweep.toml"), "--vary", "augment.epsilon=0.1,0.2"]
    scan = ["reference", str(work / "h2.xyz"), "--scan", "bond:0-1=0.5:1.6:0.05", "--method", "hf"]
    return [
        Case("train", ["train", "--epochs", "25", *options(SMALL)], resume, _trained),
        Case("train recommended", ["train", "--epochs", "25", *options(RECOMMENDED)], resume, _trained),
        Case("nve", [*nve, "--no-guard"], resume, _moved),
        Case("nve lammps", [*nve, "--no-guard", "--engine", "lammps"], resume, _moved),
        Case("sweep", sweep, resume, _swept),
        Case("reference", [*scan, "--basis", "sto-3g", "--workers", "1"], [], _scanned),
        Case("springs", ["springs", "--bootstrap", "20"], [], files("springs.json")),
        Case("augment", ["augment", *fit, *few], [], files("augmented.xyz", "springs.json")),
        Case("explore", ["explore", run, "--model", str(model)], [], files("explore.json")),
        Case("scan", ["scan", str(model), *bond], [], files("scan.csv", "scan.json")),
        Case("stability", ["stability", run, "--model", str(model)], [], files("stability.json")),
        Case("evaluate", ["evaluate", str(model), "ethanol"], [], files("evaluate.json")),
        Case("frames", ["frames", str(work / "water.xyz"), *emt, *sampled], resume, files("frames.xyz")),
        Case("labels", ["labels", *emt, *study], [], files("labels.json", "frames.xyz")),
        Case("export", ["export", str(model.parent), "--overwrite"], [], _exported, file="model.pt"),
        *replacing(fit, few),
        Case("check", ["check", "ethanol"], [], files("check.json")),
        Case("relax", ["relax", str(model), "--max-steps", "20"], [], files("relaxed.xyz")),
        Case("drift", ["drift", run], [], files("drift.json")),
    ]


def replacing(fit: list[str], few: list[str]) -> list[Case]:
    """Return commands that replace a finished run."""
    overwrite = ["--overwrite"]
    springs, augment = ["springs", "--bootstrap"], ["augment", *fit, *few, "--seed"]
    train = ["train", *options(SMALL), "--epochs"]
    return [
        Case("springs --overwrite", [*springs, "10"], overwrite, files("springs.json"), (*springs, "0")),
        Case("augment --overwrite", [*augment, "1"], overwrite, files("augmented.xyz"), (*augment, "2")),
        Case("train --overwrite", [*train, "25"], overwrite, _trained, (*train, "2")),
    ]


def files(*names: str) -> Callable[[Path], object]:
    """Return a function that reads files of a run."""
    return lambda out: [_text(out, name) for name in names]


def _exported(out: Path) -> object:
    return read_manifest(out / "model.pt")["weights_sha256"]


def _trained(out: Path) -> object:
    results = json.loads(_text(out, "results.json"))
    del results["training"]["seconds"]
    weights = read_manifest(out / "model.pt")["weights_sha256"]
    return (
        weights,
        results,
        _text(out, "history.csv"),
        _text(out, "augmented.xyz"),
        _text(out, "springs.json"),
    )


def _moved(out: Path) -> object:
    return _text(out, "thermo.csv"), (out / "trajectory.dcd").read_bytes()


def _swept(out: Path) -> object:
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("trials/*/trial.json")}


def _scanned(out: Path) -> object:
    return {path.name: path.read_text() for path in out.glob("*.csv")}


def _text(out: Path, name: str) -> str:
    return (out / name).read_text(encoding="utf-8")
