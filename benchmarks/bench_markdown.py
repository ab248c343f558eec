"""The tables of bench.json files of `mdaug bench` as Markdown, for docs/results.md.

python benchmarks/bench_markdown.py RUN/bench.json [MORE/bench.json …]
"""

import json
import sys
from pathlib import Path

from mdaug.reports.bench import bench_tables
from mdaug.reports.html import Table, format_cell


def markdown(table: Table) -> str:
    """Return a caption, and the table beneath it."""
    rows = [table.columns, ["---"] * len(table.columns)]
    rows += [[format_cell(cell) for cell in row] for row in table.rows]
    return "\n".join([table.caption, "", *("| " + " | ".join(row) + " |" for row in rows)])


def heading(path: Path, content: dict) -> str:
    """Say what was measured, where, and with what."""
    environment, sizes = content["environment"], content["model"]["sizes"]
    command = environment["commands"][0]
    network = f"{sizes['n_atom_basis']} features, {sizes['n_interactions']} interactions"
    machine = (
        f"{environment['processor']}, {environment['cpu_count']} cores, {', '.join(environment['devices'])}"
    )
    versions = [f"torch {environment['packages']['torch']}"]
    if content["baseline"]:
        versions.append(
            ", ".join(f"{name} {version}" for name, version in content["baseline"].items()) + " (baseline)"
        )
    return f"`{command}` ({path.parent.name}): {network}; {machine}; {'; '.join(versions)}."


def main() -> None:
    """Print all tables of all files."""
    for name in sys.argv[1:]:
        content = json.loads(Path(name).read_text(encoding="utf-8"))
        print(heading(Path(name), content), "\n")
        for table in bench_tables(content):
            print(markdown(table), "\n")


if __name__ == "__main__":
    main()
