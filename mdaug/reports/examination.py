"""The report of an examination, drawn from the content of examination.json alone."""

from pathlib import Path
from typing import Any

from mdaug.reports.examination_parts import PART_CONTENTS
from mdaug.reports.html import Cell, Opening, Section, Table, format_cell, verdict_table, write_page
from mdaug.verdicts import MARKS, Verdict

WORDS = {"passes": MARKS["ok"], "fails": MARKS["error"], "cannot tell": MARKS["cannot tell"], "not run": "–"}
"""Mark of each outcome of a part."""

NO_BREAK = "\u00a0"
"""Space between a mark and its word, at which no line breaks."""

PARTS: dict[str, tuple[str, str]] = {
    "accuracy": (
        "Accuracy on held-out frames",
        "Errors against frames that were not trained on. Energies are centered: the mean error is removed, "
        "as levels of theory have zeros of their own.",
    ),
    "symmetry": (
        "Symmetry",
        "Energy and forces of randomly displaced structures must not change when the system is moved or "
        "rotated as a whole, or when two atoms of one element with the same neighbor are exchanged.",
    ),
    "gradient": (
        "Force and stress as the slope of the energy",
        "Forces against central differences of the energy along translations, rotations (without a cell) "
        "and random directions of all coordinates, and for a cell the stress against those along random "
        "strains.",
    ),
    "extensivity": (
        "Extensivity",
        "Two equal molecules 50 Å apart must have twice the energy of one, and the same forces.",
    ),
    "minimum": (
        "Minimum and frequencies",
        "The start structure relaxes; harmonic frequencies are those of the minimum.",
    ),
    "bonds": (
        "Bonds",
        "Every bond that is not in a ring, from 0.6 of its length to beyond the cutoff. A rigid bond scan "
        "has one minimum and no maximum; the energy of the parted fragments is above that of the bond, and "
        "they no longer act on each other.",
    ),
    "shapes": (
        "Bends, torsions and contacts",
        "Coordinates that are no bonds: where MD can reach them (below 150 kcal/mol) the energy of bends and "
        "contacts rises on both sides of the minimum, no energy is far below it, and forces explain every "
        "change of the energy.",
    ),
    "conservation": (
        "Conservation of the energy",
        "Runs at constant energy from the minimum, at two time steps. The drift is that of the energy which "
        "velocity Verlet conserves; the fluctuation of the total energy grows as the time step squared if "
        "forces are the gradient of a smooth energy.",
    ),
    "dynamics": (
        "Molecular dynamics",
        "Langevin dynamics from the minimum, at one, two and three times the temperature of the frames. A "
        "run fails when a bond breaks, atoms collide, the temperature explodes, or the energy falls more "
        "than 5 kcal/mol below the minimum. Intervals are Wilson's, at 95 % confidence.",
    ),
    "distributions": (
        "Distributions",
        "The runs at the temperature of the frames, without their first picosecond and what follows a "
        "failure, against the frames.",
    ),
}
PARTS |= {
    "forces-are-not-enough": (
        "Protocol: Forces are not enough",
        "Nosé–Hoover dynamics at 500 K for 300 ps, in steps of 0.5 fs; a run fails when a bond deviates by "
        "more than 0.5 Å from its mean in the frames (DOI 10.48550/arXiv.2210.07237).",
    ),
    "stable": (
        "Protocol: StABlE",
        "Langevin dynamics (0.1/ps) at 500 and 700 K for 1 ns, in steps of 0.5 fs, 256 runs each; a run "
        "fails when a bond deviates by more than 0.5 Å from its mean in the frames "
        "(DOI 10.48550/arXiv.2402.13984).",
    ),
    "mlipaudit": (
        "Protocol: MLIPAudit",
        "100,000 steps of 1 fs at 300 K; a run fails when the temperature explodes (by 10,000 K, or a "
        "hundredfold between two frames) or a hydrogen is lost (more than 2.5 Å from every heavier atom for "
        "the rest of the run). The score is half the share of the frames before an explosion, or a half "
        "and half the share of those before a loss (DOI 10.48550/arXiv.2511.20487).",
    ),
    "ramp": (
        "Protocol: ramp",
        "Nosé–Hoover dynamics from 300 to 3000 K in 10 ps, in steps of 0.5 fs; a run fails when energies or "
        "positions are no longer finite (MLIP Arena, DOI 10.48550/arXiv.2509.20630).",
    ),
}
"""Part -> heading and text, in the order of the page."""


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
    verdicts = [Verdict.from_json(entry) for entry in content["verdicts"]]
    several = len(force_fields) > 1
    sections = []
    if several:
        text = "Each part passes if all of its checks pass. The sections below have the measured numbers."
        sections.append(Section("Side by side", text, tables=[comparison(force_fields)]))
    sections += [
        _section(folder, part, force_fields)
        for part in PARTS
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
    for part in PARTS:
        outcomes = [parts.get(part, {}).get("verdict") for parts in force_fields.values()]
        if any(outcomes):
            rows.append([part, *(f"{WORDS[word]}{NO_BREAK}{word}" if word else None for word in outcomes)])
    return Table(["part", *force_fields], rows)


def _section(folder: Path, part: str, force_fields: dict[str, Any]) -> Section:
    """Return the section of a part: checks of each force field, figures and tables of the numbers."""
    entries = {label: parts[part] for label, parts in force_fields.items() if part in parts}
    figures = {label: entry["figures"] for label, entry in entries.items() if entry["figures"]}
    title, text = PARTS[part]
    pictures, tables = PART_CONTENTS[part](folder, figures) if figures and part in PART_CONTENTS else ([], [])
    not_run = [f"{label}: not run. {entry['why']}" for label, entry in entries.items() if not entry["checks"]]
    text = "\n\n".join([text, *not_run])
    checks = [] if len(not_run) == len(entries) else checks_tables(entries)
    return Section(title, text, pictures, [*checks, *tables])


def checks_tables(entries: dict[str, Any]) -> list[Table]:
    """Return the checks of a part; of several force fields side by side, then the checks that do not pass.

    Parameters
    ----------
    entries
        Label of a force field -> entry of the part in examination.json.
    """
    verdicts = {
        label: {check["name"]: Verdict.from_json(check) for check in entry["checks"]}
        for label, entry in entries.items()
    }
    if len(entries) == 1:
        return [verdict_table(list(checks.values())) for checks in verdicts.values()]
    names = dict.fromkeys(name for checks in verdicts.values() for name in checks)
    rows: list[list[Cell]] = []
    for name in names:
        limit = next(checks[name].limit for checks in verdicts.values() if name in checks)
        cells = [_marked(checks[name]) if name in checks else None for checks in verdicts.values()]
        rows.append([name, limit, *cells])
    tables = [Table(["check", "limit", *entries], rows)]
    wrong = [
        [check.mark, label, check.name, check.text]
        for label, checks in verdicts.items()
        for check in checks.values()
        if check.verdict != "ok"
    ]
    if wrong:
        tables.append(Table(["", "force field", "check", "meaning"], wrong, "What does not pass"))
    return tables


def _marked(check: Verdict) -> str:
    return check.mark if check.value is None else f"{check.mark}{NO_BREAK}{format_cell(check.value)}"
