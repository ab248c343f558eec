"""kill -9 at random moments, full disks and read-only folders: nothing finished is lost, everything resumes.

``python benchmarks/kills.py --out DIR --kills 30`` starts tiny runs of `train` (spring labels, and
the recommended settings), `nve` (own loop and LAMMPS), `sweep`, `reference` and `springs`, kills each of them
several times, resumes as the command offers, and compares the result with an uninterrupted run;
each run is killed at most PER_RUN times, so that there are several comparisons. It prints a line for each
command and writes kills.json. Runs are forked from this process, so that no start repeats the imports.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import mdaug.training.loop
from mdaug.cli.app import main
from mdaug.deployment import load_model
from mdaug.deployment.manifest import read_manifest
from mdaug.errors import MDAugError
from mdaug.files import is_leftover, write_json
from mdaug.training.checkpoint import load_checkpoint

TINY = {
    **{"split.train": 60, "split.validation": 20, "split.test": 20},
    **{"springs.bootstrap": 0, "springs.max-components": 2, "augment.n-frames": 10},
    **{"model.n-atom-basis": 8, "model.n-filters": 8, "model.n-gaussians": 8},
    **{"model.n-interactions": 1, "model.n-knots": 16},
}
"""A training that takes seconds."""

SMALL = TINY | {"augment.n-stretched": 0, "augment.rule": "gradient", "model.prior": "none"}

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
[training]
epochs = 2
"""


PER_RUN = 2
"""Kills of one run, which must then finish and be compared."""


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
    """

    name: str
    argv: list[str]
    more: list[str]
    same: Callable[[Path], object]


def options(settings: dict[str, object]) -> list[str]:
    """Return settings as they are given to `mdaug train`."""
    return [f"--{key}={value}" for key, value in settings.items()]


def cases(model: Path, work: Path) -> list[Case]:
    """Return the commands to kill."""
    resume = ["--resume"]
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
        Case("springs", ["springs", "--bootstrap", "20"], [], lambda out: _text(out, "springs.json")),
    ]


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


def start(argv: list[str], log: Path) -> int:
    """Run `mdaug` in a process group of its own and return its id."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    os.setsid()
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    mdaug.training.loop.CHECKPOINT_SECONDS = 0.05
    code = 70
    try:
        code = main(argv)
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(process: int, limit: float | None = None) -> int | None:
    """Return the exit code of `process`; None if it ran past `limit` (s) and was killed, children too."""
    until = time.monotonic() + limit if limit is not None else float("inf")
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def try_case(case: Case, work: Path, n_kills: int, random: Random) -> dict:
    """Kill runs `n_kills` times in all, each time at another moment, and compare each finished run."""
    log, whole, out = (work / f"{case.name}{end}" for end in (".log", " whole", " killed"))
    began = time.monotonic()
    if wait(start([*case.argv, "--out", str(whole)], log)) != 0:
        return {"case": case.name, "kills": 0, "wrong": [f"the uninterrupted run fails, see {log}"]}
    duration = time.monotonic() - began
    expected, kills, runs, wrong = case.same(whole), 0, 0, []
    while kills < n_kills:
        shutil.rmtree(out, ignore_errors=True)
        finished: dict[Path, bytes] = {}
        code: int | None = None
        left = min(PER_RUN, n_kills - kills)
        while code is None:
            more = case.more if _begun(out) else []
            limit = random.uniform(0.0, 0.8 * duration) if left else None
            code = wait(start([*case.argv, *more, "--out", str(out)], log), limit)
            kills += code is None
            left -= code is None
            wrong += _torn(out) + [f"{p}: lost" for p, was in finished.items() if not _keeps(p, was)]
            finished = _finished(out)
        runs += 1
        if code or case.same(out) != expected:
            wrong.append(f"run {runs}: exit code {code}, or other results than the uninterrupted run's")
        wrong += [f"{path}: left behind" for path in out.iterdir() if is_leftover(path)]
    return {"case": case.name, "kills": kills, "finished_runs": runs, "seconds": duration, "wrong": wrong}


def _begun(out: Path) -> bool:
    """Whether there is something to go on with."""
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    return bool(names & {"config.toml", "config.json", "study.db", "points.jsonl"})


def _torn(out: Path) -> list[str]:
    """Return what is wrong with the files in the folder of a killed run."""
    wrong = []
    for path in out.rglob("[!.]*"):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.name == "checkpoint.pt":
                load_checkpoint(path)
            elif path.name == "model.pt":
                load_model(path)
        except (ValueError, MDAugError) as error:
            wrong.append(f"{path}: torn ({error})")
    return wrong


def _finished(out: Path) -> dict[Path, bytes]:
    """Return what is finished in an unfinished run: trials, and whole lines of points."""
    contents = {path: path.read_bytes() for path in out.glob("trials/*/trial.json")}
    points = out / "points.jsonl"
    if points.exists():
        contents[points] = points.read_bytes().rpartition(b"\n")[0]
    return contents


def _keeps(path: Path, was: bytes) -> bool:
    return path.exists() and path.read_bytes().startswith(was)


def try_full_disk(case: Case, work: Path) -> dict:
    """Run on a file system too small for the results, then on one that cannot be written to."""
    disk, log = work / "disk", work / f"{case.name} disk.log"
    disk.mkdir(exist_ok=True)
    wrong = []
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_KB}k", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    try:
        kept = disk / "kept.txt"
        kept.write_text("mine")
        for what in ("full", "read-only"):
            if what == "read-only":
                subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            log.unlink(missing_ok=True)
            code = wait(start([*case.argv, "--out", str(disk / what)], log))
            errors = [line for line in log.read_text().splitlines() if line.startswith("mdaug: error: ")]
            if code != 1 or len(errors) != 1 or "a fault of mdaug" in errors[0]:
                wrong.append(f"{what}: exit code {code}, {errors or log.read_text()[-500:]}")
            wrong += [f"{what}: {line}" for line in _torn(disk)]
            if kept.read_text() != "mine":
                wrong.append(f"{what}: a file of the user is lost")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    return {"case": f"{case.name}, full and read-only", "kills": 0, "wrong": wrong}


_DISK_KB = 12


def prepare(work: Path) -> Path:
    """Write what the runs start from and return the model of the molecular dynamics."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    (work / "sweep.toml").write_text(SWEEP)
    made = work / "model"
    if wait(
        start(
            ["train", "--epochs", "2", *options(SMALL), "--overwrite", "--out", str(made)], work / "model.log"
        )
    ):
        raise SystemExit(f"the model for the dynamics cannot be trained, see {work / 'model.log'}")
    return made / "model.pt"


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=30, help="in all")
    parser.add_argument("--only", nargs="*", help="names of commands")
    parser.add_argument("--full-disk", action="store_true", help="fill disks instead of killing (as root)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    work = given.out.resolve()
    model = prepare(work)
    chosen = [case for case in cases(model, work) if not given.only or case.name in given.only]
    rows, random = [], Random(given.seed)
    for case in chosen:
        if given.full_disk:
            rows.append(try_full_disk(case, work))
        else:
            rows.append(try_case(case, work, -(-given.kills // len(chosen)), random))
        print(json.dumps(rows[-1]), flush=True)
    write_json(work / "kills.json", rows)
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(run())
