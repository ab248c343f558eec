"""Run folders: made, protected when finished, found again as `runs/latest`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mdaug.errors import MDAugError
from mdaug.files import write_json

RUNS = Path("runs")
FINISHED = "finished.json"


@dataclass(frozen=True)
class Run:
    """An open run folder."""

    path: Path


@contextmanager
def open_run(
    out: Path | None, *, command: str, overwrite: bool = False, resume: bool = False
) -> Iterator[Run]:
    """Make (or with `resume` reopen) a run folder and mark it finished when the block succeeds.

    Raises
    ------
    MDAugError
        If the folder holds a finished run and `overwrite` is False.
    """
    path = out if out is not None else _free(RUNS / f"{datetime.now():%Y%m%d-%H%M%S}")
    finished = path / FINISHED
    if finished.exists():
        if not overwrite:
            raise MDAugError(
                f"{path} holds a finished run; give another folder with --out, or --overwrite to replace it"
            )
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    yield Run(path)
    write_json(finished, {"command": command, "time": f"{datetime.now():%Y-%m-%dT%H:%M:%S}"})
    if path.parent == RUNS and (path / "model.pt").exists():
        _point_latest_to(path)


def find_model(model: Path | None) -> Path:
    """Return the model file named by a file, a run folder, or (None) the newest finished run."""
    path = model if model is not None else RUNS / "latest"
    found = path / "model.pt" if path.is_dir() else path
    if not found.is_file():
        hint = (
            "train one first (`mdaug train`) or name a model.pt"
            if model is None
            else "name a model.pt or a run folder"
        )
        raise MDAugError(f"no model at {found}; {hint}")
    return found


def _free(path: Path) -> Path:
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.name}-{n}")
    return candidate


def _point_latest_to(path: Path) -> None:
    latest = RUNS / "latest"
    temporary = RUNS / f".latest-{path.name}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(latest)
