"""Run folders: made, protected, resumed, and found again as `runs/latest`."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mdaug.errors import DataError, MDAugError
from mdaug.files import is_leftover, remove_leftovers, write_json
from mdaug.locks import BusyError, is_lock, locked
from mdaug.options import Options

RUNS = Path("runs")
RECORD = "run.json"
"""Every run folder holds this record of what was run and whether it finished."""

LOCK = ".lock"
"""Held in the folder of a run as long as its process lives."""


class OutputOptions(Options):
    """Where results go."""

    out: Path | None = None
    """Folder for the results [default: runs/TIME]."""

    overwrite: bool = False
    """Replace the run of the same command in that folder."""


@dataclass(frozen=True)
class Run:
    """An open run folder."""

    path: Path


@contextmanager
def open_run(output: OutputOptions, *, command: str, resume: bool | None = None) -> Iterator[Run]:
    """Make (or with `resume` reopen) a run folder and mark it finished when the block succeeds.

    No other process gets the folder meanwhile. A replaced run is put aside and deleted only when the new one
    has finished; it comes back if the new one fails before it wrote a file. Folders of runs that failed so
    early are removed.

    Parameters
    ----------
    resume
        True continues the run of `output.out`, or the newest unfinished one of this command under ``runs``
        that no process is at; None says that the command cannot resume, so an unfinished run may be written
        over.

    Raises
    ------
    MDAugError
        If the folder holds a run that would be overwritten, another process is at it, or there is none to
        resume.
    """
    with ExitStack() as held:
        path, replaced = _claim(held, output, command, resume)
        remove_leftovers(path)
        started = _now()
        _record(path, command, started=started, finished=None)
        try:
            yield Run(path)
        except BaseException:
            _clear_failed(path, replaced)
            raise
        _record(path, command, started=started, finished=_now())
        if replaced is not None:
            shutil.rmtree(replaced)
    if (path / "model.pt").exists() and path.parent.resolve() == RUNS.resolve():
        _point_latest_to(path)


def find_model(model: Path | None) -> Path:
    """Return the model file named by a file, a run folder, or (None) the newest finished run."""
    path = model if model is not None else RUNS / "latest"
    found = path / "model.pt" if path.is_dir() else path
    if not found.is_file():
        inside = sorted(str(file.parent) for file in path.glob("*/model.pt"))  # a demo has two
        hint = f"name {' or '.join(inside)}" if inside else "name a model.pt or a run folder"
        if model is None:
            hint = "train one first (`mdaug train`) or name a model.pt"
        raise DataError(f"no model at {found}; {hint}")
    return found


def read_record(path: Path) -> dict[str, str | None] | None:
    """Return the record of the run in folder `path`, None where there is none."""
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _claim(
    held: ExitStack, output: OutputOptions, command: str, resume: bool | None
) -> tuple[Path, Path | None]:
    """Return the folder for a run, locked as long as `held` is open, and where a replaced run was put."""
    if resume:
        return _take_one_of(_to_resume(output.out, command), held), None
    if output.out is None:
        return _take(_new_folder(RUNS / f"{datetime.now():%Y%m%d-%H%M%S}"), held), None
    path = _take(output.out, held)
    if not _to_replace(path, command, overwrite=output.overwrite, can_resume=resume is not None):
        return path, None
    replaced = _put_aside(path)
    return _take(path, held), replaced


def _take(path: Path, held: ExitStack) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    advice = "wait for its end, or give another folder with --out"
    held.enter_context(locked(path / LOCK, what=str(path), advice=advice))
    return path


def _take_one_of(paths: list[Path], held: ExitStack) -> Path:
    """Take the first folder that no other process is at; the last one's error if there is none."""
    *others, last = paths
    for path in others:
        with suppress(BusyError):
            return _take(path, held)
    return _take(last, held)


def _to_replace(path: Path, command: str, *, overwrite: bool, can_resume: bool) -> bool:
    """Whether `path` holds a run that is to be replaced as a whole; MDAugError if it must not be."""
    record = read_record(path)
    if record is None:
        return False
    finished = bool(record.get("finished"))
    if not (finished or _has_results(path)):
        return False
    if record.get("command") != command:
        raise MDAugError(
            f"{path} holds a run of `mdaug {record.get('command')}`; give another folder with --out"
        )
    if not (finished or can_resume):
        return False
    if not overwrite:
        raise MDAugError(_refusal(path, finished=finished))
    return True


def _has_results(path: Path) -> bool:
    return any(not (entry.name == RECORD or is_lock(entry) or is_leftover(entry)) for entry in path.iterdir())


def _refusal(path: Path, *, finished: bool) -> str:
    if finished:
        return f"{path} holds a finished run; give another folder with --out, or --overwrite to replace it"
    return f"{path} holds an unfinished run; continue it with --resume or replace it with --overwrite"


def _to_resume(out: Path | None, command: str) -> list[Path]:
    """Return the folder named, or those of unfinished runs of `command` under ``runs``, the newest first."""
    if out is not None:
        record = read_record(out)
        if record is None:
            raise MDAugError(f"nothing to resume in {out}: it holds no {RECORD} of an earlier run")
        if record.get("command") != command:
            raise MDAugError(f"{out} holds a run of `mdaug {record.get('command')}`; resume it with that")
        return [out]
    candidates = [
        path
        for path in RUNS.glob("*")
        if not path.is_symlink()
        and (record := read_record(path))
        and record.get("command") == command
        and not record.get("finished")
    ]
    if not candidates:
        raise MDAugError(f"no unfinished `mdaug {command}` under {RUNS}/ to resume; name one with --out")
    return sorted(candidates, key=lambda path: path.stat().st_mtime, reverse=True)


def _new_folder(path: Path) -> Path:
    """Make a folder that nobody has, even if two runs start in the same second."""
    candidate, n = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            n += 1
            candidate = path.with_name(f"{path.name}-{n}")
        else:
            return candidate


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.replaced-{datetime.now():%Y%m%d-%H%M%S-%f}")
    path.rename(aside)
    (aside / LOCK).unlink(missing_ok=True)
    return aside


def _clear_failed(path: Path, replaced: Path | None) -> None:
    """Leave no trace of a run that failed before its first result."""
    if _has_results(path):
        return
    (path / RECORD).unlink(missing_ok=True)
    remove_leftovers(path)
    (path / LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # the lock of another file that a kill left
        path.rmdir()
    if replaced is not None:
        replaced.rename(path)


def _record(path: Path, command: str, *, started: str, finished: str | None) -> None:
    write_json(path / RECORD, {"command": command, "started": started, "finished": finished})


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}"


def _point_latest_to(path: Path) -> None:
    temporary = RUNS / f".latest-{path.name}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(RUNS / "latest")
