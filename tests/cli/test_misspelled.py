"""A misspelled option of any command, or key of a TOML file, gets an error with its right name."""

from itertools import cycle

import pytest

from mdaug.cli import app
from mdaug.errors import SettingsError
from mdaug.sweep.space import parse_space
from mdaug.workflows.settings.config import RunConfig, load_config

COMMANDS = [name for group in app.COMMANDS.values() for name in group]
EXTRA = {"dataset": ["ethanol-ccsdt"], "lammps": ["check"], "info": ["model.pt"]}
"""Arguments that a command cannot do without."""


def misspell(word: str, way: str) -> str:
    """Leave out, double, or change a letter in the middle."""
    k = len(word) // 2
    return word[:k] + {"out": "", "twice": 2 * word[k], "other": "q"}[way] + word[k + 1 :]


def options_of(command: str) -> list[str]:
    arguments = app.build_app(called=command)[command].assemble_argument_collection()
    names = {name for argument in arguments if argument.parse for name in argument.names}
    return sorted(name for name in names if name.startswith("--") and "empty-" not in name)


def told(capsys) -> str:
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert err.startswith("mdaug: error: ")
    assert "Traceback" not in out + err
    return err


@pytest.mark.parametrize("command", COMMANDS)
def test_misspelled_options(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, way in zip(options_of(command), cycle(("out", "twice", "other")), strict=False):
        assert app.main([command, *EXTRA.get(command, []), f"--{misspell(name[2:], way)}", "1"]) == 2, name
        assert f"Did you mean {name}?" in told(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_misspelled_switches_of_all_commands(command, capsys):
    for given, meant in (("--hlep", "--help"), ("--debgu", "--debug"), ("--help-al", "--help-all")):
        assert app.main([command, *EXTRA.get(command, []), given]) == 2
        assert f"Did you mean {meant}?" in told(capsys)


@pytest.mark.parametrize(
    ("given", "meant"), [("--hepl", "--help"), ("--versoin", "--version"), ("--debgu", "--debug")]
)
def test_misspelled_switches_alone(given, meant, capsys):
    assert app.main([given]) == 2
    assert f"did you mean `mdaug {meant}`?" in told(capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_misspelled_commands(command, capsys):
    assert app.main([misspell(command, "other")]) == 2
    assert f"did you mean `mdaug {command}`?" in told(capsys)


@pytest.mark.parametrize("section", RunConfig.model_fields)
def test_misspelled_keys_of_toml_files(section, tmp_path):
    keys = type(RunConfig.model_fields[section].default).model_fields
    for key, way in zip(keys, cycle(("out", "twice", "other")), strict=False):
        wrong, file = misspell(key, way), tmp_path / "mine.toml"
        file.write_text(f"[{section}]\n{wrong} = 1\n")
        said = rf"\[{section}\] has no key '{wrong}'; did you mean '{key}'\?$"
        with pytest.raises(SettingsError, match=rf"mine\.toml: {said}"):
            load_config(file)
        with pytest.raises(SettingsError, match=said):
            parse_space([f"{section}.{wrong}=1,2"], RunConfig())


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_wrong_settings_of_a_file_are_wrong_usage(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for text, meant in {
        "[model]\ncutof = 4\n": "did you mean 'cutoff'?",
        "[mdoel]\n": "did you mean [model]?",
        "[model]\ncutoff = -4\n": "greater than 0",
    }.items():
        (tmp_path / "mine.toml").write_text(text)
        assert app.main([command, "--config", "mine.toml"]) == 2
        assert meant in told(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
