"""The section of the report on hardening."""

from typing import Any

from mdaug.reports.html import Section, Table


def hardening_section(hardening: dict[str, Any] | None) -> list[Section]:
    """Return the section of the rounds of hardening with their tables, or none.

    Parameters
    ----------
    hardening
        ``"hardening"`` of results.json; None for a training without.
    """
    if hardening is None:
        return []
    text = (
        "After the training, MD of the model at several times the temperature of the frames, from validation "
        "frames. Geometries with energies far below those of the force-matched field lie in spurious minima; "
        "they are labeled by the field and trained on. "
    )
    tables = [_table(number, each) for number, each in enumerate(hardening["rounds"], 1)]
    return [Section("Hardening", f"{text}{_sentence(hardening['reason'])}", tables=tables)]


def _table(number: int, entry: dict[str, Any]) -> Table:
    caption = f"Round {number}: no frame in a spurious minimum."
    if entry["n_trained_on"]:
        before, after = (entry[f"force_mae_{when}_kcal_mol_A"] for when in ("before", "after"))
        caption = (
            f"Round {number}: trained on {entry['n_trained_on']} frames; force MAE of the validation frames "
            f"{before:.3g} before, {after:.3g} kcal/mol/Å after"
            f"{'' if entry['kept'] else ', so its weights are not used'}."
        )
    several = len({run.get("system", "") for run in entry["runs"]}) > 1
    columns = [
        *(["system"] if several else []),
        "temperature, K",
        "runs, ps",
        "stopped because",
        "visited",
        "in spurious minima",
        "largest gap, kcal/mol",
    ]
    rows = [
        [
            *([run["system"]] if several else []),
            run["temperature_K"],
            ", ".join(f"{ps:.3g}" for ps in run["completed_ps"]),
            "; ".join(dict.fromkeys(why for why in run["stopped_because"] if why)) or None,
            run["n_visited"],
            run["n_found"],
            run["largest_gap_kcal_mol"],
        ]
        for run in entry["runs"]
    ]
    return Table(columns, rows, caption)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
