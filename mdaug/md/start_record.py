"""``config.json`` of a run, from which it can be resumed and repeated: start structure and options."""

import json
from pathlib import Path
from typing import Any

from ase import Atoms
from pydantic import ValidationError

from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.md.options import MAY_CHANGE_ON_RESUME, DynamicsOptions

CONFIG_FILE = "config.json"


def write_start(folder: Path, atoms: Atoms, options: DynamicsOptions, about: dict[str, Any]) -> None:
    """Record the start structure, the options and `about` (which model, at which precision, …)."""
    start: dict[str, Any] = {
        "atomic_numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "masses": atoms.get_masses().tolist(),
    }
    if atoms.pbc.any():
        start |= {"cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}
    write_json(folder / CONFIG_FILE, {"options": options.model_dump(), "about": about, "start": start})


def read_start(folder: Path) -> tuple[Atoms, DynamicsOptions, dict[str, Any]] | None:
    """Return what `write_start` recorded, or None where no run has begun.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    path = folder / CONFIG_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        atoms = structure_from_json(content["start"])
        return atoms, DynamicsOptions(**content["options"]), dict(content["about"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise DataError(f"{path}: not the record of a run ({type(error).__name__}: {error})") from error


def structure_from_json(content: dict[str, Any]) -> Atoms:
    """Return the structure of a manifest or a record.

    Keys: atomic_numbers, positions (Å); cell (Å) and pbc if periodic; masses (amu) if not the standard ones.
    """
    keys = {name: content[name] for name in ("cell", "pbc", "masses") if name in content}
    return Atoms(content["atomic_numbers"], content["positions"], **keys)


def resumed_start(folder: Path, atoms: Atoms, options: DynamicsOptions) -> Atoms:
    """Return the recorded start structure, or `atoms` where none is; refuse to resume as another run.

    Raises
    ------
    DataError
        Naming the option that differs.
    """
    recorded = read_start(folder)
    if recorded is None:
        return atoms
    start, before, _ = recorded
    if start.numbers.tolist() != atoms.numbers.tolist():
        raise DataError(
            f"{folder}: cannot resume with other atoms ({start.symbols} before, {atoms.symbols} now)"
        )
    for name, value in before.model_dump().items():
        now = getattr(options, name)
        if now != value and name not in MAY_CHANGE_ON_RESUME:
            raise DataError(
                f"{folder}: cannot resume with {name} {now}: it was {value}; leave it out, or start a new run"
            )
    return start
