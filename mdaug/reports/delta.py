"""The section of the report on Δ-learning."""

from collections.abc import Mapping
from typing import Any

from mdaug.reports.html import Section, Table


def delta_section(delta: Mapping[str, Any] | None) -> list[Section]:
    """Return the section of Δ-learning with its table, or none.

    Parameters
    ----------
    delta
        ``"delta"`` of results.json; None for a training without.
    """
    systems = _by_system(delta)
    if not systems:
        return []
    text = (
        "A low-level method labels a frame in milliseconds. What it leaves beside its own force field is "
        "similar to what the reference method leaves beside the baseline (without a baseline: their forces "
        "are similar), so a first network learned only the difference, from the frames of the data. The "
        "method and that network then labeled frames from MD, on which the model was trained, too. "
    )
    reasons = " ".join(
        f"{f'{label}: ' if label else ''}{entry['reason']}." for label, entry in systems.items()
    )
    used = {label: entry for label, entry in systems.items() if entry["used"]}
    if not used:
        return [Section("Δ-learning", reasons)]
    return [Section("Δ-learning", text + reasons, tables=[_table(used)])]


def _by_system(delta: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the entries by label; one system has the label ""."""
    if delta is None:
        return {}
    return {"": delta} if "used" in delta else delta


def _table(used: Mapping[str, Mapping[str, Any]]) -> Table:
    several = len(used) > 1
    columns = [
        *(["system"] if several else []),
        "method",
        "baseline",
        "baseline and method",
        "with the first network",
        "frames made",
        "left out",
    ]
    rows = [
        [
            *([label] if several else []),
            entry["method"],
            entry["force_mae_field_kcal_mol_A"],
            entry["force_mae_difference_kcal_mol_A"],
            entry["force_mae_network_kcal_mol_A"],
            entry["n_frames"],
            entry["n_left_out"],
        ]
        for label, entry in used.items()
    ]
    return Table(columns, rows, "Force MAE of the validation frames, kcal/mol/Å; frames by Δ-learning.")
