"""Check a set of frames: verdicts in check.json."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mdaug.data.checked_frames import ReadFrames, verify, verify_together
from mdaug.data.load import read_systems, without_isolated_atoms
from mdaug.data.origin import FILE_NAME, numbers_in_file
from mdaug.data.verification.verify import THOROUGH
from mdaug.errors import DataError, OrderError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.verdicts import Verdict, worst
from mdaug.workflows.settings.options import DataOptions
from mdaug.workflows.training.data import labels_of

FILE = "check.json"


@dataclass(frozen=True)
class CheckResult:
    """Outcome of the checks of a set of frames.

    Parameters
    ----------
    frames
        The frames that were checked.
    verdicts
        One for each check.
    usable
        Whether the frames could be checked at all.
    """

    frames: FrameSet
    verdicts: tuple[Verdict, ...]
    usable: bool = True

    @property
    def has_failed(self) -> bool:
        """Whether a check found an error."""
        return worst(self.verdicts) == "error"

    def to_json(self) -> list[dict[str, Any]]:
        """Return the entries of check.json, in which frames have their numbers in the file.

        Of frames of several files, ``"files"`` has the name of the file of each.
        """
        numbers, files = numbers_in_file(self.frames), self.frames.info.get(FILE_NAME)
        entries = []
        for verdict in self.verdicts:
            index = list(verdict.frames)
            entry = verdict.to_json() | {"frames": numbers[index].tolist()}
            entries.append(entry if files is None else entry | {"files": files[index].tolist()})
        return entries


@dataclass(frozen=True)
class DataCheck:
    """Outcome of the checks of all systems of a set.

    Parameters
    ----------
    systems
        The outcome for each system.
    together
        Verdicts on all systems with few frames together; none for one system, which has them itself.
    """

    systems: list[CheckResult]
    together: tuple[Verdict, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether a check found an error."""
        return any(result.has_failed for result in self.systems) or worst(self.together) == "error"


def check_data(data: str, options: DataOptions, folder: Path) -> DataCheck:
    """Read frames, run all checks of each system and write check.json into `folder`.

    Verdicts on frames of several systems have a key ``"system"``, but those on all with few frames together.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set.
    options
        Options of reading the file.
    folder
        Folder for check.json.

    Raises
    ------
    DataError
        If the file cannot be read at all.
    """
    systems, refusal = _read(data, options)
    results = [_check(contents, options) for contents in systems]
    if refusal is not None:
        concerned = [
            n for n, contents in enumerate(systems) if any("--reorder" in note for note in contents.notes)
        ]
        n = concerned[0] if concerned else 0
        results[n] = replace(results[n], verdicts=(refusal, *results[n].verdicts[1:]))
    together = tuple(
        verify_together([c for c, result in zip(systems, results, strict=True) if result.usable])
    )
    if len(results) == 1:
        results = [replace(results[0], verdicts=(*results[0].verdicts, *together))]
        together = ()
    labels = labels_of([contents.frames for contents in systems])
    entries = [
        entry | ({"system": label} if len(results) > 1 else {})
        for result, label in zip(results, labels, strict=True)
        for entry in result.to_json()
    ]
    write_json(folder / FILE, {"verdicts": entries + [verdict.to_json() for verdict in together]})
    return DataCheck(results, together)


def _read(data: str, options: DataOptions) -> tuple[list[ReadFrames], Verdict | None]:
    """Return the frames of each system, and why they can only be checked reordered; None if they need not."""
    try:
        return without_isolated_atoms(read_systems(data, **options.reading())), None
    except OrderError as error:
        reordered = options.model_copy(update={"reorder": True}).reading()
        text = f"{error}; all other checks are of the reordered frames"
        systems = without_isolated_atoms(read_systems(data, **reordered))
        return systems, Verdict("reading", "error", None, None, text)


def _check(contents: ReadFrames, options: DataOptions) -> CheckResult:
    reading = _reading_verdict(contents)
    try:
        verification = verify(contents, drop_outliers=options.drop_outliers, effort=THOROUGH)
    except DataError as error:
        text = str(error).removeprefix(f"{contents.frames.name}: ")
        unusable = Verdict("shapes, elements, numbers and cells", "error", None, None, text)
        return CheckResult(contents.frames, (reading, unusable), usable=False)
    return CheckResult(verification.frames, (reading, *verification.verdicts))


def _reading_verdict(contents: ReadFrames) -> Verdict:
    units = contents.units
    text = (
        f"{len(contents.frames)} frames read, energies in {units.energy}, forces in {units.force}, "
        f"lengths in {units.length}"
    )
    if contents.notes:
        text = "; ".join((text, *contents.notes))
        return Verdict("reading", "warning", float(len(contents.frames)), None, text)
    return Verdict("reading", "ok", float(len(contents.frames)), None, f"{text}; none left out")
