"""ASE's Atoms with results to a FrameSet: what all readers that go through ASE share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

ENERGY_KEYS = ("REF_energy", "dft_energy", "Energy")
FORCE_KEYS = ("REF_forces", "dft_forces", "force")
"""Where files keep labels if not under ASE's own names ``energy`` and ``forces``."""

OWN_KEYS = ("temperature_K", "level_of_theory", "charge", "multiplicity", "group", "weight")
STANDARD_ARRAYS = ("numbers", "positions", "forces", *FORCE_KEYS)


def frames_from_atoms(images: Sequence[Atoms], path: Path) -> FrameSet:
    """Return the frames of `images` with whatever energies unit ASE's results have.

    Raises
    ------
    DataError
        If there is no image, one has no energy or forces, or atoms differ between images.
    """
    if not images:
        raise DataError(f"{path}: holds no frame")
    first = images[0]
    for frame, atoms in enumerate(images):
        _check_same_system(first, atoms, f"{path}: frame {frame}")
    periodic = bool(first.pbc.any())
    x, y, z = (bool(p) for p in first.pbc)
    info = {key: first.info.get(key) for key in OWN_KEYS}
    group = [atoms.info.get("group") for atoms in images]
    return FrameSet(
        atomic_numbers=first.numbers.astype(np.int64),
        positions=np.array([atoms.positions for atoms in images]),
        energies=np.array([_energy(atoms, f"{path}: frame {i}") for i, atoms in enumerate(images)]),
        forces=np.array([_forces(atoms, f"{path}: frame {i}") for i, atoms in enumerate(images)]),
        cells=np.array([np.array(atoms.cell) for atoms in images]) if periodic else None,
        pbc=(x, y, z),
        stresses=_stresses(images),
        temperature_K=None if info["temperature_K"] is None else float(info["temperature_K"]),
        charge=None if info["charge"] is None else float(info["charge"]),
        multiplicity=None if info["multiplicity"] is None else int(info["multiplicity"]),
        name=path.name,
        level_of_theory=None if info["level_of_theory"] is None else str(info["level_of_theory"]),
        group=None if None in group else np.array(group, dtype=np.int64),  # type: ignore[arg-type]
        weights=np.array([float(atoms.info.get("weight", 1.0)) for atoms in images]),
        info=_per_frame_info(images),
    )


def _check_same_system(first: Atoms, atoms: Atoms, where: str) -> None:
    if len(atoms) == 0:
        raise DataError(f"{where} holds no atoms")
    if not np.array_equal(atoms.numbers, first.numbers):
        same = sorted(atoms.numbers) == sorted(first.numbers)
        what = "the atoms in another order" if same else f"other atoms ({atoms.symbols}, not {first.symbols})"
        raise DataError(
            f"{where} has {what} than frame 0; expected one system with one order of atoms: "
            f"{'reorder' if same else 'split'} the file"
        )
    if not np.array_equal(atoms.pbc, first.pbc):
        raise DataError(
            f"{where} has other periodic directions than frame 0; expected one system: split the file"
        )


def _result(atoms: Atoms, name: str) -> Any:
    return None if atoms.calc is None else atoms.calc.results.get(name)


def _energy(atoms: Atoms, where: str) -> float:
    """Return the energy whose gradient the forces are: with smeared electrons that is the free energy."""
    own = (atoms.info.get(key) for key in ENERGY_KEYS)
    candidates = [_result(atoms, "free_energy"), _result(atoms, "energy"), *own]
    for energy in candidates:
        if energy is not None:
            return float(energy)
    raise DataError(
        f"{where} has no energy; expected one in every frame (extended xyz: energy=… in its comment line)"
    )


def _forces(atoms: Atoms, where: str) -> FloatArray:
    for forces in (_result(atoms, "forces"), *(atoms.arrays.get(key) for key in FORCE_KEYS)):
        if forces is not None:
            return np.asarray(forces, dtype=np.float64)
    raise DataError(
        f"{where} has no forces; expected some in every frame (extended xyz: a column forces:R:3)"
    )


def _stresses(images: Sequence[Atoms]) -> FloatArray | None:
    """Return full stress tensors if every image has one: from ASE's Voigt order xx, yy, zz, yz, xz, xy."""
    voigt = [_result(atoms, "stress") for atoms in images]
    if any(stress is None for stress in voigt):
        return None
    return np.array(
        [
            stress if np.shape(stress) == (3, 3) else stress[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
            for stress in voigt
        ]
    )


def _per_frame_info(images: Sequence[Atoms]) -> dict[str, NDArray[Any]]:
    """Return what every image records besides the labels, of one shape and kind in all of them."""
    kept: dict[str, NDArray[Any]] = {}
    for key in images[0].info:
        if key not in OWN_KEYS and key not in ENERGY_KEYS:
            _keep(kept, key, [atoms.info.get(key) for atoms in images])
    for key in images[0].arrays:
        if key not in STANDARD_ARRAYS:
            _keep(kept, key, [atoms.arrays.get(key) for atoms in images])
    return kept


def _keep(kept: dict[str, NDArray[Any]], key: str, values: list[Any]) -> None:
    if any(value is None for value in values) or len({np.shape(value) for value in values}) > 1:
        return
    array = np.array(values)
    if array.dtype != object:
        kept[key] = array
