"""The public sets of real frames that some tests need, wherever they are on this machine."""

import os
from pathlib import Path

from mdaug.cache import cache_folder

_NAME_IN_CACHE = {"ethanol_ccsd_t_1000.npz": "ethanol_ccsd_t-train.npz"}
"""What `mdaug dataset ethanol-ccsdt` downloads."""

HOW_TO_GET = "run `mdaug dataset ethanol-ccsdt`, or set MDAUG_DATA to a folder with the files"

# the cache of the user; tests set MDAUG_CACHE to folders of their own later
_CACHE = cache_folder()


def find_reference_set(name: str) -> Path | None:
    """Return the file of a set: in the folder MDAUG_DATA, beside the checkout, or in the user's cache."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folders = [Path(os.environ["MDAUG_DATA"])] if "MDAUG_DATA" in os.environ else []
    candidates = [folder / name for folder in (*folders, beside)]
    if name in _NAME_IN_CACHE:
        candidates.append(_CACHE / _NAME_IN_CACHE[name])
    return next((path for path in candidates if path.is_file()), None)
