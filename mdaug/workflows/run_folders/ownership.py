"""Claim of a run folder by a command: lock it, and refuse folders that hold files of another run or user."""

import os
import stat
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mdaug.errors import MDAugError
from mdaug.files import remove_leftovers
from mdaug.locks import BusyError, locked
from mdaug.workflows.run_folders.run_files import FILES, IN_PLACE, RECORD, matches, matching
from mdaug.workflows.run_folders.run_record import (
    ASIDE,
    BOOKKEEPING,
    bookkeeping,
    discard_replaced,
    has_replaced,
    move_files,
    owned_files,
    read_record,
    restore,
    write_record,
)
from mdaug.workflows.settings.options import OutputOptions

MAY_NAME_A_MODEL = ("nve", "nvt")
"""Commands that go on from files of another user if a model is named (`check_own_record`)."""

LOCK = ".mdaug.lock"
"""Held in the folder of a run as long as its process lives."""


@dataclass
class Claim:
    """A locked run folder.

    Parameters
    ----------
    path
        The folder.
    command
        Name of the command that writes there.
    created
        Whether the folder was created for this run.
    commands
        Command lines of the run that is resumed, oldest first.
    """

    path: Path
    command: str
    created: bool = False
    commands: list[str] = field(default_factory=list)

    @property
    def patterns(self) -> list[str]:
        """Names of the files that the command may write."""
        return list(FILES[self.command])

    def begin(self, commands: Sequence[str], started: str) -> None:
        """Record that the run has started.

        Parameters
        ----------
        commands
            The command lines, oldest first.
        started
            Time.
        """
        files = self.patterns
        write_record(self.path, self.command, commands, started=started, finished=None, files=files)

    def finish(self, commands: Sequence[str], started: str, finished: str) -> None:
        """Record the files written, and delete those of the run that was replaced.

        Parameters
        ----------
        commands
            The command lines, oldest first.
        started, finished
            Times.
        """
        files = matching(self.path, self.patterns) + bookkeeping(self.path)
        times = {"started": started, "finished": finished}
        write_record(self.path, self.command, commands, **times, files=files)
        discard_replaced(self.path)

    def fail(self) -> bool:
        """Leave no trace of a run that failed before its first result; return whether it has one."""
        if matching(self.path, self.patterns):
            return True
        remove_leftovers(self.path, [*self.patterns, *BOOKKEEPING])
        (self.path / RECORD).unlink(missing_ok=True)
        restore(self.path)
        if self.created:
            _remove_folder(self.path)
        return False


def claim_folder(
    held: ExitStack,
    output: OutputOptions,
    command: str,
    *,
    resume: bool | None,
    default: Path,
    inputs: Sequence[Path | str | None],
) -> Claim:
    """Return the folder for a run, locked while `held` is open and without files that the run would replace.

    Parameters
    ----------
    held
        Context that keeps the lock.
    output
        ``--out`` and ``--overwrite``.
    command
        Name of the command.
    resume
        As for `open_run`.
    default
        Folder where ``--out`` names none; a number is added if it exists.
    inputs
        Files and folders that the command reads.

    Raises
    ------
    MDAugError
        If the folder cannot be used for this run; nothing was changed then.
    """
    if resume:
        return _claim_one_of(held, _to_resume(output.out, command, default.parent), command)
    if output.out is None:
        return _take(held, _new_folder(default), command, created=True)
    path = output.out
    _refuse_non_folders(path)
    existed = path.exists()
    created = not existed or read_record(path) is not None  # by this run, or by an earlier one
    claim = _take(held, path, command, created=created)
    try:
        _make_room(claim, output, can_resume=resume is not None, inputs=inputs)
    except MDAugError:
        if not existed:
            _remove_folder(path)
        raise
    return claim


def _make_room(
    claim: Claim, output: OutputOptions, *, can_resume: bool, inputs: Sequence[Path | str | None]
) -> None:
    """Refuse what must not be overwritten; put the files of a finished run aside."""
    path, command = claim.path, claim.command
    _restore_after_kill(claim, can_resume=can_resume, overwrite=output.overwrite)
    record, owned = read_record(path), owned_files(path)
    results = [name for name in owned if name not in BOOKKEEPING]
    finished = record is not None and bool(record.get("finished"))
    if record is not None and record["command"] != command:
        if finished or results:
            raise MDAugError(
                f"{path} holds a run of `mdaug {record['command']}`; give another folder with --out"
            )
    elif (finished or (results and can_resume)) and not output.overwrite:
        raise MDAugError(_refusal(path, finished=finished))
    _refuse_foreign(claim, owned)
    _refuse_inputs(claim, owned, inputs)
    if not output.overwrite:  # the command may add to files of an unfinished run
        _refuse_unsafe(claim)
    remove_leftovers(path, [*claim.patterns, *BOOKKEEPING])
    if output.overwrite and (finished or can_resume):
        # the record first: without it in `path`, a killed move is undone by the next start
        move_files(path, path / ASIDE, sorted(owned, key=lambda name: name != RECORD))


def _restore_after_kill(claim: Claim, *, can_resume: bool, overwrite: bool) -> None:
    """Bring back the run that a killed ``--overwrite`` was replacing."""
    path = claim.path
    if not has_replaced(path):
        return
    record = read_record(path)
    if record is not None and record.get("finished"):  # killed while deleting the old files
        discard_replaced(path)
        return
    partial = [name for name in owned_files(path) if name not in BOOKKEEPING]
    if partial and can_resume and not overwrite:
        raise MDAugError(
            f"{path} holds an unfinished run that was replacing an earlier one (kept in {path / ASIDE}); "
            "continue it with --resume, or discard it with --overwrite"
        )
    for name in [*partial, RECORD] if record is not None else []:
        (path / name).unlink(missing_ok=True)
    restore(path)
    warnings.warn(
        f"{path}: an earlier --overwrite was interrupted; the run that it was replacing is restored",
        stacklevel=2,
    )


def _refuse_foreign(claim: Claim, owned: Sequence[str]) -> None:
    foreign = [name for name in matching(claim.path, claim.patterns) if name not in set(owned)]
    if (claim.path / RECORD).exists() and read_record(claim.path) is None:
        foreign.append(RECORD)
    if foreign:
        names = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise MDAugError(
            f"{claim.path}: {names} would be overwritten, and no run of `mdaug {claim.command}` wrote "
            f"{'it' if len(foreign) == 1 else 'them'}; give another folder with --out"
        )


def _refuse_inputs(claim: Claim, owned: Sequence[str], inputs: Sequence[Path | str | None]) -> None:
    folder = claim.path.resolve()
    for given in inputs:
        if given is None or not Path(given).exists():
            continue
        place = Path(given).resolve()
        if not place.is_relative_to(folder) or place == folder:
            continue
        relative = place.relative_to(folder).as_posix()
        inside = any(name.startswith(f"{relative}/") for name in owned)
        if inside or relative in owned or matches(relative, claim.patterns):
            raise MDAugError(
                f"{given} is read by this command and would be overwritten; give another folder with --out"
            )


def _refuse_unsafe(claim: Claim) -> None:
    """Refuse to go on from files that are links or of another user, who may have planted them."""
    user = os.getuid() if hasattr(os, "getuid") else None
    for name in matching(claim.path, claim.patterns):
        path = claim.path / name
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise MDAugError(f"{path} is a link, which no run of mdaug makes; remove it, or start a new run")
        if status.st_nlink > 1 and matches(name, IN_PLACE):
            raise MDAugError(
                f"{path} has a second name (a hard link), whose content would change too; copy the folder "
                "and continue the copy"
            )
        if user is not None and status.st_uid != user and claim.command not in MAY_NAME_A_MODEL:
            raise MDAugError(
                f"{path} belongs to another user, and the run would go on from it; if you trust it, copy the "
                "folder and continue the copy"
            )


def _refuse_non_folders(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise MDAugError(f"{path} is a link to a folder that does not exist; give another folder with --out")
    if path.exists() and not path.is_dir():
        raise MDAugError(f"{path} is a file; expected a folder for --out")


def _take(held: ExitStack, path: Path, command: str, *, created: bool) -> Claim:
    path.mkdir(parents=True, exist_ok=True)
    advice = "wait for its end, or give another folder with --out"
    held.enter_context(locked(path / LOCK, what=str(path), advice=advice))
    return Claim(path, command, created)


def _claim_one_of(held: ExitStack, paths: list[Path], command: str) -> Claim:
    """Take the first folder that no other process is at; the last one's error if there is none."""
    *others, last = paths
    for path in others:
        with suppress(BusyError):
            return _reopen(held, path, command)
    return _reopen(held, last, command)


def _reopen(held: ExitStack, path: Path, command: str) -> Claim:
    claim = _take(held, path, command, created=False)
    _refuse_unsafe(claim)
    remove_leftovers(path, [*claim.patterns, *BOOKKEEPING])
    claim.commands = [str(line) for line in (read_record(path) or {}).get("commands") or []]
    return claim


def _to_resume(out: Path | None, command: str, runs: Path) -> list[Path]:
    """Return the folder named, or those of unfinished runs of `command` under `runs`, the newest first."""
    if out is not None:
        record = read_record(out)
        if record is None:
            raise MDAugError(
                f"nothing to resume in {out}: it has no {RECORD} of an earlier run; leave --resume out"
            )
        if record["command"] != command:
            raise MDAugError(f"{out} holds a run of `mdaug {record['command']}`; resume it with that command")
        return [out]
    candidates = [
        path
        for path in runs.glob("*")
        if not path.is_symlink()
        and (record := read_record(path))
        and record["command"] == command
        and not record.get("finished")
    ]
    if not candidates:
        raise MDAugError(f"no unfinished `mdaug {command}` under {runs}/ to resume; name one with --out")
    return sorted(candidates, key=lambda path: path.stat().st_mtime, reverse=True)


def _refusal(path: Path, *, finished: bool) -> str:
    if finished:
        return f"{path} holds a finished run; give another folder with --out, or --overwrite to replace it"
    return f"{path} holds an unfinished run; continue it with --resume or replace it with --overwrite"


def _new_folder(path: Path) -> Path:
    """Create a folder that nobody has, even if two runs start in the same second."""
    candidate, n = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            n += 1
            candidate = path.with_name(f"{path.name}-{n}")
        else:
            return candidate


def _remove_folder(path: Path) -> None:
    """Remove a run folder if nothing but the lock is left in it."""
    (path / LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # other files are there
        path.rmdir()
