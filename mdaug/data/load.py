"""DATA, a file or a name, to checked frames in eV and Å."""

from dataclasses import replace
from pathlib import Path

from mdaug.data.checks import check_frames
from mdaug.data.datasets import EMBEDDED_SETS, REMOTE_SETS, cached_path
from mdaug.data.readers import read_contents
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.units import EV_PER_ENERGY_UNIT


def load_frames(
    data: str | Path = "ethanol",
    *,
    units: str | None = None,
    temperature_K: float | None = None,
    every: int = 1,
) -> FrameSet:
    """Read frames and check them.

    Parameters
    ----------
    data
        A file (its format is recognised by its content) or a name: ``ethanol`` (embedded, GFN2-xTB at 500 K),
        ``ethanol-ccsdt`` (after ``mdaug dataset ethanol-ccsdt``).
    units
        Energy unit of the file where it is not the format's own: eV, kcal/mol, meV or Hartree; lengths
        are in Å. Without it npz files are in kcal/mol (or their ``e_unit``), NeuralForceField's
        in their own ``units``, everything else in eV.
    temperature_K
        Temperature of the frames, K; overrides the file's.
    every
        Take every n-th frame.

    Returns
    -------
    FrameSet
        Duplicates share a number in ``group``.

    Raises
    ------
    DataError
        If the file is missing, unreadable or unusable; the message says where and what to do.

    Warns
    -----
    UserWarning
        About duplicates, energies whose spread does not fit the forces, and molecules that have parted.

    Examples
    --------
    >>> frames = load_frames("frames.xyz", units="kcal/mol", temperature_K=500)  # doctest: +SKIP
    >>> frames = load_frames("ethanol")
    >>> frames
    FrameSet(ethanol: 1000 frames of C2H6O, GFN2-xTB, 500 K)
    """
    name = str(data)
    remote = REMOTE_SETS.get(name)
    embedded = EMBEDDED_SETS.get(name)
    contents = read_contents(cached_path(name) if remote else embedded or Path(data))
    stated = _known_unit(units, name) or contents.units
    frames = _to_internal_units(contents.frames, EV_PER_ENERGY_UNIT[stated])
    if remote or embedded:
        frames = replace(frames, name=name)
    if remote:
        frames = replace(frames, temperature_K=remote.temperature_K, level_of_theory=remote.level_of_theory)
    if temperature_K is not None:
        frames = replace(frames, temperature_K=temperature_K)
    if every != 1:
        frames = frames.select(slice(None, None, _positive(every)))
    return check_frames(frames, units=stated)


def _known_unit(units: str | None, name: str) -> str | None:
    if units is not None and units not in EV_PER_ENERGY_UNIT:
        raise DataError(f"{name}: unknown energy unit {units!r}; expected {', '.join(EV_PER_ENERGY_UNIT)}")
    return units


def _positive(every: int) -> int:
    if every < 1:
        raise DataError(f"every={every}: expected 1 (all frames) or more")
    return every


def _to_internal_units(frames: FrameSet, ev: float) -> FrameSet:
    return replace(
        frames,
        energies=frames.energies * ev,
        forces=frames.forces * ev,
        stresses=None if frames.stresses is None else frames.stresses * ev,
    )
