"""Stresses of structures that ASE reads, under the names and with the signs of several programs."""

import re
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from mdaug.frames import FloatArray

VOIGT = [[0, 5, 4], [5, 1, 3], [4, 3, 2]]
"""Place of each component in ASE's Voigt order xx, yy, zz, yz, xz, xy."""

_NAME = re.compile(r"(?:(?P<stem>ref|dft)_)?(?P<quantity>stress|virials?)", re.IGNORECASE)
_STEMS = (None, "ref", "dft")


def read_stresses(images: Sequence[Atoms]) -> tuple[FloatArray | None, str | None]:
    """Return the stresses of all images, and the key of the records that they are from.

    Keys are ``stress`` and ``virial`` (or ``virials``), also with ``REF_`` or ``DFT_``: nine numbers, or six
    in ASE's Voigt order. Stresses have ASE's sign (tension positive); virials are −stress · volume, the
    convention of QUIP, MACE and GPUMD.

    Parameters
    ----------
    images
        Structures of one system.

    Returns
    -------
    stresses
        Shape (n_frames, 3, 3); None if not every image has one.
    key
        Key in ``info``; None if they are results of a calculator, or there are none.
    """
    results = [None if atoms.calc is None else atoms.calc.results.get("stress") for atoms in images]
    if all(stress is not None for stress in results):
        return np.array([_tensor(stress) for stress in results]), None
    if not all(images[0].pbc):
        return None, None
    for key in sorted(filter(_NAME.fullmatch, images[0].info), key=_rank):
        tensors = [_tensor(atoms.info.get(key)) for atoms in images]
        values = [tensor for tensor in tensors if tensor is not None]
        if len(values) < len(images):
            continue
        if _match(key)["quantity"].lower() == "stress":
            return np.array(values), key
        return np.array([-v / atoms.get_volume() for v, atoms in zip(values, images, strict=True)]), key
    return None, None


def _tensor(value: object) -> FloatArray | None:
    """Return a (3, 3) tensor from one, its nine components, or six in Voigt order."""
    if value is None:
        return None
    try:
        components = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if components.size == 6:
        return components[VOIGT]
    return components.reshape(3, 3) if components.size == 9 else None


def _match(key: str) -> re.Match[str]:
    match = _NAME.fullmatch(key)
    assert match is not None
    return match


def _rank(key: str) -> tuple[int, bool]:
    match = _match(key)
    stem = match["stem"]
    return _STEMS.index(stem and stem.lower()), match["quantity"].lower() != "stress"
