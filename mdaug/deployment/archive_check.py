"""Check that a TorchScript archive contains all bytes of its tensors.

If bytes are missing, torch loads the tensor nevertheless and reads beyond the end of its memory. Nothing in
the archive is executed here.
"""

import io
import pickle
import zipfile
from typing import Any

from mdaug.pickles import check_pickle

_ITEM_BYTES = {
    "DoubleStorage": 8,
    "LongStorage": 8,
    "FloatStorage": 4,
    "IntStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}


def short_storage(archive: zipfile.ZipFile, folder: str) -> str | None:
    """Return the first member of an archive that has fewer bytes than its tensor, None if there is none.

    Parameters
    ----------
    archive
        A TorchScript file, open for reading.
    folder
        Its one folder.

    Raises
    ------
    Exception
        zipfile and pickle raise errors of many kinds for a broken file.
    """
    names = archive.namelist()
    pickled = f"{folder}/data.pkl"
    if pickled not in names:
        return None
    for name in names:
        if name.endswith("pkl"):  # data.pkl, constants.pkl, and .debug_pkl
            check_pickle(archive.read(name))
    sizes = _Sizes(archive.read(pickled))
    sizes.load()
    for key, needed in sizes.n_bytes.items():
        member = f"{folder}/data/{key}"
        if member not in names or archive.getinfo(member).file_size < needed:
            return member
    return None


class _StandIn:
    """Inert stand-in for every class and function that a pickle names."""

    def __new__(cls, *_: object) -> "_StandIn":
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass


class _Sizes(pickle.Unpickler):
    """Records the number of bytes of each storage that a pickle refers to."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.n_bytes: dict[str, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        return type(name, (_StandIn,), {})

    def persistent_load(self, pid: Any) -> _StandIn:
        _, kind, key, _, count = pid
        self.n_bytes[str(key)] = _ITEM_BYTES[kind.__name__] * int(count)
        return _StandIn()
