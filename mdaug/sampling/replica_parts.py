"""Finished replicas of a sampling on disk, so that a killed one goes on with the next."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.errors import DataError
from mdaug.files import atomic_path
from mdaug.frames import FloatArray


@dataclass(frozen=True)
class ReplicaParts:
    """A folder with one npz for each finished replica.

    Parameters
    ----------
    folder
        Made when the first replica is kept.
    settings
        All that the replicas depend on, as text; parts of other settings are refused.
    """

    folder: Path
    settings: str

    def read(self, replica: int) -> dict[str, FloatArray] | None:
        """Return the arrays kept of a replica, None if it is not finished.

        Raises
        ------
        DataError
            The file is damaged or of other settings.
        """
        path = self._path(replica)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
            settings = str(found.pop("settings"))
        except Exception as error:  # numpy and zipfile raise whatever a damaged file makes them
            raise DataError(f"{path}: not a finished replica ({error}); remove it to run it again") from error
        if settings != self.settings:
            raise DataError(
                f"{path}: of other settings or another structure; resume with the same ones, or start anew"
            )
        return found

    def write(self, replica: int, **arrays: Any) -> None:
        """Keep the arrays of a finished replica."""
        with atomic_path(self._path(replica)) as temporary:
            np.savez(temporary, settings=np.array(self.settings), **arrays)

    def remove(self) -> None:
        """Remove all parts, once the frames are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, replica: int) -> Path:
        return self.folder / f"replica-{replica}.npz"
