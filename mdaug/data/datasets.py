"""Named sets of frames: the embedded ethanol set, and downloaded sets in the user's cache."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pooch

from mdaug.cache import cache_folder
from mdaug.errors import DataError
from mdaug.files import atomic_path


@dataclass(frozen=True)
class RemoteSet:
    """A public file that is downloaded once."""

    filename: str
    urls: tuple[str, ...]
    sha256: str
    temperature_K: float
    level_of_theory: str
    description: str


_NFF = "https://raw.githubusercontent.com/learningmatter-mit/NeuralForceField"

REMOTE_SETS: Mapping[str, RemoteSet] = MappingProxyType(
    {
        "ethanol-ccsdt": RemoteSet(
            filename="ethanol_ccsd_t-train.npz",
            urls=(
                f"{_NFF}/483d788606af54cbf3f0df3c3bdfd85156bfa2a7/tutorials/data/ethanol_ccsd_t-train.npz",
                f"{_NFF}/master/tutorials/data/ethanol_ccsd_t-train.npz",
            ),
            sha256="c94db6a0cfac60c5172c9a22dbc5276a3a6e725fcb2f3ecbde67f0081dca5be2",
            temperature_K=500.0,
            level_of_theory="CCSD(T)/cc-pVTZ",
            description="1000 ethanol frames at 500 K (998 distinct), the paper's reference case",
        )
    }
)

EMBEDDED_SETS: Mapping[str, Path] = MappingProxyType({"ethanol": Path(__file__).parent / "ethanol.npz"})


def is_named_set(data: str) -> bool:
    """Return whether this is the name of a set.

    Parameters
    ----------
    data
        A name, file, folder or pattern.
    """
    return data in EMBEDDED_SETS or data in REMOTE_SETS


def cached_path(name: str) -> Path:
    """Return the file of a remote set.

    Raises
    ------
    DataError
        If it has not been fetched yet.
    """
    path = cache_folder() / REMOTE_SETS[name].filename
    if not path.is_file():
        raise DataError(
            f"{name}: not in the cache ({path}); fetch it once with `mdaug dataset {name}` "
            f"(or `mdaug dataset {name} --from FILE` for a copy at hand)"
        )
    return path


def fetch(name: str, *, progressbar: bool = False) -> Path:
    """Download a remote set into the cache, check its SHA-256, and return its path.

    Parameters
    ----------
    name
        Of the set.
    progressbar
        Show the progress of the download.

    Raises
    ------
    DataError
        If the name is unknown, the network fails, or the downloaded file has another SHA-256.
    """
    remote = _remote(name)
    failure: Exception | None = None
    for url in remote.urls:
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{remote.sha256}",
                fname=remote.filename,
                path=cache_folder(),
                downloader=pooch.HTTPDownloader(progressbar=progressbar, timeout=30),
            )
            return cached_path(name)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
            failure = error
    reason = (
        "the downloaded file is another one" if isinstance(failure, ValueError) else type(failure).__name__
    )
    raise DataError(
        f"{name}: download from {remote.urls[-1]} failed ({reason}); check the network, "
        f"or give a copy of the file with `mdaug dataset {name} --from FILE`"
    ) from failure


def install(name: str, source: Path) -> Path:
    """Copy a remote set from a local file into the cache after checking its SHA-256, and return its path.

    Parameters
    ----------
    name
        Of the set.
    source
        A copy of its file.

    Raises
    ------
    DataError
        If the name is unknown, or `source` is missing or another file.
    """
    remote = _remote(name)
    if not source.is_file():
        raise DataError(f"{source}: no such file; expected a copy of {remote.filename}")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != remote.sha256:
        raise DataError(
            f"{source}: not {name}: its SHA-256 is {digest[:12]}…, expected {remote.sha256[:12]}…; "
            f"get it from {remote.urls[-1]}"
        )
    with atomic_path(cache_folder() / remote.filename) as temporary:
        shutil.copyfile(source, temporary)
    return cached_path(name)


def _remote(name: str) -> RemoteSet:
    if name not in REMOTE_SETS:
        raise DataError(f"{name}: no such data set; expected {', '.join((*EMBEDDED_SETS, *REMOTE_SETS))}")
    return REMOTE_SETS[name]
