"""Packages import only from those below them in the pipeline."""

import ast
import subprocess
import sys
from pathlib import Path

import mdaug

ROOT = Path(mdaug.__file__).parents[1]


def test_import_contracts_hold():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_reports_never_compute_physics():
    """Figures and pages only show: they ask no model and no simulation; of a training its history."""
    asked = {"torch", "mdaug.calculators", "mdaug.deployment", "mdaug.md", "mdaug.models", "mdaug.training"}
    for file in (ROOT / "mdaug" / "reports").glob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        imported -= {"mdaug.training.history"}
        assert not [name for name in imported if {name, ".".join(name.split(".")[:2])} & asked], file
