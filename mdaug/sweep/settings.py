"""What the results of a sweep depend on: a sweep that goes on must be given the same."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdaug.errors import MDAugError
from mdaug.files import write_json
from mdaug.sweep.space import Choices, Dimension
from mdaug.workflows.config import RunConfig

SETTINGS = "settings.json"
Settings = Mapping[str, str | int | float | bool | None]


def settings_of(
    config: RunConfig, space: Sequence[Dimension], objective: str, reference: Path | None
) -> Settings:
    """Return all settings by the names they have for the user; files by their content."""
    sections = config.model_dump(mode="json")
    settings = {f"{name}.{key}": value for name, keys in sections.items() for key, value in keys.items()}
    source = Path(config.data.source)
    if source.is_file():
        settings["data.source"] = _content(source)
    return settings | {
        "--vary": " ".join(sorted(_text(dimension) for dimension in space)),
        "--objective": objective,
        "--reference": None if reference is None else _content(reference),
    }


def settle(folder: Path, settings: Settings) -> None:
    """Write settings.json into the folder of a new sweep, compare it with that of an old one."""
    path = folder / SETTINGS
    if path.exists():
        check_settings(settings, json.loads(path.read_text(encoding="utf-8")), str(folder))
    else:
        write_json(path, settings)


def check_settings(settings: Settings, known: Settings, where: str) -> None:
    """Refuse to go on with the sweep in `where`, begun with the `known` settings, if one has changed.

    Raises
    ------
    MDAugError
        The first one that differs is named. Keys that only one of the two has are of another version.
    """
    for key, value in settings.items():
        if key in known and known[key] != value:
            raise MDAugError(
                f"the sweep in {where} was begun with {key} = {known[key]}, now it is {value}; "
                "give the same options, or begin another sweep"
            )


def _content(file: Path) -> str:
    with file.open("rb") as stream:
        return f"file with SHA-256 {hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}…"


def _text(dimension: Dimension) -> str:
    if isinstance(dimension, Choices):
        return f"{dimension.key}={','.join(map(str, dimension.values))}"
    return f"{dimension.key}={dimension.low}:{dimension.high}{':log' if dimension.log else ''}"
