"""What a model file says of itself, as tables: network, training, reach of the data, errors."""

from typing import Any

from mdaug.reports.html import Cell, Table


def model_tables(about: dict[str, Any]) -> list[Table]:
    """Return the tables of ``{"model": path, "manifest": …, "results": … or None}``, without empty ones."""
    manifest, results = about["manifest"], about["results"] or {}
    training = manifest["training"]
    tables = [
        Table(["model", ""], _network(manifest), str(about["model"])),
        Table(["training data", ""], _data(training, results.get("training") or {})),
        Table(["pair", "nearest (Å)", "farthest (Å)"], _ranges(training), "distances in the training frames"),
        Table(["bond", "mean (Å)", "spread (Å)"], _bonds(training), "bonds in the training frames"),
        Table(["frames", "number", "energy MAE (kcal/mol)", "force MAE (kcal/mol/Å)"], _errors(results)),
    ]
    return [table for table in tables if table.rows]


def _network(manifest: dict[str, Any]) -> list[list[Cell]]:
    rows = {
        "elements": " ".join(manifest["elements"]),
        "cutoff (Å)": manifest["cutoff_A"],
        "interactions": manifest["n_interactions"],
        "width": manifest.get("n_atom_basis"),
        "filters": _joined(manifest.get("n_filters"), manifest.get("filters")),
        "prior": (manifest.get("prior") or {}).get("name", "none"),
        "precision": manifest["dtype"],
        "units": _joined(*manifest["units"].values()),
        "versions": _joined(*(f"{name} {version}" for name, version in manifest["versions"].items())),
        "format version": manifest["format_version"],
        "SHA-256 of the weights": manifest["weights_sha256"],
    }
    return [[name, value] for name, value in rows.items()]


def _data(training: dict[str, Any], run: dict[str, Any]) -> list[list[Cell]]:
    rows = {
        "data": training.get("data"),
        "level of theory": training.get("level_of_theory"),
        "temperature (K)": training.get("temperature_K"),
        "charge (e)": training.get("charge"),
        "multiplicity": training.get("multiplicity"),
        "training frames": training.get("n_train"),
        "augmented frames": run.get("n_augmented_frames", _yes_or_no(training.get("augmented"))),
        "epochs": run.get("epochs"),
        "best epoch": run.get("best_epoch"),
        "training time (s)": run.get("seconds"),
    }
    return [[name, value] for name, value in rows.items() if value is not None]


def _ranges(training: dict[str, Any]) -> list[list[Cell]]:
    ranges = training.get("distance_range_A") or {}
    return [[pair, low, high] for pair, (low, high) in ranges.items()]


def _bonds(training: dict[str, Any]) -> list[list[Cell]]:
    symbols = (training.get("reference_structure") or {}).get("symbols", [])

    def name(atoms: list[int]) -> str:
        return " – ".join(f"{symbols[atom]}{atom}" if atom < len(symbols) else str(atom) for atom in atoms)

    bonds = training.get("bonds") or []
    return [[name(bond["atoms"]), bond.get("mean_A"), bond.get("std_A")] for bond in bonds]


def _errors(results: dict[str, Any]) -> list[list[Cell]]:
    parts = {"held out": results.get("test"), "validation": results.get("validation")}
    keys = ("n_frames", "energy_mae_kcal_mol", "force_mae_kcal_mol_A")
    return [[name, *(found.get(key) for key in keys)] for name, found in parts.items() if found]


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part is not None)


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "none"
