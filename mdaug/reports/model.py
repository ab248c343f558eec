"""Tables of a model file (network, training, bonds, errors), and its molecule with atom indices."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.symbols import Symbols

from mdaug.geometry.training_bonds import TRAINING_FRAMES
from mdaug.options import MANY_SYSTEMS
from mdaug.reports.html import Cell, Section, Table
from mdaug.reports.molecule import MoleculeView, draw_molecule
from mdaug.reports.style import save
from mdaug.text import some_of


def molecule_section(
    folder: Path,
    atoms: Atoms,
    bonds: list[dict[str, Any]],
    *,
    marked: tuple[int, int] | None = None,
    what: str = "The lowest training frame",
    source: str = TRAINING_FRAMES,
) -> Section:
    """Return the section with a drawing of the molecule, its 3D view and the table of its bonds.

    Parameters
    ----------
    folder
        Folder for molecule.png.
    atoms
        The structure.
    bonds
        Entry ``"bonds"`` of a model's manifest: ``{"atoms": [i, j], "mean_A", "std_A"}`` each.
    marked
        A bond to draw dashed.
    what
        Description of the structure, the beginning of a sentence.
    source
        Where the bonds are from.
    """
    index = np.array([bond["atoms"] for bond in bonds], dtype=np.int64).reshape(-1, 2)
    figure = save(draw_molecule(atoms, bonds=index, marked=marked), folder / "molecule.png")
    text = f"{what}, with atom indices from 0 as in ASE."
    if len(index):
        i, j = index[-1]
        names = f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j}"
        text += f" Commands take them: `mdaug scan --bond {i} {j}` is the bond {names}."
    view = MoleculeView([atoms], index, marked, "The molecule in 3D.")
    table = bonds_table(list(atoms.symbols), bonds, source)
    return Section("Molecule", text, [figure], [table], views=[view])


def bonds_table(symbols: list[str], bonds: list[dict[str, Any]], source: str = TRAINING_FRAMES) -> Table:
    """Return bonds: elements, indices, mean length and its spread.

    Parameters
    ----------
    symbols
        Chemical symbol of each atom; may be empty if it is not known.
    bonds
        Entry ``"bonds"`` of a model's manifest.
    source
        Where the bonds are from.
    """

    def name(atoms: list[int]) -> str:
        return " – ".join(f"{symbols[atom]}{atom}" if atom < len(symbols) else str(atom) for atom in atoms)

    rows: list[list[Cell]] = [
        [name(bond["atoms"]), " ".join(map(str, bond["atoms"])), bond.get("mean_A"), bond.get("std_A")]
        for bond in bonds
    ]
    return Table(["bond", "--bond", "mean (Å)", "spread (Å)"], rows, f"bonds in {source}")


def model_tables(about: dict[str, Any]) -> list[Table]:
    """Return the tables of a model, without empty ones.

    Parameters
    ----------
    about
        ``{"model": path, "manifest": …, "results": … or None}``.
    """
    manifest, results = about["manifest"], about["results"] or {}
    training = manifest["training"]
    systems = training.get("systems") or []
    tables = [
        Table(["model", ""], _network(manifest), str(about["model"])),
        Table(["training data", ""], _data(training, results)),
        Table(["pair", "nearest (Å)", "farthest (Å)"], _ranges(training), "distances in the training frames"),
        Table(["system", "atoms", "training frames", "temperature (K)"], _systems(systems), "systems"),
        *(_bonds_table(record) for record in (systems or [training]) if len(systems) <= MANY_SYSTEMS),
        _errors_table(results),
    ]
    return [table for table in tables if table.rows]


def _bonds_table(record: dict[str, Any]) -> Table:
    """Return the bonds of one system; named if there are several."""
    symbols = (record.get("reference_structure") or {}).get("symbols", [])
    table = bonds_table(symbols, record.get("bonds") or [])
    label = record.get("label")
    return table if label is None else replace(table, caption=f"{label}: {table.caption}")


def _systems(records: list[dict[str, Any]]) -> list[list[Cell]]:
    return [
        [
            record["label"],
            str(Symbols(record["reference_structure"]["atomic_numbers"]).get_chemical_formula("hill")),
            record["n_train"],
            record["temperature_K"],
        ]
        for record in records
    ]


def _network(manifest: dict[str, Any]) -> list[list[Cell]]:
    rows = {
        "elements": " ".join(manifest["elements"]),
        "cutoff (Å)": manifest["cutoff_A"],
        "interactions": manifest["n_interactions"],
        "width": manifest.get("n_atom_basis"),
        "filters": _joined(manifest.get("n_filters"), manifest.get("filters")),
        "vectors": manifest.get("n_vectors", 0),
        "prior": (manifest.get("prior") or {}).get("name", "none"),
        "baseline": _baseline(manifest),
        "committee": _committee(manifest),
        "precision": manifest["dtype"],
        "units": _joined(*manifest["units"].values()),
        "versions": _joined(*(f"{name} {version}" for name, version in manifest["versions"].items())),
        "format version": manifest["format_version"],
        "SHA-256 of the weights": manifest["weights_sha256"],
    }
    return [[name, value] for name, value in rows.items()]


def _baseline(manifest: dict[str, Any]) -> str:
    kinds = manifest.get("baseline") or []
    texts = []
    for kind in kinds:
        if not kind.get("has_energy", True):  # files of earlier versions lack it
            texts.append(f"none of {kind['formula']}")
            continue
        n_types = len(set(kind.get("atom_types", ())) - {-1})
        types = f", {n_types} atom types" if n_types else ""
        texts.append(f"force field of {kind['formula']} ({kind['n_terms']} terms{types})")
    return some_of(texts) or "none"


def _committee(manifest: dict[str, Any]) -> str:
    committee = manifest.get("committee")
    return "none" if committee is None else f"{committee['networks']} networks"


def data_text(training: dict[str, Any]) -> str | None:
    """Return the names of the data, of many systems those of the files and the number of systems.

    Parameters
    ----------
    training
        Entry ``"training"`` of a model's manifest.
    """
    records = training.get("systems") or []
    if len(records) <= MANY_SYSTEMS:
        return training.get("data")
    files = dict.fromkeys(re.split(r" \(|#|, isomer ", record["data"])[0] for record in records)
    return f"{len(records)} systems of {some_of(list(files))}"


def _data(training: dict[str, Any], results: dict[str, Any]) -> list[list[Cell]]:
    run = results.get("training") or {}
    rows = {
        "data": data_text(training),
        "level of theory": training.get("level_of_theory"),
        "temperature (K)": training.get("temperature_K"),
        "charge (e)": training.get("charge"),
        "multiplicity": training.get("multiplicity"),
        "training frames": training.get("n_train"),
        "frames have stresses": "yes" if training.get("stresses") else None,
        "reference energies": training.get("reference_energies"),
        "augmented frames": _augmented_frames(training, results),
        "frames by Δ-learning": run.get("n_delta_frames") or None,
        "epochs": run.get("epochs"),
        "best epoch": run.get("best_epoch"),
        "training time (s)": run.get("seconds"),
    }
    return [[name, value] for name, value in rows.items() if value is not None]


def _augmented_frames(training: dict[str, Any], results: dict[str, Any]) -> int | str | None:
    """Return the number of augmented frames, with the reason if the only system has none."""
    choice = results.get("augmentation") or {}
    if choice.get("used") is False:
        return f"none: {choice['reason']}"
    number: int | None = (results.get("training") or {}).get("n_augmented_frames")
    return _yes_or_no(training.get("augmented")) if number is None else number


def _ranges(training: dict[str, Any]) -> list[list[Cell]]:
    ranges = training.get("distance_range_A") or {}
    return [[pair, low, high] for pair, (low, high) in ranges.items()]


def _errors_table(results: dict[str, Any]) -> Table:
    columns = {
        "number": "n_frames",
        "energy MAE (kcal/mol)": "energy_mae_kcal_mol",
        "force MAE (kcal/mol/Å)": "force_mae_kcal_mol_A",
    }
    parts = {"held out": results.get("test"), "validation": results.get("validation")}
    of_systems = results.get("systems") or {}
    if len(of_systems) <= MANY_SYSTEMS:
        parts |= {f"held out, {label}": entry.get("test") for label, entry in of_systems.items()}
    if any("stress_mae_GPa" in errors for errors in parts.values() if errors):
        columns["stress MAE (GPa)"] = "stress_mae_GPa"
    rows = [[name, *map(errors.get, columns.values())] for name, errors in parts.items() if errors]
    return Table(["frames", *columns], rows)


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part is not None)


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "none"
