"""No option is taken and ignored: each one's value is read by the code of its command, or refused."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mdaug
from mdaug.cli import app

PACKAGE = Path(mdaug.__file__).parent
NAMES = [name for group in app.COMMANDS.values() for name in group]


@cache
def syntax(module: str) -> ast.Module:
    path = PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def executed(module: str) -> Iterator[ast.AST]:
    """Yield the nodes of a module, those for type checkers only left out unless it is a package."""
    tree = syntax(module)
    only_types = [
        node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    left_out = set() if is_package(module) else {id(node) for part in only_types for node in ast.walk(part)}
    return (node for node in ast.walk(tree) if id(node) not in left_out)


def is_package(name: str) -> bool:
    return PACKAGE.parent.joinpath(*name.split(".")).is_dir()


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith("mdaug.") and (path.is_dir() or path.with_suffix(".py").is_file())


@cache
def reachable(module: str) -> frozenset[str]:
    """Return all modules of mdaug that a module may import, those in functions included."""
    found, waiting = set(), [module]
    while waiting:
        one = waiting.pop()
        if one in found or not is_module(one):
            continue
        found.add(one)
        for node in executed(one):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    return frozenset(found)


@cache
def names_read(module: str) -> frozenset[str]:
    """Return the attributes, keywords and strings in a module, those in annotated definitions left out."""
    names: set[str] = set()
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return frozenset(names)


def fields_of(command: str) -> dict[str, str]:
    """Return option -> field of its option class, plain parameters left out."""
    arguments = app.build_app(called=command)[command].assemble_argument_collection()
    return {argument.name: argument.keys[-1] for argument in arguments if argument.parse and argument.keys}


@pytest.mark.parametrize("command", NAMES)
def test_every_option_is_read_by_the_code_of_its_command(command):
    module = f"mdaug.cli.{app.MODULES.get(command, command)}"
    read = frozenset().union(*(names_read(name) for name in reachable(module)))
    assert [option for option, field in fields_of(command).items() if field not in read] == []
    function = next(node for node in syntax(module).body if getattr(node, "name", None) == command)
    parameters = {
        one.arg for one in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    }
    if function.args.vararg:
        parameters.add(function.args.vararg.arg)
    used = {node.id for part in function.body for node in ast.walk(part) if isinstance(node, ast.Name)}
    assert parameters <= used


def test_the_option_that_made_this_test_is_seen():
    """`mdaug augment --explored` was accepted, but only the training read it. (That command reads settings of
    trainings now, so another one stands for it.)"""
    assert "explored" in frozenset().union(*(names_read(name) for name in reachable("mdaug.cli.train")))
    assert "explored" not in frozenset().union(*(names_read(name) for name in reachable("mdaug.cli.labels")))


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["augment", "--explored", "missing.xyz"], "--explored"),
        (["augment", "--springs-file", "a.json", "--springs.bootstrap", "0"], "--springs.bootstrap"),
        (["bench", "model.pt", "--width", "16"], "--width"),
        (["dataset", "--from", "a.npz"], "--from"),
        (["dataset", "ethanol", "--from", "a.npz"], "--from"),
        (["evaluate", "a", "b.xyz", "--part", "train"], "--part"),
        (["evaluate", "a", "--units", "eV"], "--units"),
        (["labels", "--reference", "a.xyz", "--calculator", "GFN2-xTB"], "--calculator"),
        (["nve", "--resume", "--structure", "a.xyz"], "--structure"),
        (["nvt", "--resume", "--replicas", "2"], "--replicas"),
        (["reference", "a.xyz", "--forces-first", "2"], "--forces-first"),
        (["reference", "a.xyz", "--scan", "bond:0-1", "--restricted"], "--restricted"),
        (["reference", "a.xyz", "--scan", "bond:0-1", "--every", "2"], "--every"),
        (["scan", "a", "--bond", "0", "1", "--points", "4", "--step", "0.1"], "--step"),
        (["springs", "--springs.cutoff", "4"], "--springs.cutoff"),
        (["augment", "--springs.cutoff", "4"], "--springs.cutoff"),
        (["stability", "a.xyz", "--data", "b.xyz", "--model", "c"], "--model"),
        (["stability", "a.xyz", "--every", "2"], "--every"),
        (["train", "--springs.cutoff", "4"], "--springs.cutoff"),
        (["train", "--augment.cutoff", "4"], "--augment.cutoff"),
        (["train", "--no-augment", "--augment.epsilon", "0.1"], "--augment.epsilon"),
        (["train", "--no-augment", "--springs.bootstrap", "0"], "--springs.bootstrap"),
    ],
    ids=" ".join,
)
def test_options_without_effect_are_refused(arguments, refused, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert app.main(arguments) == 2
    error = capsys.readouterr().err
    assert refused in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
