"""`mdaug train --log`: what reaches the writers of TensorBoard and Weights & Biases."""

import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from mdaug.cli.app import main
from mdaug.errors import MissingDependencyError
from mdaug.training import TrainState
from mdaug.workflows.training.log import training_log

STATE = TrainState(3, 10, 0.5, 1.5, 2.5, 1e-3, 800.0)
VALUES = {
    "training/loss": 0.5,
    "training/learning_rate": 1e-3,
    "training/frames_per_second": 800.0,
    "validation/energy_mae_kcal_mol": 1.5,
    "validation/force_mae_kcal_mol_A": 2.5,
}


class Writer:
    """Stand-in for SummaryWriter and for a run of wandb."""

    def __init__(self, folder="", **settings):
        self.folder, self.settings, self.rows, self.closed = str(folder), settings, [], False

    def add_scalar(self, key, value, step):
        self.rows.append((key, value, step))

    def log(self, values, step):
        self.rows += [(key, value, step) for key, value in values.items()]

    def close(self):
        self.closed = True

    finish = close


@pytest.fixture
def writers(monkeypatch):
    made = []

    def make(*arguments, **settings):
        made.append(Writer(*arguments, **settings))
        return made[-1]

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=make))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=make))
    return made


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_epochs_reach_the_writer(writers, tmp_path, name):
    with training_log(name, tmp_path, {"training": {"epochs": 10}}) as log:
        log(STATE)
        assert not writers[0].closed
    (writer,) = writers
    assert writer.rows == [(key, value, 3) for key, value in VALUES.items()]
    assert writer.closed
    if name == "tensorboard":
        assert writer.folder == str(tmp_path / "tensorboard")
    else:
        assert writer.settings["mode"] == "offline"
        assert writer.settings["dir"] == str(tmp_path)
        assert writer.settings["config"] == {"training": {"epochs": 10}}


def test_the_writer_is_closed_after_an_error(writers, tmp_path):
    with pytest.raises(RuntimeError), training_log("wandb", tmp_path, {}):
        raise RuntimeError
    assert writers[0].closed


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package(monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingDependencyError, match=f"--log {name}: .*pip install {name}"):
        training_log(name, tmp_path, {}).__enter__()


def test_every_epoch_of_a_training_is_logged(writers, water, tmp_path, capsys):
    arguments = ["--split.train=24", "--split.validation=8", "--split.test=8", "--no-augment", "--epochs=3"]
    arguments += ["--model.n-atom-basis=8", "--model.n-filters=8", "--model.n-interactions=1", "--log=wandb"]
    assert main(["train", str(water), *arguments, "--out", str(tmp_path / "run")]) == 0
    losses = [(value, step) for key, value, step in writers[0].rows if key == "training/loss"]
    assert [step for _, step in losses] == [1, 2, 3]
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    assert [value for value, _ in losses] == pytest.approx([float(row.split(",")[2]) for row in rows])


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
def test_tensorboard_writes_event_files(tmp_path):
    with training_log("tensorboard", tmp_path, {}) as log:
        log(STATE)
    assert list((tmp_path / "tensorboard").glob("events.out.*"))
