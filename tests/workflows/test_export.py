"""`mdaug export` replaces models only, and leaves nothing of an interrupted export behind."""

import shutil
from pathlib import Path

import pytest

from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.locks import BusyError, locked
from mdaug.workflows.export import export_run
from tests.fuzz import samples

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a training."""
    folder = tmp_path / "run"
    folder.mkdir()
    samples.checkpoint(folder / "checkpoint.pt")
    samples.extxyz(tmp_path / "frames.xyz")
    samples.config(folder / "config.toml")
    text = (folder / "config.toml").read_text()
    source = f'[data]\nsource = "{tmp_path / "frames.xyz"}"\n'
    (folder / "config.toml").write_text(text.replace("[data]\n", source))
    (folder / "split.json").write_text('{"train": [0, 1, 2, 3], "validation": [4, 5], "test": [6]}')
    return folder


def test_a_model_is_replaced_and_leftovers_go(run: Path) -> None:
    first = export_run(run)
    left, others = run / ".mdaug-model-abcdefgh.pt", run / ".mdaug-other-abcdefgh.pt"
    for path in (left, others):
        path.touch()
    assert export_run(run) == first
    assert read_manifest(first)
    assert {path.name for path in run.glob(".*")} == {others.name}


@pytest.mark.parametrize("name", ["notes.txt", "checkpoint.pt", "folder", "link"])
def test_what_is_no_model_is_not_replaced(name: str, run: Path) -> None:
    path = run / name
    if name == "notes.txt":
        path.write_text("mine")
    elif name == "folder":
        path.mkdir()
    elif name == "link":
        path.symlink_to("nowhere")
    before = shutil.copy(run / "checkpoint.pt", run.parent / "copy.pt")
    with pytest.raises(DataError, match=rf"{name} is no model\.pt, and would be replaced"):
        export_run(run, path)
    assert (run / "checkpoint.pt").read_bytes() == Path(before).read_bytes()
    assert path.is_symlink() or path.is_dir() or path.read_bytes()


def test_two_exports_to_one_path_wait_for_each_other(run: Path) -> None:
    with (
        locked(run / ".model.pt.lock", what="model.pt"),
        pytest.raises(BusyError, match=r"model\.pt is being written"),
    ):
        export_run(run)


def test_a_run_recorded_before_networks_had_vectors_is_exported(run: Path, monkeypatch) -> None:
    monkeypatch.setitem(samples.TINY, "n_vectors", 0)
    samples.checkpoint(run / "checkpoint.pt")
    config = run / "config.toml"
    recorded = config.read_text()
    config.write_text(recorded.replace("n_vectors = 2\n", ""))
    assert config.read_text() != recorded
    assert "n_vectors" not in read_manifest(export_run(run))
