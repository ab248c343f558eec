"""checkpoint.pt: written whole, read without executing anything."""

import pytest
import torch

from mdaug.errors import DataError
from mdaug.training.checkpoint import load_checkpoint, save_checkpoint


def test_state_comes_back(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"epoch": 3, "weights": torch.arange(4.0), "rows": [[1.0, 2.0]]}, "mine")
    state = load_checkpoint(path, "mine")
    assert state["epoch"] == 3 and state["rows"] == [[1.0, 2.0]]
    assert torch.equal(state["weights"], torch.arange(4.0))
    with pytest.raises(DataError, match="other options or frames; resume with the same ones"):
        load_checkpoint(path, "yours")


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_what_a_pickle_asks_for_is_never_done(tmp_path):
    path, sprung = tmp_path / "checkpoint.pt", tmp_path / "sprung"
    torch.save({"format": "mdaug checkpoint 1", "fingerprint": "mine", "state": Trap(sprung)}, path)
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_checkpoint(path, "mine")
    assert not sprung.exists()


def test_garbage_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)}, "mine")
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a readable checkpoint"):
            load_checkpoint(path, "mine")


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for content in ({"weights": torch.zeros(2)}, [1, 2], {"format": "mdaug checkpoint 0"}):
        torch.save(content, path)
        with pytest.raises(DataError, match="not a checkpoint of this version"):
            load_checkpoint(path, "mine")


def test_an_interrupted_save_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"epoch": 1}, "mine")

    def half(content, target):
        target.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"epoch": 2}, "mine")
    assert load_checkpoint(path, "mine") == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
