"""The report of an examination, drawn from the content of examination.json alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mdaug.reports.examination_parts import PART_SECTIONS
from mdaug.reports.html import Cell, Opening, Section, Table, verdict_table, write_page
from mdaug.verdicts import MARKS, Verdict

WORDS = {"passes": MARKS["ok"], "fails": MARKS["error"], "cannot tell": MARKS["cannot tell"], "not run": "–"}
"""Mark of each outcome of a part."""

TITLES = {
    "accuracy": "Accuracy on held-out frames",
    "symmetry": "Symmetry",
    "gradient": "Force and stress as the slope of the energy",
    "conservation": "Conservation of the energy",
}
"""Part -> heading."""

PartSection = Callable[[Path, dict[str, dict[str, Any]]], tuple[str, list[Path], list[Table]]]


def write_examination_report(folder: Path, content: dict[str, Any]) -> Path:
    """Write the figures and report.html, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the command.
    content
        Content of examination.json.
    """
    force_fields = content["force_fields"]
    verdicts = [Verdict(**entry | {"frames": ()}) for entry in content["verdicts"]]
    several = len(force_fields) > 1
    sections = []
    if several:
        text = "Each part passes if all of its checks pass. The sections below have the measured numbers."
        sections.append(Section("Side by side", text, tables=[comparison(force_fields)]))
    sections += [
        _section(folder, part, force_fields)
        for part in TITLES
        if any(part in parts for parts in force_fields.values())
    ]
    data = content["about"]["data"] or "the test frames of each model's training"
    summary = f"Force fields: {', '.join(force_fields)}. Frames: {data}."
    opening = Opening(() if several else verdicts, summary)
    return write_page(folder / "report.html", "Examination", sections, opening=opening)


def comparison(force_fields: dict[str, Any]) -> Table:
    """Return the table of all parts side by side, one column for each force field.

    Parameters
    ----------
    force_fields
        Entry ``"force_fields"`` of examination.json.
    """
    rows: list[list[Cell]] = []
    for part in TITLES:
        outcomes = [parts.get(part, {}).get("verdict") for parts in force_fields.values()]
        if any(outcomes):
            rows.append([part, *(f"{WORDS[word]} {word}" if word else None for word in outcomes)])
    return Table(["part", *force_fields], rows)


def _section(folder: Path, part: str, force_fields: dict[str, Any]) -> Section:
    """Return the section of a part: checks of each force field, figures and tables of the numbers."""
    entries = {label: parts[part] for label, parts in force_fields.items() if part in parts}
    figures = {label: entry["figures"] for label, entry in entries.items() if entry["figures"]}
    text, pictures, tables = PART_SECTIONS[part](folder, figures)
    checks = []
    for label, entry in entries.items():
        verdicts = [Verdict(**check | {"frames": ()}) for check in entry["checks"]]
        caption = f"{label}: {entry['verdict']}"
        if not verdicts:
            caption += f". {entry['why']}"
        table = verdict_table(verdicts)
        checks.append(Table(table.columns, table.rows, caption))
    return Section(TITLES[part], text, pictures, [*checks, *tables])
