"""One report and one table of examinations that were made one by one, in environments of their own.

    python benchmarks/examinations.py recommended=FOLDER GFN2-xTB=FOLDER … --out FOLDER

Each FOLDER is one of `mdaug examine` with one force field. Writes examination.json and report.html of all,
and prints the table of docs/examine.md.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from mdaug.archives import read_json
from mdaug.files import write_json
from mdaug.reports.examination import write_examination_report

ROWS = (
    ("accuracy", "force MAE, kcal/mol/Å", "forces"),
    ("accuracy", "MAE of centered energies, kcal/mol", "centered energies"),
    ("symmetry", "largest change by a rotation, kcal/mol", "rotation"),
    ("symmetry", "by an exchange of equal atoms, kcal/mol", "exchange of equal atoms"),
    ("gradient", "force and slope, kcal/mol/Å", "force = −gradient"),
    ("extensivity", "two molecules, kcal/mol", "two molecules"),
    ("minimum", "highest frequency, cm⁻¹", "highest frequency"),
    ("bonds", "bonds with extrema", "extrema"),
    ("bonds", "weakest parted bond, kcal/mol", "energy of dissociation"),
    ("bonds", "least energy at 0.6 lengths, kcal/mol", "walls"),
    ("bonds", "energy that forces do not explain, in limits", "jumps"),
    ("shapes", "largest fall of a bend, kcal/mol", "bends"),
    ("shapes", "largest fall of a contact, kcal/mol", "contacts"),
    ("shapes", "energy that forces do not explain, in limits", "jumps"),
    ("conservation", "drift, meV/atom/ps", "energy drift"),
    ("conservation", "exponent of the time step", "time step"),
    ("dynamics", "survived 500 K", 0),
    ("dynamics", "survived 1000 K", 1),
    ("dynamics", "survived 1500 K", 2),
    ("distributions", "∫\\|h(r) − h_frames(r)\\| dr", "distances"),
)
"""Part, text of the row, and the check whose value it shows, or the number of the temperature."""

NOT_RUN = {"verdict": "not run"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    together: dict[str, Any] = {}
    for text in given.folders:
        label, _, folder = text.partition("=")
        content = read_json(Path(folder) / "examination.json", "an examination")
        (parts,) = content["force_fields"].values()
        together[label] = parts
    about = content["about"] | {"force_fields": list(together), "data": "different frames, see Accuracy"}
    merged = {"about": about, "verdicts": [], "force_fields": together}
    write_json(given.out / "examination.json", merged)
    print(write_examination_report(given.out, merged))
    for line in table(together):
        print(line)


def table(force_fields: dict[str, Any]) -> list[str]:
    lines = [f"| part | measured | {' | '.join(force_fields)} |", "|---" * (2 + len(force_fields)) + "|"]
    before = ""
    for part, text, check in ROWS:
        first = part != before
        cells = [cell(parts.get(part, NOT_RUN), check, with_verdict=first) for parts in force_fields.values()]
        lines.append(f"| {f'`{part}`' if first else ''} | {text} | {' | '.join(cells)} |")
        before = part
    return lines


def cell(entry: dict[str, Any], check: str | int, *, with_verdict: bool) -> str:
    verdict = "**fails**" if entry["verdict"] == "fails" else entry["verdict"]
    if entry["verdict"] == "not run":
        return verdict if with_verdict else ""
    value = survived(entry, check) if isinstance(check, int) else number(entry, check)
    return f"{verdict}: {value}" if with_verdict and value else verdict if with_verdict else value


def number(entry: dict[str, Any], check: str) -> str:
    value = next((found["value"] for found in entry["checks"] if found["name"].startswith(check)), None)
    if pairs := entry["figures"].get(check):  # of a motion: the value may be that of the forces
        value = max(energy for energy, _ in pairs)
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if 1.9 < value < 2.1 else f"{value:.2g}"
    mantissa, exponent, power = text.partition("e")
    return (f"{mantissa}e{int(power)}" if exponent else mantissa).replace("-", "−")


def survived(entry: dict[str, Any], k: int) -> str:
    at = entry["figures"]["temperatures"][k]
    causes = Counter(cause for cause in at["causes"] if cause is not None)
    text = f"{at['n_survived']} of {at['n_runs']} ({at['duration_ps']:.2g} ps)"
    if not causes:
        return text
    life = sum(at["lived_ps"]) / causes.total()
    return (
        f"{text}; mean life {life:.2g} ps: {', '.join(f'{n} {cause}' for cause, n in causes.most_common())}"
    )


if __name__ == "__main__":
    main()
