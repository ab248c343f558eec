"""NeuralForceField's pickled ``dataset.pth.tar``: a Dataset with lists of tensors in ``props``."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdaug.data.element_order import sort_by_element
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.elements import check_same_atoms, whole_numbers
from mdaug.data.readers.torch_pickle import LEGACY_MAGIC, Tensor, load_torch
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

CLASSES = (("nff.data.dataset", "Dataset"), ("nff.data", "Dataset"))

UNITS = {
    "kcal/mol": StatedUnits.of_energy("kcal/mol"),
    "ev": StatedUnits.of_energy("eV"),
    "atomic": StatedUnits("Hartree", "Hartree", "Bohr"),
}
"""NeuralForceField's name -> units; lengths are in Å in all of them."""


def _sniff(path: Path, head: bytes) -> bool:
    if LEGACY_MAGIC in head[:32]:
        return True
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read frames; ``energy_grad`` is +∂E/∂r, so forces are its negative."""
    content = load_torch(path, CLASSES)
    state = content if isinstance(content, dict) else getattr(content, "__dict__", {})
    props = state.get("props", state)
    if not isinstance(props, dict):
        raise DataError(f"{path}: no props in this torch file; expected a NeuralForceField Dataset")
    label = str(state.get("units", "kcal/mol")).lower()
    if label not in UNITS:
        raise DataError(f"{path}: units {label!r}; expected {', '.join(UNITS)}")
    nxyz = _frames(props, "nxyz", path)
    numbers = [whole_numbers(frame[:, 0], f"{path}: nxyz") for frame in nxyz]
    check_same_atoms(numbers, str(path), reading)
    gradients = _frames(props, "energy_grad", path)
    cells = _cells(props, len(nxyz), path)
    periodic = cells is not None
    frames = FrameSet(
        atomic_numbers=numbers[0],
        positions=np.array([frame[:, 1:4] for frame in nxyz], dtype=np.float64),
        energies=np.array([float(energy.reshape(())) for energy in _frames(props, "energy", path)]),
        forces=-np.array([g.reshape(-1, 3) for g in gradients], dtype=np.float64),
        cells=cells,
        pbc=(periodic, periodic, periodic),
        charge=_common(props, "charge", path),
        multiplicity=1 if _common(props, "spin", path) == 0 else None,  # other spins: S or 2S, files differ
        name=path.name,
    )
    return [Contents(sort_by_element(frames, np.array(numbers)) if reading.reorder else frames, UNITS[label])]


def _frames(props: dict[str, Any], key: str, path: Path) -> list[NDArray]:
    if key not in props:
        raise DataError(
            f"{path}: no {key} in props; expected nxyz, energy and energy_grad; it has {', '.join(props)}"
        )
    return _arrays(props[key], key, path)


def _arrays(values: Any, key: str, path: Path) -> list[NDArray]:
    """Return one array a frame from a list of tensors or numbers, or one tensor of all frames."""
    try:
        if isinstance(values, Tensor):
            return list(values.numpy())
        return [value.numpy() if isinstance(value, Tensor) else np.asarray(value, float) for value in values]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: props[{key!r}] is not a list of tensors or numbers ({error})") from error


def _cells(props: dict[str, Any], n_frames: int, path: Path) -> FloatArray | None:
    """Return NeuralForceField's ``lattice`` (rows are lattice vectors), its key in periodic data sets."""
    for key in ("lattice", "cell"):
        if key in props:
            cells = np.array(
                [cell.reshape(3, 3) for cell in _arrays(props[key], key, path)], dtype=np.float64
            )
            if len(cells) != n_frames:
                raise DataError(
                    f"{path}: {len(cells)} cells in props[{key!r}] for {n_frames} frames; expected one for "
                    "each"
                )
            return cells
    return None


def _common(props: dict[str, Any], key: str, path: Path) -> float | None:
    """Return a number that is the same in all frames, or None if it is not given."""
    if key not in props:
        return None
    values = {float(np.asarray(value).reshape(-1)[0]) for value in _arrays(props[key], key, path)}
    if not np.isfinite(list(values)).all():
        raise DataError(f"{path}: {key} is NaN or infinite; expected a finite number: correct or remove it")
    if len(values) > 1:
        raise DataError(
            f"{path}: frames differ in {key} ({sorted(values)}); expected one system: split the data set"
        )
    return values.pop() if values else None


READER = Reader("NeuralForceField dataset", _sniff, _read, has_keys=False)
