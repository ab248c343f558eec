"""The section [data] of a configuration: the files of the frames, and the options of reading each."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mdaug.errors import DataError
from mdaug.workflows.settings.options import DataOptions

if TYPE_CHECKING:
    from mdaug.frames import FrameSet

DEFAULT_SOURCE = "ethanol"

OF_TRAINING_FRAMES = {"every", "drop_outliers"}
"""Options of reading that do not hold for files of validation and test frames."""


class SourceTable(DataOptions):
    """One of several files of frames; options that are not set are those of [data]."""

    source: str
    """A file, a folder, a pattern or the name of a set, as in [data]."""

    sha256: str | None = None
    """SHA-256 of the file. A training records it; a file with other content is refused."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """Factor on the weights of its frames, and of augmented frames from these, in the training loss."""


class DataSection(DataOptions):
    """The frames, and the options of reading them."""

    source: str = DEFAULT_SOURCE
    """A file or the name of a set. In a TOML file a relative path is relative to that file, or, where there
    is no such file, to the working folder. A file may hold frames of several systems."""

    sha256: str | None = None
    """SHA-256 of the file. A training records it; a file with other content is refused."""

    sources: tuple[SourceTable, ...] = ()
    """Several files instead of one, each a table [[data.sources]] with source, weight, and its own options of
    reading."""

    validation: str | None = None
    """A file of validation frames; then none are split off."""

    test: str | None = None
    """A file of test frames; then none are split off."""

    validation_sha256: str | None = None
    """SHA-256 of the file of validation frames, as sha256."""

    test_sha256: str | None = None
    """SHA-256 of the file of test frames, as sha256."""

    @model_validator(mode="after")
    def _one_or_several(self) -> "DataSection":
        if self.sources and "source" in self.model_fields_set:
            raise ValueError(f"source = {self.source!r} beside tables [[data.sources]]: give one of the two")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The files or names of sets, those of validation and test frames too."""
        sources = [table.source for table in self.sources] or [self.source]
        return (*sources, *(file for file in (self.validation, self.test) if file is not None))

    def load_frames(self) -> "FrameSet":
        """Return the frames of one system.

        Raises
        ------
        DataError
            If there are several sources, the file has changed since its hash was recorded, or it cannot be
            used.
        """
        if self.sources:
            raise DataError(
                f"{len(self.sources)} sources of frames ({', '.join(self.files)}); expected one system"
            )
        check_hash(self.source, self.sha256)
        return self.load(self.source)

    def load_systems(self) -> "list[FrameSet]":
        """Return the frames of each system, those of isolated atoms too, source by source.

        Raises
        ------
        DataError
            If a file has changed since its hash was recorded, or cannot be used.
        """
        shared = self.model_dump(include=set(DataOptions.model_fields), exclude_unset=True)
        tables = self.sources or (SourceTable(source=self.source, sha256=self.sha256),)
        names = [Path(table.source).name for table in tables]
        systems: list[FrameSet] = []
        for table, name in zip(tables, names, strict=True):
            check_hash(table.source, table.sha256)
            own = table.model_dump(include=set(DataOptions.model_fields), exclude_unset=True)
            read = DataOptions(**(shared | own)).load_several(
                table.source, isolated_atoms=True, name_folder=names.count(name) > 1
            )
            systems += _weighted(read, table.weight)
        return systems

    def load_part(self, part: Literal["validation", "test"]) -> "list[FrameSet]":
        """Return the frames of the file of validation or test frames, by system, read as those of [data].

        All of them: they are neither thinned (``every``) nor freed of outliers, which a warning names.

        Parameters
        ----------
        part
            Which frames; without a file there are none.

        Raises
        ------
        DataError
            If the file has changed since its hash was recorded, or cannot be used.
        """
        file = getattr(self, part)
        if file is None:
            return []
        check_hash(file, getattr(self, f"{part}_sha256"), key=f"{part}_sha256")
        reading = self.model_dump(include=set(DataOptions.model_fields) - OF_TRAINING_FRAMES)
        return DataOptions(**reading).load_several(file, isolated_atoms=True)


def _weighted(systems: "list[FrameSet]", weight: float) -> "list[FrameSet]":
    from dataclasses import replace

    if weight == 1.0:
        return systems
    return [replace(frames, weights=weight * frames.weights) for frames in systems]


def check_hash(source: str, sha256: str | None, *, key: str = "sha256") -> None:
    """Refuse a file with another hash than the recorded one.

    Parameters
    ----------
    source
        A file or the name of a set.
    sha256
        Recorded hash, in hexadecimal digits; None for none.
    key
        Key of [data] that has the hash.

    Raises
    ------
    DataError
        The hash is another one.
    """
    path = Path(source)
    if sha256 is not None and path.is_file() and file_hash(path) != sha256:
        raise DataError(
            f"{path}: not the file that this configuration was made with (its SHA-256 differs); give "
            f"that file, or take {key} out of [data] to use the present one"
        )


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Parameters
    ----------
    path
        The file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
