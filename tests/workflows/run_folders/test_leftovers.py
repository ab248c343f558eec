"""What a kill in the middle of a write leaves is no result, and goes when the run is taken up again."""

import pytest

from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import OutputOptions


def test_a_killed_write_does_not_block_the_folder(tmp_path) -> None:
    out = OutputOptions(out=tmp_path / "run")
    with pytest.raises(RuntimeError), open_run(out, command="train", resume=False) as run:
        (run.path / "checkpoint.pt").touch()
        (run.path / ".mdaug-config-abcdefgh.toml").touch()
        (run.path / ".own").touch()
        (run.path / ".mdaug-notes-abcdefgh.txt").touch()
        (run.path / ".mdaug-settings").touch()
        raise RuntimeError
    with open_run(out, command="train", resume=True) as run:
        kept = {path.name for path in run.path.iterdir()}
    own = {".own", ".mdaug-notes-abcdefgh.txt", ".mdaug-settings"}
    assert kept == {".mdaug.lock", "run.json", "README.txt", "checkpoint.pt"} | own


def test_a_run_killed_before_its_first_result_is_started_anew(tmp_path) -> None:
    out = OutputOptions(out=tmp_path / "run")
    with pytest.raises(RuntimeError), open_run(out, command="train", resume=False):
        raise RuntimeError
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"command": "train", "started": "", "finished": null}')
    (tmp_path / "run" / ".mdaug-config-abcdefgh.toml").touch()
    (tmp_path / "run" / ".mdaug.lock").touch()
    with open_run(out, command="train", resume=False) as run:
        kept = {path.name for path in run.path.iterdir()}
    assert kept == {".mdaug.lock", "run.json"}


def test_a_lock_that_a_kill_left_is_no_result_and_hides_no_error(tmp_path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text('{"command": "reference", "started": "", "finished": null}')
    (out / ".points.jsonl.lock").touch()
    with pytest.raises(ZeroDivisionError), open_run(OutputOptions(out=out), command="springs"):
        raise ZeroDivisionError
    with open_run(OutputOptions(out=out), command="springs"):
        pass
