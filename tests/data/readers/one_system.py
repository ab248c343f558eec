"""Read a file of one system with the reader that recognizes it."""

from pathlib import Path

from mdaug.data.readers import read_file
from mdaug.data.readers.contents import Contents
from mdaug.data.reading import Reading


def read_contents(path: Path, **reading: str | bool) -> Contents:
    """Return the frames of the only system, in the units of the file."""
    (contents,) = read_file(path, Reading(**reading))
    return contents
