"""Stresses of structures that ASE reads, under the names and with the signs of several programs."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from mdaug.data.reading import Reading
from mdaug.errors import DataError
from mdaug.frames import FloatArray

_NAME = re.compile(r"(?:(?P<stem>ref|dft)_)?(?P<quantity>stress|virials?)", re.IGNORECASE)
_STEMS = (None, "ref", "dft")


def is_stress(name: str) -> bool:
    """Return whether a record of this name is a stress or a virial.

    Parameters
    ----------
    name
        Key of the record.
    """
    return _NAME.fullmatch(name) is not None


def is_virial(name: str) -> bool:
    """Return whether a record of this name is a virial.

    Parameters
    ----------
    name
        Key of the record.
    """
    return is_stress(name) and "virial" in name.lower()


def rank(name: str) -> tuple[int, bool]:
    """Return the order of preference among stresses and virials: ``stress``, ``virial``, ``REF_stress``, ….

    Parameters
    ----------
    name
        Key of the record, one of which `is_stress` is true.
    """
    match = _match(name)
    stem = match["stem"]
    return _STEMS.index(stem and stem.lower()), match["quantity"].lower() != "stress"


def tensors_of(values: NDArray[Any]) -> FloatArray | None:
    """Return tensors (n_frames, 3, 3), given for each frame as such, or as nine numbers or six; else None.

    Parameters
    ----------
    values
        Of all frames; six numbers are in ASE's Voigt order xx, yy, zz, yz, xz, xy.
    """
    if values.dtype.kind not in "iuf" or values.ndim < 2:
        return None
    tensors = [_tensor(value) for value in values]
    complete = [tensor for tensor in tensors if tensor is not None]
    return np.array(complete) if len(complete) == len(tensors) else None


def read_stresses(
    images: Sequence[Atoms], places: Sequence[str], reading: Reading
) -> tuple[FloatArray | None, str | None, list[str]]:
    """Return the stresses of all images, and the key of the records that they are from.

    Keys are ``stress`` and ``virial`` (or ``virials``), also with ``REF_`` or ``DFT_``: nine numbers, or six
    in ASE's Voigt order xx, yy, zz, yz, xz, xy. Stresses have ASE's sign (tension positive); virials are
    −stress · volume, the convention of QUIP, MACE, DeePMD-kit and GPUMD. The others of several keys are not
    used.

    Parameters
    ----------
    images
        Structures of one system.
    places
        File and frame of each, for messages.
    reading
        Stresses that it leaves out are not read; where it states their unit and sign, virials beside them
        need not agree.

    Returns
    -------
    stresses
        Shape (n_frames, 3, 3); None if not every image has one.
    key
        Key in ``info``; None if they are results of a calculator, or there are none.
    notes
        Whether some frames only have stresses, which are not used.

    Raises
    ------
    DataError
        A frame has a stress and a virial of opposite signs.
    """
    if reading.without_stresses:
        return None, None, []
    sign_is_stated = reading.stress_units is not None
    results = [None if atoms.calc is None else atoms.calc.results.get("stress") for atoms in images]
    if all(stress is not None for stress in results):
        stresses = np.array([_tensor(stress) for stress in results])
        if all(images[0].pbc) and not sign_is_stated:
            _refuse_opposite_virials(images, stresses, places)
        return stresses, None, []
    if not all(images[0].pbc):
        return None, None, []
    notes = []
    for key in sorted(filter(is_stress, _keys(images)), key=rank):
        tensors = [_tensor(atoms.info.get(key)) for atoms in images]
        values = [tensor for tensor in tensors if tensor is not None]
        if len(values) < len(images):
            notes.append(f"only {len(values)} of {len(images)} frames have {key}, which is not used")
            continue
        if _match(key)["quantity"].lower() == "stress":
            if not sign_is_stated:
                _refuse_opposite_virials(images, np.array(values), places)
            return np.array(values), key, []
        return np.array([-v / atoms.get_volume() for v, atoms in zip(values, images, strict=True)]), key, []
    n_results = sum(stress is not None for stress in results)
    if n_results:
        notes.append(f"only {n_results} of {len(images)} frames have a stress, which is not used")
    return None, None, notes


def _refuse_opposite_virials(images: Sequence[Atoms], stresses: FloatArray, places: Sequence[str]) -> None:
    """Raise an error if virials beside stresses are +stress · volume."""
    for key in filter(is_virial, _keys(images)):
        for atoms, stress, place in zip(images, stresses, places, strict=True):
            virial = _tensor(atoms.info.get(key))
            of_stress = stress * atoms.get_volume()
            if virial is None or np.abs(of_stress).max() < 1e-6:
                continue
            if np.abs(virial - of_stress).max() < 0.01 * np.abs(of_stress).max():
                raise DataError(
                    f"{place}: {key} is +volume · stress; expected −volume · stress with tension positive: "
                    f"negate the wrong one, or leave both out with --stress-units none"
                )


def _keys(images: Sequence[Atoms]) -> list[str]:
    """Return all keys of any frame, in order of first appearance."""
    return list(dict.fromkeys(key for atoms in images for key in atoms.info if isinstance(key, str)))


def _tensor(value: object) -> FloatArray | None:
    """Return a (3, 3) tensor from one, its nine components, or six in Voigt order."""
    if value is None:
        return None
    try:
        components = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if components.size == 6:
        return np.array(voigt_6_to_full_3x3_stress(components))
    return components.reshape(3, 3) if components.size == 9 else None


def _match(key: str) -> re.Match[str]:
    match = _NAME.fullmatch(key)
    assert match is not None
    return match
