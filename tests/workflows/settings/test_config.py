"""Configurations: precedence, round trip, shipped files, and one clear line for each mistake."""

import math
import time

import pytest

from mdaug.errors import DataError, SettingsError
from mdaug.workflows.settings.config import RunConfig, load_config, save_config
from mdaug.workflows.settings.inputs import find_config, inputs_folder

LIMITED_BY_THE_DATA = {"data.every", "springs.max_samples"}
WHOLE_NUMBERS = [
    f"{section}.{key}"
    for section, options in RunConfig()
    for key, field in type(options).model_fields.items()
    if field.annotation is int and f"{section}.{key}" not in LIMITED_BY_THE_DATA
]


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "my settings.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_defaults_are_those_of_the_recommended_file():
    assert load_config(inputs_folder() / "ethanol.toml") == RunConfig()


@pytest.mark.parametrize("path", sorted(inputs_folder().glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path):
    load_config(path)


def test_given_options_go_over_the_file_and_the_file_over_the_defaults(write):
    path = write("[training]\nepochs = 7\nbatch_size = 3\n")
    config = load_config(path, {"training": {"epochs": 9}, "augment": {"enabled": False}})
    assert config.training.epochs == 9
    assert config.training.batch_size == 3
    assert config.training.learning_rate == RunConfig().training.learning_rate
    assert not config.augment.enabled


def test_what_is_saved_is_read_back_equal(tmp_path):
    config = load_config(
        changes={
            "data": {"temperature": 300.0},
            "springs": {"components": {"C-H": 3}},
            "split": {"train": 40},
            "augment": {"error_scale": math.inf},
        }
    )
    save_config(config, tmp_path / "config.toml")
    assert load_config(tmp_path / "config.toml") == config
    assert (config.split.train, config.augment.error_scale) == (40, math.inf)


def test_shipped_files_are_found_by_name_and_own_files_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("paper") == find_config("inputs/paper.toml") == inputs_folder() / "paper.toml"
    (tmp_path / "paper.toml").touch()
    assert find_config("paper.toml").read_text() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[modle]\n", "unknown section [modle]; did you mean [model]?"),
        ("[model]\nn_atom_basos = 3\n", "[model] has no key 'n_atom_basos'; did you mean 'n_atom_basis'?"),
        ("[split]\nqqq = 3\n", "[split] has no key 'qqq'; known are train, validation"),
        ("[model]\ncutoff = -5\n", "[model] cutoff = -5: Input should be greater than 0"),
        (
            "[training]\noptimizer = 'sgd'\n",
            "[training] optimizer = 'sgd': Input should be 'adam' or 'adamw'",
        ),
        ("[split]\ntrain = 0.9\nvalidation = 0.2\n", "[split]: fractions of train, validation and test"),
        ("epochs = 3\n", "key 'epochs' is outside the sections [data], [split]"),
        ("[model\n", "not valid TOML"),
        ("[model]\ncutoff = 3\ncutoff = 4\n", "not valid TOML"),
    ],
)
def test_mistakes_are_met_with_file_section_key_and_the_nearest(write, text, expected):
    path = write(text)
    with pytest.raises(DataError) as error:
        load_config(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
def test_numbers_that_nothing_could_hold_or_end_are_refused(write, name):
    """Some filled the memory (n_impulses), some failed with words of NumPy, torch or scikit-learn."""
    section, key = name.split(".")
    with pytest.raises(SettingsError, match=rf"\[{section}\] {key} = {10**20}: Input should be less than"):
        load_config(write(f"[{section}]\n{key} = {10**20}\n"))


@pytest.mark.parametrize("name", ["augment.weight", "model.cutoff", "training.force_weight"])
def test_numbers_beyond_single_precision_are_refused(write, name):
    section, key = name.split(".")
    with pytest.raises(SettingsError, match=rf"\[{section}\] {key} = 1e\+308: Input should be less than"):
        load_config(write(f"[{section}]\n{key} = 1e308\n"))


@pytest.mark.parametrize("room", ["split", "springs", "augment", "training"])
def test_seeds_below_0_are_refused(write, room):
    with pytest.raises(SettingsError, match=r"seed = -1: Input should be greater than or equal to 0"):
        load_config(write(f"[{room}]\nseed = -1\n"))


def test_a_file_that_is_not_text_is_said(write):
    path = write("")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not valid TOML"):
        load_config(path)


def test_a_missing_file_names_the_shipped_ones():
    with pytest.raises(
        DataError, match=r"no configuration mine.toml.*demo, ethanol, ethanol_accurate, paper, plain_schnet"
    ):
        load_config("mine.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 20_000 + b"]" * 20_000, "nests too deeply"),
        (b"[data]\n" + b".".join([b"a"] * 30_000) + b" = 1\n", "a key of more than 20 parts"),
        (b"[data]\n" + b" . ".join([b'"a"'] * 10_000) + b" = 1\n", "a key of more than 20 parts"),
        (b"# " + b"a" * (1 << 16), "more than 65536 bytes"),
        (b"#" + b"a" * 60_000 + b"\n[data", "not valid TOML"),
        (b"\xff\xfe[data]", "not valid TOML"),
    ],
)
def test_configurations_that_crash_or_occupy_the_parser_are_refused(content, message, tmp_path):
    path = tmp_path / "hostile.toml"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(DataError, match=rf"hostile\.toml: .*{message}"):
        load_config(path)
    assert time.process_time() - began < 5


def test_a_changed_number_of_filters_changes_the_vectors_that_are_not_set():
    narrow = {"model": {"n_filters": 32}}
    assert RunConfig().replace(narrow).model.n_vectors == 16
    assert RunConfig().replace({"model": {"n_vectors": 8}}).replace(narrow).model.n_vectors == 8


def test_the_configuration_of_a_run_before_vectors_has_none(tmp_path):
    """Its config.toml does not name their number, and as --config it gives the same network."""
    file = tmp_path / "config.toml"
    file.write_text("[model]\nn_filters = 32\n")
    assert load_config(file).model.n_vectors == 16  # a file that someone wrote
    (tmp_path / "run.json").write_text("{}")
    assert load_config(file).model.n_vectors == 0
