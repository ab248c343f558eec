"""kill -9 at random moments, full disks and read-only folders: nothing finished is lost, everything resumes.

``python benchmarks/kills.py --out DIR --kills 60`` starts tiny runs of the commands in kill_cases.py, kills
each of them several times, goes on as the command offers, and compares the result with an uninterrupted run;
each run is killed at most PER_RUN times, so that there are several comparisons. After a kill of --overwrite
the next start must find the old or the new result. It prints a line for each command and writes kills.json.
Runs are forked from this process, so that no start repeats the imports.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from ase.build import molecule
from kill_cases import SMALL, SWEEP, Case, cases, options

import mdaug.training.loop
from mdaug.cli.app import main
from mdaug.deployment import load_model
from mdaug.errors import MDAugError
from mdaug.files import write_json
from mdaug.training.checkpoint import load_checkpoint

PER_RUN = 2
"""Kills of one run, which must then finish and be compared."""


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
    if wait(start([*case.argv, *case.out(whole)], log)) != 0:
        return {"case": case.name, "kills": 0, "wrong": [f"the uninterrupted run fails, see {log}"]}
    duration = time.monotonic() - began
    expected, kills, runs, wrong = case.same(whole), 0, 0, []
    while kills < n_kills:
        shutil.rmtree(out, ignore_errors=True)
        old = None
        if case.before:
            wait(start([*case.before, *case.out(out)], log))
            old = case.same(out)
        finished: dict[Path, bytes] = {}
        code: int | None = None
        left = min(PER_RUN, n_kills - kills)
        while code is None:
            more = case.more if case.before or _begun(out) else []
            limit = random.uniform(0.0, 0.8 * duration) if left else None
            code = wait(start([*case.argv, *more, *case.out(out)], log), limit)
            kills += code is None
            left -= code is None
            wrong += _torn(out) + [f"{p}: lost" for p, was in finished.items() if not _keeps(p, was)]
            finished = {} if case.before else _finished(out)
            if code is None and case.before:
                wrong += _neither(case, out, log, (old, expected))
            elif code is None and _is_finished(out):  # killed after its end: the next start says so
                code = int(wait(start([*case.argv, *case.out(out)], log)) != 1)
        runs += 1
        if code or case.same(out) != expected:
            wrong.append(f"run {runs}: exit code {code}, or other results than the uninterrupted run's")
        wrong += [f"{path}: left behind" for path in out.rglob(".*") if path.name.startswith(".mdaug")]
    return {"case": case.name, "kills": kills, "finished_runs": runs, "seconds": duration, "wrong": wrong}


def _neither(case: Case, out: Path, log: Path, results: tuple[object, object]) -> list[str]:
    """Return what is wrong after a kill of --overwrite: the next start finds the old or the new result.

    A new run that can be resumed is kept instead; the next start says how, and where the old one is.
    """
    log.unlink()
    code = wait(start([*case.argv, *case.out(out)], log))
    said = log.read_text()
    if code == 1 and "continue it with --resume" in said and (out / ".mdaug-replaced").is_dir():
        return []
    if code == 1 and "holds a finished run" in said and case.same(out) in results:
        return []
    return [f"{case.name}: neither the old nor the new result: exit code {code}, {said[-300:]}"]


def _is_finished(out: Path) -> bool:
    record = out / "run.json"
    return record.exists() and bool(json.loads(record.read_text(encoding="utf-8"))["finished"])


def _begun(out: Path) -> bool:
    """Whether there is something to go on with."""
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    return bool(names & {"config.toml", "config.json", "study.db", "points.jsonl", "replicas", "frames.xyz"})


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
            code = wait(start([*case.argv, *case.out(disk / what)], log))
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
    (work / "water.xyz").write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    molecule("CH3CH2OH").write(work / "ethanol.xyz")
    (work / "sweep.toml").write_text(SWEEP)
    made, log = work / "model", work / "model.log"
    train = ["train", "--epochs", "2", *options(SMALL), "--overwrite", "--out", str(made)]
    move = ["nve", str(made), "--steps", "400", "--equilibration", "0.05", "--no-guard", "--overwrite"]
    for argv in (train, [*move, "--out", str(work / "run")]):
        if wait(start(argv, log)):
            raise SystemExit(f"mdaug {argv[0]} for the other commands fails, see {log}")
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
