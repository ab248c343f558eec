"""The files that each command may write into its run folder, with one line each for the README.txt there."""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from mdaug.files import write_text
from mdaug.text import in_one_line

README = "README.txt"
ENVIRONMENT = "environment.json"
RECORD = "run.json"

_DYNAMICS = {
    "config.json": "start structure, options and model of the run; --resume continues from it",
    "thermo.csv": "energies and temperature against time: a row every --thermo-every steps",
    "trajectory.dcd": "positions every --frames-every steps (MDAnalysis, VMD, OVITO; with topology.pdb)",
    "trajectory.xyz": "the same positions as extended xyz (--extxyz)",
    "model_devi.out": "deviation of the committee for each frame, as DeePMD-kit writes it (--model-devi)",
    "topology.pdb": "names and bonds of the atoms, for trajectory.dcd",
    "restart.npz": "state of the integrator, from which --resume continues",
    "shadow.csv": "energy that the integrator conserves (the shadow Hamiltonian)",
    "replica-*/*": "one folder for each independent run (--replicas)",
}

_FIGURES = (
    "springs.png",
    "frames.png",
    "training.png",
    "parity*.png",
    "molecule.png",
    "scan.png",
    "drift.png",
    "stability*.png",
    "survival.png",
    "failure.png",
)

FILES: dict[str, dict[str, str]] = {
    "augment": {
        "augmented.xyz": "augmented frames: extended xyz in eV and eV/Å, with parent, rule, kind and weight",
        "springs.json": "spring constants of every element pair, in kcal/mol/Å²",
        "systems/*": "augmented frames and springs of each system, of several",
        "README.md": "how the trainer of --for reads the files, and its command line",
        "split.json": "indices of the training, validation and test frames",
        "train.xyz": "training frames: those of the data, then the augmented ones, with weights",
        "validation.xyz": "validation frames",
        "test.xyz": "test frames",
        "mace.yaml": "configuration for mace_run_train",
        "nequip.yaml": "configuration for nequip-train",
        "weights.txt": "weights of the frames of train.xyz",
        "frames.db": "all frames: ASE database with SchNetPack's metadata",
        "split.npz": "how often frames of frames.db occur in training; frames for validation and test",
        "experiment/*": "experiment for spktrain",
        "train/*": "DeePMD-kit's systems of the training frames, by weight",
        "validation/*": "DeePMD-kit's system of the validation frames",
        "test/*": "DeePMD-kit's system of the test frames",
        "input.json": "input file of dp train",
        "nep.in": "input file of nep",
        "frames.npz": "all frames, as arrays for hippynn",
        "train.py": "training script for hippynn",
    },
    "bench": {"bench.json": "all timings", "bench.png": "figure of the timings"},
    "check": {"check.json": "verdict of every check"},
    "demo": {
        "report.html": "both models side by side",
        "results.json": "errors, scan, drift and stability of both models",
        **dict.fromkeys(_FIGURES, "figure of the report"),
        "raw/*": "run folder of the model trained on the raw frames",
        "augmented/*": "run folder of the model trained on raw and augmented frames",
    },
    "drift": {
        "drift.json": "slope of the total energy with its 95 % interval, fluctuation, drift ratio",
        "drift.png": "total energy against time",
        "drift.html": "report",
    },
    "evaluate": {
        "evaluate.json": "errors of energies and forces",
        "parity.png": "predicted against true energies and forces",
        "parity-*.png": "the same for one of several models",
    },
    "examine": {
        "examination.json": "verdict and measured numbers of every part, for every force field",
        "report.html": "report",
        "accuracy.png": "distribution of the errors",
        "frequencies.png": "harmonic frequencies",
        "bonds.png": "bond scans",
        "shapes.png": "scans of bends, torsions and contacts",
        "conservation.png": "energies of runs at constant energy",
        "dynamics.png": "runs alive against time",
        "distributions.png": "distances of all pairs, in runs and in frames",
        "runs/*": "trajectories, one folder for each force field and part",
    },
    "explore": {
        "explored.xyz": "labeled frames that the model is wrong about, for `mdaug train --augment.explored`",
        "explore.json": "numbers of visited and kept frames, and which could not be labeled and why",
        "labels.jsonl": "every label or failure of --label; a second start continues from it",
    },
    "frames": {
        "frames.xyz": "frames: extended xyz in eV and eV/Å",
        "frames.npz": "frames: sGDML-like npz",
        "frames.json": "how the frames were made, and the measured temperatures",
        "replicas/*": "finished replicas of an unfinished run",
    },
    "labels": {
        "labels.json": "errors of every label rule",
        "labels.png": "figure of the errors",
        "frames.xyz": "the geometries with the reference's energies and forces, for a better reference",
    },
    "nve": {"nve.json": "result: steps, speed, temperature, why it stopped", **_DYNAMICS},
    "nvt": {"nvt.json": "result: steps, speed, temperature, why it stopped", **_DYNAMICS},
    "reference": {
        "frames.xyz": "the frames with ab-initio energies (and forces)",
        "start.xyz": "the start structure with its ab-initio energy",
        **{
            f"{kind}-*.{suffix}": what
            for kind in ("bond", "angle", "torsion", "approach")
            for suffix, what in (("csv", "a scan, for `mdaug scan --reference`"), ("xyz", "its structures"))
        },
        "scan.png": "figure of the scans",
        "reference.json": "level of theory, and how many energies are missing and why",
        "points.jsonl": "every finished point; a second start continues from it",
    },
    "relax": {
        "relaxed.xyz": "the minimum",
        "relax.json": "energy, bond lengths, harmonic frequencies, zero-point energy",
    },
    "scan": {
        "scan.csv": "distance, energy, force along the bond, reference",
        "scan-*.csv": "the same for one of several models",
        "scan.json": "metrics of the scan: spurious minima and maxima, errors",
        "scan.png": "figure of energy and force",
        "molecule.png": "the molecule with atom indices",
        "report.html": "report",
    },
    "springs": {
        "springs.json": "spring constants of every element pair, in kcal/mol/Å²",
        "springs.png": "distributions of the distances with the fits",
    },
    "stability": {
        "stability.json": "when and by which bond the trajectory broke; distributions before that",
        "stability.png": "figure of bond deviations, distances and torsions",
        "molecule.png": "the molecule with atom indices",
        "failure.png": "the structure at which a bond broke",
        "report.html": "report",
    },
    "sweep": {
        "sweep.csv": "settings and results of every trial",
        "sweep.json": "the same, with the importance of the settings",
        "settings.json": "what is varied",
        "scans.png": "the scans of all trials",
        "importance.png": "importance of the settings",
        "study.db*": "the study (Optuna), from which --resume continues",
        ".next": "lock of the workers",
        "trials/*": "run folder of each training",
    },
    "train": {
        "config.toml": "all settings; `mdaug train --config config.toml` trains again",
        "model.pt": "the force field, for ASE, LAMMPS and the other mdaug commands",
        "checkpoint.pt": "state of the training, from which --resume continues",
        "history.csv": "training and validation errors of every epoch",
        "tensorboard/*": "the same for TensorBoard (--log tensorboard)",
        "wandb/*": "the same for Weights & Biases, offline (--log wandb)",
        "augmentation.json": "whether the augmented frames are trained on, and why",
        "baseline.json": "force field that the network is added to, and why it is used or not",
        "split.json": "indices of the training, validation and test frames",
        "springs.json": "spring constants of every element pair, in kcal/mol/Å²",
        "augmented.xyz": "augmented frames: extended xyz in eV and eV/Å, with parent, rule, kind and weight",
        "results.json": "errors on test and validation frames",
        "systems/*": "files of each system, where the training is on several",
        "committee/*": "trainings of the other networks of the committee, which model.pt contains",
        "delta/*": "Δ-learning: labels of the low-level method, the network of differences, labeled frames",
        "hardening/*": "rounds of hardening: model, frames in spurious minima, training",
        "scan.csv": "distance, energy and force of a bond scan, reference",
        "scan.json": "metrics of the bond scan",
        "report.html": "report",
        **dict.fromkeys(_FIGURES, "figure of the report"),
    },
}
"""Command -> file name or pattern -> what it is. A pattern ``folder/*`` stands for everything below it."""

IN_PLACE = ("*thermo.csv", "*shadow.csv", "*trajectory.dcd", "points.jsonl", "study.db*")
"""Files that a command changes in place; all others are replaced as a whole."""

_VALIDATION = {
    "stability.json": "when and by which bond the thermostatted run broke",
    "drift.json": "energy drift of the run at constant energy",
    "trial.json": "result of the trial, for the sweep",
    "nve/*": "run at constant energy",
    "nvt/*": "thermostatted run",
    "hot/*": "hot runs",
    "survival.json": "which hot runs survived, and how the others failed",
}
"""Files that a demo or a sweep adds to the folder of a training."""

_OF_EVERY_RUN = {
    RECORD: "command, times and the files of this run",
    ENVIRONMENT: "command, versions, machine",
    README: "this list",
}


def matching(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files in `folder` that match any of `patterns`, as sorted paths relative to it.

    Parameters
    ----------
    folder
        A run folder.
    patterns
        Names and patterns of `FILES`.
    """
    files: set[str] = set()
    for pattern in patterns:
        head, slash, _ = pattern.partition("/")
        for path in folder.glob(head):
            if path.is_dir() and not path.is_symlink():
                files.update(files_below(path, folder) if slash else ())
            else:
                files.add(path.relative_to(folder).as_posix())
    return sorted(files)


def files_below(top: Path, folder: Path) -> Iterator[str]:
    """Yield the files below `top`, links included, as paths relative to `folder`.

    Parameters
    ----------
    top
        Folder that is searched; links to folders are not followed.
    folder
        `top` or a folder above it.
    """
    for parent, folders, files in os.walk(top):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in [*files, *links]:
            yield (Path(parent) / name).relative_to(folder).as_posix()


def matches(relative: str, patterns: Iterable[str]) -> bool:
    """Return whether the path `relative` to a run folder matches any of `patterns`.

    Parameters
    ----------
    relative
        With ``/`` between folders.
    patterns
        Names and patterns of `FILES`.
    """
    return any(fnmatchcase(relative, pattern) for pattern in patterns)


def write_readme(folder: Path, command: str, commands: Iterable[str]) -> None:
    """Write README.txt: the command lines of the run, and its files with one line each.

    Parameters
    ----------
    folder
        A run folder.
    command
        Name of the command.
    commands
        The command lines, oldest first.
    """
    described = FILES[command] | (_VALIDATION if command == "train" else {}) | _OF_EVERY_RUN
    present = [
        name for name in described if name in (RECORD, ENVIRONMENT, README) or matching(folder, [name])
    ]
    width = max(map(len, present))
    lines = [f"Run folder of `mdaug {command}`", "", *(f"    {in_one_line(line)}" for line in commands), ""]
    lines += [f"{name:{width}}  {described[name]}" for name in present]
    write_text(folder / README, "\n".join(lines) + "\n")
