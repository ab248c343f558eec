"""Run folders: creation, protection, resume, and the link `runs/latest`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mdaug.errors import DataError, InterruptedRunError
from mdaug.files import write_json
from mdaug.workflows.run_folders.environment import command_line, describe_environment
from mdaug.workflows.run_folders.ownership import Claim, claim_folder
from mdaug.workflows.run_folders.run_files import ENVIRONMENT, README, write_readme
from mdaug.workflows.run_folders.run_record import ASIDE, is_foreign, read_record
from mdaug.workflows.settings.options import OutputOptions

RUNS = Path("runs")
"""Folder for runs without --out, in the working folder."""

LATEST = RUNS / "latest"
"""Link to the newest finished run with a model; the default model."""

_TIME = re.compile(r"-\d{8}-\d{6}(-\d+)?$")

Input = Path | str | None


@dataclass(frozen=True)
class Run:
    """An open run folder."""

    path: Path


@contextmanager
def open_run(
    output: OutputOptions,
    *,
    command: str,
    resume: bool | None = None,
    subject: Path | None = None,
    inputs: Sequence[Input] = (),
) -> Iterator[Run]:
    """Create (or with `resume` reopen) a run folder, and mark it finished when the block succeeds.

    The folder is locked during the block. ``run.json`` records the command and the files it wrote;
    ``--overwrite`` replaces those and nothing else. They are kept aside until the new run has finished, and
    come back if it fails before it wrote a file. Folders of runs that failed so early are removed.

    Parameters
    ----------
    output
        ``--out`` and ``--overwrite``.
    command
        Name of the command: a key of `mdaug.workflows.run_folders.run_files.FILES`.
    resume
        True continues the run of `output.out`, or the newest unfinished one of this command under ``runs``
        that no process is at; None says that the command cannot resume, so that an unfinished run may be
        written over.
    subject
        Model or run that this run is about; its name becomes part of the default folder's.
    inputs
        Files and folders that the command reads; names of sets and missing files are ignored.

    Raises
    ------
    MDAugError
        Before anything is changed: the folder holds a run or files that would be overwritten, one of
        `inputs` would be, another process is at the folder, or there is none to resume.
    InterruptedRunError
        After Ctrl-C in the block.
    """
    with ExitStack() as held:
        default = RUNS / _default_name(command, subject)
        claim = claim_folder(held, output, command, resume=resume, default=default, inputs=inputs)
        commands = [*claim.commands, command_line()]
        started = _now()
        try:
            claim.begin(commands, started)
            yield Run(claim.path)
        except BaseException as error:
            kept = claim.fail()
            if kept and not is_foreign(claim.path / README):
                with suppress(OSError):  # a full disk, which is the error already
                    write_readme(claim.path, command, commands)
            if isinstance(error, KeyboardInterrupt):
                raise InterruptedRunError(_interrupted(claim, kept, resume)) from error
            raise
        explain_folder(claim.path, command, commands)
        claim.finish(commands, started, _now())
    _point_latest_to(claim.path)


def explain_folder(folder: Path, command: str, commands: Sequence[str] | None = None) -> None:
    """Write environment.json and README.txt of a run.

    Parameters
    ----------
    folder
        The run folder.
    command
        Name of the command.
    commands
        The command lines of the run, oldest first [default: those in its run.json, or the running one].
    """
    record = read_record(folder) or {}
    commands = commands or record.get("commands") or [command_line()]
    if not is_foreign(folder / ENVIRONMENT):
        write_json(folder / ENVIRONMENT, describe_environment(commands))
    if not is_foreign(folder / README):
        write_readme(folder, command, commands)


def find_model(model: Path | None) -> Path:
    """Return the model file that a file, a run folder or (None) the newest finished training names.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for ``runs/latest``.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path = model if model is not None else LATEST
    file = path / "model.pt" if path.is_dir() else path
    if not file.is_file():
        inside = sorted(str(file.parent) for file in path.glob("*/model.pt"))  # a demo has two models
        hint = f"name {' or '.join(inside)}" if inside else "name a model.pt or a run folder"
        if (path / ASIDE / "model.pt").is_file():
            hint = f"an interrupted --overwrite keeps the earlier model in {path / ASIDE}"
        if model is None:
            hint = "train one first (`mdaug train`) or name a model.pt"
        raise DataError(f"no model at {file}; {hint}")
    return file


def model_label(path: Path) -> str:
    """Return the name of a model in tables, figures and folder names: that of its run folder or file.

    Parameters
    ----------
    path
        A model file.
    """
    return path.parent.name if path.name == "model.pt" else path.stem


def _default_name(command: str, subject: Path | None) -> str:
    parts = [command, f"{datetime.now():%Y%m%d-%H%M%S}"]
    if subject is not None and subject.exists():
        name = subject.resolve()
        if name.is_file():
            name = name.parent if name.name in ("model.pt", "thermo.csv") else name.with_suffix("")
        # without the time of the subject, so that names of runs about runs do not grow
        parts.insert(1, _TIME.sub("", name.name) or "run")
    return "-".join(parts)


def _interrupted(claim: Claim, kept: bool, resume: bool | None) -> str:
    if not kept:
        return "interrupted; nothing was written"
    if resume is not None:
        return f"interrupted; continue with `mdaug {claim.command} --resume --out {claim.path}`"
    if claim.command == "reference" or (claim.path / "labels.jsonl").exists():
        return f"interrupted; the same command with --out {claim.path} continues from the finished points"
    return f"interrupted; {claim.path} holds the files written until then"


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}"


def _point_latest_to(path: Path) -> None:
    """Set the link ``runs/latest`` to `path` if it contains a model and is in ``runs``."""
    path = path.resolve()  # --out may have been runs/latest itself
    if not (path / "model.pt").exists() or path.parent != RUNS.resolve():
        return
    temporary = RUNS / f".latest-{path.name}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(LATEST)
