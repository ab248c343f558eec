"""The table of zoo.py, and its verdicts against the bars that were set before any of it was run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from zoo_systems import SYSTEMS, ordered, tuning

from mdaug.files import write_json

NEVER_WORSE, MUCH_BETTER = 1.05, 0.7
"""Force MAE of the recommended model over that of the raw one: bars for all, and for two thirds."""

LIMIT_KCAL_MOL = 150.0
"""Points of a scan count where the reference is below this."""


def report(out: Path) -> str:
    """Write zoo.json, and return a table in markdown with the verdicts.

    Parameters
    ----------
    out
        The folder of all systems.
    """
    rows = [row(name, out / name) for name in ordered()]
    write_json(out / "zoo.json", rows)
    lines = [
        "| system | shows | half | M | force MAE raw, recommended | ratio | energy MAE | worst scan "
        "| alive at T | at 2 T |",
        "|---" * 10 + "|",
    ]
    lines += [line(one) for one in rows if one["raw"] and one["recommended"]]
    left = [one["name"] for one in rows if not (one["raw"] and one["recommended"])]
    lines.append(f"\nnot trained: {', '.join(left) or 'none'}")
    for title, some in {
        "tuning half": [one for one in rows if one["tuning"]],
        "held-aside half": [one for one in rows if not one["tuning"]],
        "all": rows,
    }.items():
        lines.append(f"\n{title}: {verdicts(some)}")
    return "\n".join(lines)


def row(name: str, folder: Path) -> dict[str, Any]:
    """Return all that is known about one system."""
    made: dict[str, Any] = {"name": name, "tuning": tuning(name), "shows": SYSTEMS[name].shows}
    made["field"] = read(folder / "field.json")
    for label in ("raw", "recommended"):
        results = read(folder / label / "results.json")
        made[label] = results and results["test"]
        if results and label == "recommended":
            made["baseline"], made["augmentation"] = results.get("baseline"), results.get("augmentation")
    scans = read(folder / "scan.json")
    made["scan"] = scans and {label: worst_scan(scans, label) for label in ("raw", "recommended")}
    made["survival"] = read(folder / "survival.json")
    return made


def read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


def worst_scan(scans: dict[str, Any], label: str) -> tuple[str, float] | None:
    """Return the bond with the largest rms error, and that error (kcal/mol)."""
    errors = {}
    for bond, curves in scans.items():
        model, reference = (np.array(curves[key], dtype=float) for key in (label, "reference"))
        known = np.isfinite(reference) & (reference < LIMIT_KCAL_MOL)
        errors[bond] = float(np.sqrt(np.mean((model - reference)[known] ** 2)))
    return max(errors.items(), key=lambda item: item[1]) if errors else None


def line(one: dict[str, Any]) -> str:
    field = one["field"]
    used = (one.get("baseline") or {}).get("used")
    m = "" if field is None else "sound" if field["sound"] else "refused"
    m += {True: ", used", False: ", not used", None: ""}[used]
    cells = [one["name"], one["shows"], "tuning" if one["tuning"] else "aside", m]
    raw, new = one["raw"], one["recommended"]
    forces, energies = (
        [each[key] for each in (raw, new)] for key in ("force_mae_kcal_mol_A", "energy_mae_kcal_mol")
    )
    cells += [f"{forces[0]:.3g}, {forces[1]:.3g}", f"{forces[1] / forces[0]:.2f}"]
    cells.append(f"{energies[0]:.2g}, {energies[1]:.2g}")
    scan = one["scan"] or {}
    cells.append(", ".join(f"{pair[1]:.3g} ({pair[0]})" for pair in scan.values() if pair))
    for times in (1, 2):
        counts = [alive(one["survival"], f"{label} {times}") for label in ("raw", "recommended")]
        cells.append(", ".join(filter(None, counts)))
    return f"| {' | '.join(cells)} |"


def alive(lives: dict[str, list[list[Any]]] | None, key: str) -> str:
    each = (lives or {}).get(key)
    return "" if each is None else f"{sum(one[1] == 'alive' for one in each)} of {len(each)}"


def verdicts(rows: list[dict[str, Any]]) -> str:
    """Return one sentence on each bar."""
    both = [one for one in rows if one["raw"] and one["recommended"]]
    ratios = np.array(
        [one["recommended"]["force_mae_kcal_mol_A"] / one["raw"]["force_mae_kcal_mol_A"] for one in both]
    )
    said = [
        f"{len(both)} of {len(rows)} trained",
        f"force MAE at most {NEVER_WORSE} × raw on {np.sum(ratios <= NEVER_WORSE)}",
        f"at most {MUCH_BETTER} × on {np.sum(ratios <= MUCH_BETTER)}",
    ]
    used = [one for one in both if (one.get("baseline") or {}).get("used") and one["scan"]]
    used = [one for one in used if one["scan"]["raw"]]
    better = [one for one in used if one["scan"]["recommended"][1] < one["scan"]["raw"][1]]
    said.append(f"worst scan better on {len(better)} of {len(used)} with a baseline")
    ran = [one for one in both if one["survival"]]
    counts = [
        {key: sum(x[1] == "alive" for x in each) for key, each in one["survival"].items()} for one in ran
    ]
    kept = [all(n[f"recommended {t}"] >= n[f"raw {t}"] for t in (1, 2)) for n in counts]
    said.append(f"survival not worse on {sum(kept)} of {len(ran)}")
    return "; ".join(said)
