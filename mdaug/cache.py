"""Where downloads and compiled libraries are kept. Imports nothing heavy: every start of `lmp` asks."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder, whether it exists or not: ``$MDAUG_CACHE`` or the user's cache folder."""
    named = os.environ.get("MDAUG_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path  # here, where an error of it does not kill LAMMPS

    return user_cache_path("mdaug")
