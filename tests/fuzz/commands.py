"""What takes which file: the commands that a broken file is given to, and what must hold afterwards."""

import hashlib
import re
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mdaug.cli.app import main
from tests.fuzz import samples

CPU_SECONDS = 30
LONGEST_LINE = 1200
OWN_LINE = re.compile(r"mdaug: (error|warning): ")


@dataclass
class House:
    """A folder with a good file of every kind beside the broken one."""

    path: Path
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def canary(self) -> Path:
        """What code in a data file would make."""
        return self.path / "canary"

    def good(self, kind: str) -> Path:
        make, name = (samples.FRAMES | samples.OTHERS)[kind]
        path = self.path / "good" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            make(path)
        return path


def commands_for(kind: str, file: Path, house: House) -> list[list[str]]:
    """Return the commands that take a file of `kind`, the cheapest first."""
    model, frames = str(house.good("model.pt")), str(house.good("extxyz"))
    at = ["--temperature", "300"]
    springs = ["--springs-file", str(house.good("springs.json"))]
    few = ["--n-frames", "2", "--n-stretched", "0", "--rule"]
    config = ["--config", str(house.good("configuration"))]
    scan = ["--bond", "0", "1", "--points", "4", "--structure", str(house.good("structure"))]
    md = ["--steps", "2", "--equilibration", "0", "--engine", "ase"]
    if kind in samples.FRAMES:
        return [
            ["augment", str(file), *at, *springs, *few, "isotropic"],
            ["augment", str(file), *at, *springs, *few, "gradient"],
            ["reference", str(file), *at, "--workers", "0"],
            ["evaluate", model, str(file), *at],
            ["springs", str(file), *at, "--bootstrap", "0", "--max-components", "2"],
            ["train", str(file), *at, *config],
        ]
    beside = str(file.parent)
    taken: dict[str, list[list[str]]] = {
        "springs.json": [["augment", frames, *at, "--springs-file", str(file), *few, "projected"]],
        "thermo.csv": [["drift", str(file), "--n-atoms", "3"], ["drift", beside]],
        "LAMMPS log": [["drift", str(file)], ["drift", str(file), "--units", "metal", "--n-atoms", "3"]],
        "reference curve": [["scan", model, *scan, "--reference", str(file)]],
        "structure": [
            ["nve", model, *md, "--structure", str(file)],
            ["relax", model, "--max-steps", "3", "--structure", str(file)],
            ["scan", model, *scan[:-1], str(file), "--reference", "none"],
        ],
        "configuration": [["train", frames, *at, "--config", str(file), "--epochs", "1"]],
        "model.pt": [
            ["info", str(file)],
            ["nve", str(file), *md],
            ["scan", str(file), *scan, "--reference", "none"],
            ["evaluate", str(file), frames, *at],
        ],
        "checkpoint.pt": [["export", beside]],
        "points.jsonl": [["reference", frames, *at, "--workers", "0", "--points", str(file)]],
        "results.json": [["info", beside]],
    }
    return taken[kind]


def put(kind: str, content: bytes, folder: Path, house: House, name: str | None = None) -> Path:
    """Write `content` where the command looks for a file of `kind`, with what belongs beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make, usual = (samples.FRAMES | samples.OTHERS)[kind]
    path = folder / (name or usual)
    if kind == "CP2K" and name is None:
        make(path)  # forces and cells stay good
    if kind == "checkpoint.pt":
        text = house.good("configuration").read_text()
        source = f'[data]\nsource = "{house.good("extxyz")}"\n'
        (folder / "config.toml").write_text(text.replace("[data]\n", source))
    if kind == "results.json":
        shutil.copy(house.good("model.pt"), folder / "model.pt")
    path.write_bytes(content)
    return path


def complaint(argv: list[str], file: Path, house: House, capsys) -> str | None:
    """Run `mdaug` and say what it did that it must never do, None if all is well."""
    out = house.path / "out"
    before = _digest(file.parent)
    if argv[0] != "info":
        argv = [*argv, "--out", str(out / "model.pt" if argv[0] == "export" else out)]
    capsys.readouterr()
    code: int | str
    try:
        with cpu_limit(CPU_SECONDS):
            code = main(argv)
    except SystemExit as stopped:  # one fault among others, not the end of the test
        code = str(stopped)
    err = capsys.readouterr().err
    shutil.rmtree(out, ignore_errors=True)
    house.counts[f"exit {code}"] = house.counts.get(f"exit {code}", 0) + 1
    wrong = None
    if house.canary.exists():
        house.canary.unlink()
        wrong = "code in the file was executed"
    elif _digest(file.parent) != before:
        wrong = "the user's files were changed"
    elif code not in (0, 1, 2):
        wrong = f"exit code {code!r}"
    elif "a fault of mdaug" in err or "Traceback" in err:
        wrong = err
    else:
        wrong = _wrong_lines(err, code)
    return wrong and f"mdaug {' '.join(argv)}\n{wrong}"


def _wrong_lines(err: str, code: int) -> str | None:
    """One line tells an error, the last; a success has none."""
    own = [line for line in err.splitlines() if OWN_LINE.match(line)]
    errors = [line for line in own if line.startswith("mdaug: error: ")]
    if len(errors) != (code != 0):
        return f"exit code {code} with {len(errors)} error lines:\n{err}"
    if code and not err.rstrip("\n").splitlines()[-1].startswith("mdaug: error: "):
        return f"something after the error line:\n{err}"
    if code and not errors[0].removeprefix("mdaug: error: ").strip():
        return "an empty error line"
    long = [line for line in own if len(line) > LONGEST_LINE]
    return f"a line of {len(long[0])} characters: {long[0][:300]} …" if long else None


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@contextmanager
def cpu_limit(seconds: int):
    """Turn a computation without end into a failure of the test."""

    def stop(*_):
        raise SystemExit(f"still busy after {seconds} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def touches(canary: Path):
    """Return an object whose unpickling makes `canary`."""

    class Payload:
        def __reduce__(self):
            return Path.touch, (canary,)

    return Payload()
