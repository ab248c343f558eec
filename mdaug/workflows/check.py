"""Check a set of frames: verdicts in check.json."""

from dataclasses import dataclass
from pathlib import Path

from mdaug.data.load import ReadFrames, read_frames, verify
from mdaug.data.verification.verify import THOROUGH
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.verdicts import Verdict, worst
from mdaug.workflows.options import DataOptions

FILE = "check.json"


@dataclass(frozen=True)
class CheckResult:
    """Outcome of the checks of a set of frames.

    Parameters
    ----------
    title
        Name, number of frames, formula and temperature of the frames.
    verdicts
        One for each check.
    """

    title: str
    verdicts: tuple[Verdict, ...]

    @property
    def has_failed(self) -> bool:
        """Whether a check found an error."""
        return worst(self.verdicts) == "error"


def check_data(data: str, options: DataOptions, folder: Path) -> CheckResult:
    """Read frames, run all checks and write check.json into `folder`.

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
    contents = read_frames(data, **options.reading())
    title = contents.frames.description
    verdicts = [_reading_verdict(contents)]
    try:
        verification = verify(contents, drop_outliers=options.drop_outliers, effort=THOROUGH)
        verdicts += verification.verdicts
    except DataError as error:
        text = str(error).removeprefix(f"{contents.frames.name}: ")
        verdicts.append(Verdict("shapes, elements, numbers and cells", "error", None, None, text))
    result = CheckResult(title, tuple(verdicts))
    write_json(folder / FILE, {"verdicts": [verdict.to_json() for verdict in result.verdicts]})
    return result


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
