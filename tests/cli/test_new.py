"""`mdaug new`: what it fills in, and that `mdaug train` accepts it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.workflows.settings.config import RunConfig, load_config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_numbers_follow_the_molecule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine.toml", "--from", "ethanol"]) == 0
    config = load_config("mine.toml")
    assert config.data.source == "ethanol" and config.data.temperature == 500.0
    assert (config.augment.n_frames, config.augment.n_stretched, config.augment.n_impulses) == (200, 500, 400)
    assert config.training.epochs is None  # those of `mdaug train`
    text = (folder / "mine.toml").read_text()
    assert "1000 frames of C2H6O" in text and "9 atoms, 8 bonds" in text
    assert "mdaug train --config mine.toml" in capsys.readouterr().out


def test_paths_are_relative_to_the_configuration(folder: Path) -> None:
    frames = load_frames("ethanol").select(slice(0, 30))
    write_extxyz(replace(frames, temperature_K=None, energies=frames.energies * 23.0605), folder / "f.xyz")
    (folder / "settings").mkdir()
    arguments = ["--from", "f.xyz", "--units", "kcal/mol", "--force-units", "eV/Angstrom"]
    assert main(["new", "settings/mine.toml", *arguments]) == 0
    text = (folder / "settings" / "mine.toml").read_text()
    assert 'source = "../f.xyz"' in text and "# temperature =" in text
    config = load_config("settings/mine.toml", {"data": {"temperature": 500.0}})
    assert config.data.units == "kcal/mol"
    assert config.data.load_frames().energies == pytest.approx(frames.energies, rel=1e-5)


def test_crystals_are_trained_without_augmented_frames(folder: Path) -> None:
    silicon = load_frames(Path(__file__).parents[1] / "data" / "silicon.npz").select(slice(0, 30))
    write_extxyz(silicon, folder / "silicon.xyz")
    assert main(["new", "mine.toml", "--from", "silicon.xyz"]) == 0
    assert not load_config("mine.toml").augment.enabled


def test_without_frames_the_file_is_a_template(folder: Path) -> None:
    assert main(["new", "mine.toml"]) == 0
    config = load_config("mine.toml")
    assert (config.data.source, config.augment.n_stretched) == ("frames.xyz", 500)


def test_settings_that_do_not_depend_on_frames_are_the_defaults(folder: Path) -> None:
    assert main(["new", "mine.toml"]) == 0
    ours, default = load_config("mine.toml"), RunConfig()
    assert (ours.split, ours.model, ours.training) == (default.split, default.model, default.training)
    numbers = {"n_frames", "n_stretched", "n_impulses"}
    assert ours.augment.model_dump(exclude=numbers) == default.augment.model_dump(exclude=numbers)


def test_schema_has_a_description_of_every_key(folder: Path) -> None:
    assert main(["new", "mine.toml"]) == 0
    assert (folder / "mine.toml").read_text().startswith("#:schema ./mdaug.schema.json\n")
    schema = json.loads((folder / "mdaug.schema.json").read_text())
    assert set(schema["properties"]) == set(RunConfig.model_fields)
    assert schema["additionalProperties"] is False
    for section in schema["$defs"].values():
        for key, description in section.get("properties", {}).items():
            assert description.get("description"), key


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mine.txt"], 2, "ends in .toml"),
        (["mine.toml", "--units", "eV"], 2, "--units: no effect without --from"),
        (["there.toml"], 1, "there.toml exists"),
        (["mine.toml", "--from", "missing.xyz"], 1, "no such file"),
    ],
)
def test_refusals(folder: Path, arguments, code, message, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "there.toml").write_text("mine")
    assert main(["new", *arguments]) == code
    assert message in capsys.readouterr().err
    assert (folder / "there.toml").read_text() == "mine" and not (folder / "mine.toml").exists()


def test_an_existing_file_is_replaced_on_demand(folder: Path) -> None:
    (folder / "mine.toml").write_text("mine")
    assert main(["new", "mine.toml", "--overwrite"]) == 0
    assert np.isclose(load_config("mine.toml").split.train, 0.85)


def test_a_file_of_several_systems_has_numbers_by_system(folder: Path) -> None:
    methanol = load_frames(Path(__file__).parents[1] / "data" / "methanol.npz").select(slice(0, 40))
    ethanol = load_frames("ethanol").select(slice(0, 40))
    for name, frames, temperature_K in (("a", ethanol, 500.0), ("b", methanol, 400.0)):
        write_extxyz(replace(frames, temperature_K=temperature_K), folder / f"{name}.xyz")
    (folder / "mixed.xyz").write_text("".join((folder / f"{name}.xyz").read_text() for name in "ab"))
    assert main(["new", "mine.toml", "--from", "mixed.xyz"]) == 0
    text = (folder / "mine.toml").read_text()
    assert "2 systems: " in text and "n_stretched" not in text and "each system has its own" in text
    assert load_config("mine.toml").augment == RunConfig().augment
