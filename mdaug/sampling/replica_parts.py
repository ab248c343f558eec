"""Store of finished replicas of a sampling, so that a killed run can resume."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.archives import load_npz
from mdaug.errors import DataError
from mdaug.files import atomic_path
from mdaug.frames import FloatArray


@dataclass(frozen=True)
class ReplicaParts:
    """Store of finished replicas: a folder with one npz file each.

    Parameters
    ----------
    folder
        Created when the first replica is stored.
    settings
        All settings that the replicas depend on, as text; replicas of other settings are refused.
    """

    folder: Path
    settings: str

    def read(self, replica: int) -> dict[str, FloatArray] | None:
        """Return the arrays of a finished replica.

        Parameters
        ----------
        replica
            Number of the replica.

        Returns
        -------
        arrays
            Name -> array; None if the replica is not finished.

        Raises
        ------
        DataError
            The file is damaged, or of other settings.
        """
        path = self._path(replica)
        if not path.exists():
            return None
        try:
            arrays = load_npz(path)
            settings = str(arrays.pop("settings"))
        except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
            raise DataError(f"{path}: not a finished replica ({error}); remove it to run it again") from error
        if settings != self.settings:
            raise DataError(
                f"{path}: from a run with other settings or another structure; resume with the same ones, "
                "or start a new run"
            )
        return arrays

    def write(self, replica: int, arrays: Mapping[str, Any]) -> None:
        """Store the arrays of a finished replica.

        Parameters
        ----------
        replica
            Number of the replica.
        arrays
            Name -> array.
        """
        with atomic_path(self._path(replica)) as temporary:
            np.savez(temporary, settings=np.array(self.settings), **arrays)

    def remove(self) -> None:
        """Remove all parts, once the frames are written; other files in the folder stay."""
        for path in self.folder.glob("replica-*.npz"):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _path(self, replica: int) -> Path:
        return self.folder / f"replica-{replica}.npz"
