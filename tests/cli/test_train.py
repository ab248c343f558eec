"""`mdaug train`: what is given on the command line goes over the file, and the folder is protected."""

from types import SimpleNamespace

import pytest

from mdaug.cli import app
from mdaug.options import PAPER_SETTINGS
from mdaug.workflows.settings.config import load_config, save_config


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Run `mdaug train` without training; return the settings that it would have trained with."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def pretend(config, folder, **options):
        seen.append((config, options))
        save_config(config, folder / "config.toml")
        (folder / "model.pt").touch()
        return SimpleNamespace(
            test=None, folder=folder, model_path=folder / "model.pt", verdicts=[], scan=None
        )

    report = SimpleNamespace(verdicts=[], scan=None, model=tmp_path / "model.pt")
    monkeypatch.setattr("mdaug.workflows.train.train_force_field", pretend)
    monkeypatch.setattr("mdaug.workflows.train.training_report", lambda outcome: report)

    def run(*argv: str):
        assert app.main(["train", *argv]) == 0
        return seen[-1]

    return run


def test_nothing_said_is_the_recommended_configuration(given):
    config, options = given()
    assert config == load_config("ethanol")
    assert options["device"] == "auto"
    assert options["resume"] is False


def test_command_line_over_file_over_defaults(given, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[training]\nepochs = 7\nbatch_size = 3\n[data]\nsource = 'mine.xyz'\n")
    config, options = given(
        "other.xyz", "--config", str(file), "--epochs", "9", "--temperature", "350", "--units", "kcal/mol",
        "--device", "cpu", "--model.cutoff", "6.5", "--springs.components", "H-C=3", "O-H=2",
    )  # fmt: skip
    assert (config.training.epochs, config.training.batch_size) == (9, 3)
    assert (config.data.source, config.data.temperature, config.data.units) == (
        "other.xyz",
        350.0,
        "kcal/mol",
    )
    assert config.model.cutoff == 6.5
    assert config.springs.n_components == {"H-C": 3, "H-O": 2}
    assert options["device"] == "cpu"


def test_several_files_are_sources_and_go_over_those_of_the_file(given, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[[data.sources]]\nsource = 'a.xyz'\nweight = 2.0\n[[data.sources]]\nsource = 'b.xyz'\n")
    config, _ = given("--config", str(file), "--out", "a")
    assert [(table.source, table.weight) for table in config.data.sources] == [("a.xyz", 2.0), ("b.xyz", 1.0)]
    config, _ = given("c.xyz", "d.xyz", "--validation", "v.xyz", "--temperature", "350", "--out", "b")
    assert [table.source for table in config.data.sources] == ["c.xyz", "d.xyz"]
    assert (config.data.validation, config.data.test, config.data.temperature) == ("v.xyz", None, 350.0)
    config, _ = given("e.xyz", "--config", str(file), "--test", "t.xyz", "--out", "c")
    assert (config.data.source, config.data.sources, config.data.test) == ("e.xyz", (), "t.xyz")


def test_no_augment_trains_the_raw_model(given):
    config, _ = given("--no-augment")
    assert config.augment.enabled is False


def test_one_seed_for_all_rooms_unless_one_is_named(given):
    config, _ = given("--seed", "4", "--split.seed", "0")
    assert config.split.seed == 0
    assert config.springs.seed == config.augment.seed == config.training.seed == 4


def test_the_finished_run_is_the_latest_and_protected(given, tmp_path, capsys):
    given("--out", "runs/a")
    assert (tmp_path / "runs/latest").resolve() == tmp_path / "runs/a"
    assert app.main(["train", "--out", "runs/a"]) == 1
    assert "finished run" in capsys.readouterr().err


def test_resume_takes_the_settings_of_the_run(given, tmp_path):
    given("--out", "a", "--model.cutoff", "4")
    config, options = given("--out", "a", "--resume")
    assert config.model.cutoff == 4
    assert options["resume"] is True


@pytest.fixture
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "code", "expected"),
    [
        (["--epohcs", "3"], 2, "Did you mean --epochs?"),
        (["--epochs", "0"], 2, "--epochs"),
        (["--model.cutof", "3"], 2, "Did you mean --model.cutoff?"),
        (["--device", "tpu"], 2, "tpu"),
        (["--config", "papper"], 1, "no configuration papper"),
        (["no-such-file.xyz"], 1, "no-such-file.xyz"),
    ],
)
def test_mistakes_are_one_line(empty_folder, capsys, argv, code, expected):
    assert app.main(["train", *argv]) == code
    err = capsys.readouterr().err
    assert expected in err
    assert err.startswith("mdaug: error: ")
    assert not list(empty_folder.glob("runs/2*"))


def test_help_lists_sections_in_short_and_all_keys_when_asked(capsys):
    assert app.main(["train", "--help"]) == 0
    short = capsys.readouterr().out
    assert len(short.splitlines()) <= 60
    assert "--no-augment" in short
    assert "n-atom-basis" in short
    assert "Features per atom" not in short
    assert app.main(["train", "--help-all"]) == 0
    assert "Features per atom" in capsys.readouterr().out


def test_settings_of_the_paper_come_last_in_the_help_under_their_own_heading(capsys):
    assert app.main(["train", "--help-all"]) == 0
    _, heading, paper = capsys.readouterr().out.partition(PAPER_SETTINGS.name)
    assert heading
    assert "--training.optimizer" in paper
    assert "--model.cutoff " not in paper
    assert app.main(["train", "--help"]) == 0
    assert "--training.optimizer" in capsys.readouterr().out.partition(PAPER_SETTINGS.name)[2]
