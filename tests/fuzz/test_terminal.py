"""Escape sequences in names of files and folders, levels of theory and manifests reach no terminal."""

import ast
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

import mdaug
from mdaug.cli.app import main
from mdaug.data import write_extxyz
from tests.fuzz import samples

pytestmark = pytest.mark.slow

EVIL = "\x1b]0;owned\x07\x9b2J\u202e\nmdaug: all is well\r"
"""Changes the title of the terminal, clears it, reverses the text, and starts another line."""

FRAMES, MODEL, RUN = f"frames{EVIL}.xyz", f"train{EVIL}/model.pt", f"nve{EVIL}"
AT = ["--temperature", "300"]
FEW = ["--n-frames", "2", "--n-stretched", "0", "--rule", "gradient"]
MOVE = [
    "--steps",
    "400",
    "--equilibration",
    "0",
    "--engine",
    "ase",
    "--frames-every",
    "5",
    "--thermo-every",
    "1",
]
STRUCTURE = ["--structure", f"start{EVIL}.xyz"]
SCAN = ["--bond", "0", "1", "--points", "4"]

COMMANDS = [
    ["check", FRAMES, *AT],
    ["springs", FRAMES, *AT, "--bootstrap", "0", "--max-components", "2"],
    ["augment", FRAMES, *AT, *FEW, "--springs-file", f"springs{EVIL}/springs.json"],
    ["augment", FRAMES, *AT, *FEW, "--springs-file", f"no{EVIL}/springs.json"],
    ["train", FRAMES, *AT, "--config", f"configuration{EVIL}.toml"],
    ["train", f"none{EVIL}.xyz"],
    ["train", "--config", f"none{EVIL}.toml"],
    ["info", MODEL],
    ["info", MODEL, "--json"],
    ["info", f"none{EVIL}"],
    ["evaluate", MODEL, FRAMES, *AT],
    ["evaluate", MODEL],
    ["nve", MODEL, *MOVE, *STRUCTURE],
    ["nvt", MODEL, *MOVE, *STRUCTURE, "--temperature", "300"],
    ["relax", MODEL, *STRUCTURE, "--max-steps", "3"],
    ["scan", MODEL, *STRUCTURE, *SCAN, "--reference", "none"],
    ["drift", RUN],
    ["stability", RUN, "--model", MODEL],
    ["stability", RUN, "--data", FRAMES, *AT],
    ["explore", RUN, "--model", MODEL],
    ["export", f"train{EVIL}", "--overwrite"],
    ["export", f"none{EVIL}"],
    ["reference", FRAMES, *AT, "--workers", "0"],
    ["lammps", "path"],
    ["dataset", f"none{EVIL}"],
    [f"none{EVIL}"],
    ["train", f"--none{EVIL}"],
    ["train", "--training.epochs", EVIL],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames, settings, a structure, and later runs, all with a hostile name."""
    path = tmp_path_factory.mktemp("house")
    write_extxyz(replace(samples.WATER, level_of_theory=f"PBE{EVIL[:5]}"), path / FRAMES)
    samples.structure(path / f"start{EVIL}.xyz")
    samples.config(path / f"configuration{EVIL}.toml")
    return path


def test_commands_print_names_as_visible_characters(folder: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(folder)
    succeeded = set()
    for argv in COMMANDS:
        name = f"{argv[0]}{EVIL}"
        to_file = argv[0] in ("info", "export", "lammps", "dataset") or not argv[0].isalpha()
        out = [] if to_file else ["--out", name, "--overwrite"]
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            code = main([*argv, *out])
        printed = "".join(capfd.readouterr())
        assert code in (0, 1, 2), argv
        assert "a fault of mdaug" not in printed, printed
        assert not set("\x1b\x07\x9b\u202e\r") & set(printed), argv
        assert not any(line.startswith("mdaug: all is well") for line in printed.splitlines()), argv
        if code == 0:
            succeeded.add(argv[0])
    expected = {argv[0] for argv in COMMANDS if argv[0].isalpha()} - {"dataset", "explore"}
    assert expected <= succeeded | {"check"}


def test_nothing_is_printed_but_by_functions_that_make_it_visible() -> None:
    """`print` is left to the pipes between processes."""
    package = Path(mdaug.__file__).parent
    for path in package.rglob("*.py"):
        if path.name in ("text.py", "baseline_process.py", "serving.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path.name}, line {node.lineno}: print; use print_text"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                wrote = node.func.attr == "write" and ast.unparse(node.func.value) in (
                    "sys.stdout",
                    "sys.stderr",
                )
                assert not wrote, f"{path.name}, line {node.lineno}: write; use print_text"
            if isinstance(node, ast.ImportFrom) and node.module == "rich.console" and path.name != "text.py":
                # used as a type only
                assert "Console(" not in path.read_text(encoding="utf-8"), path
