"""Run folders keep what was finished, say what is unfinished, and are found again."""

import os
from pathlib import Path

import pytest

from mdaug.errors import DataError, MDAugError
from mdaug.workflows.runs import RUNS, OutputOptions, find_model, open_run, read_record


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def finish(output: OutputOptions, text: str = "result", **options) -> Path:
    with open_run(output, command="train", **options) as run:
        (run.path / "model.pt").write_text(text)
    return run.path


def test_default_folders_never_collide_and_latest_is_the_newest_finished():
    first, second = finish(OutputOptions()), finish(OutputOptions())
    assert first != second
    assert first.parent == RUNS
    assert (RUNS / "latest").resolve() == second.resolve()
    with pytest.raises(ZeroDivisionError), open_run(OutputOptions(), command="train") as run:
        (run.path / "model.pt").write_text("half")
        raise ZeroDivisionError
    assert (RUNS / "latest").resolve() == second.resolve()
    assert find_model(None).read_text() == "result"


def test_a_run_without_model_is_not_latest():
    finish(OutputOptions())
    with open_run(OutputOptions(), command="springs") as run:
        (run.path / "springs.json").write_text("{}")
    assert (RUNS / "latest" / "model.pt").exists()


def test_a_finished_run_is_refused_and_untouched():
    path = finish(OutputOptions(out=Path("a")))
    with (
        pytest.raises(MDAugError, match=r"finished run.*--overwrite"),
        open_run(OutputOptions(out=path), command="train"),
    ):
        pass
    assert (path / "model.pt").read_text() == "result"


def test_overwrite_replaces_and_leaves_nothing_of_the_old():
    path = finish(OutputOptions(out=Path("a")))
    (path / "old.png").touch()
    finish(OutputOptions(out=path, overwrite=True), "new")
    assert (path / "model.pt").read_text() == "new"
    assert not (path / "old.png").exists()
    assert os.listdir() == ["a"]


def test_overwrite_that_fails_before_its_first_result_brings_the_old_back():
    path = finish(OutputOptions(out=Path("a")))
    with (
        pytest.raises(ZeroDivisionError),
        open_run(OutputOptions(out=path, overwrite=True), command="train"),
    ):
        raise ZeroDivisionError
    assert (path / "model.pt").read_text() == "result"
    assert os.listdir() == ["a"]


def test_overwrite_that_fails_later_keeps_both():
    path = finish(OutputOptions(out=Path("a")))
    with (
        pytest.raises(ZeroDivisionError),
        open_run(OutputOptions(out=path, overwrite=True), command="train") as run,
    ):
        (run.path / "checkpoint.pt").touch()
        raise ZeroDivisionError
    aside = next(Path().glob("a.replaced-*"))
    assert (aside / "model.pt").read_text() == "result"
    assert (path / "checkpoint.pt").exists()


def test_a_run_that_fails_before_its_first_result_leaves_no_folder():
    with pytest.raises(ZeroDivisionError), open_run(OutputOptions(), command="springs"):
        raise ZeroDivisionError
    assert list(RUNS.iterdir()) == []


def interrupt(out: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        open_run(OutputOptions(out=out), command="train", resume=False) as run,
    ):
        (run.path / "checkpoint.pt").write_text("half")
        raise KeyboardInterrupt


def test_an_unfinished_run_is_not_lost_by_starting_again():
    interrupt(Path("a"))
    with pytest.raises(MDAugError, match=r"unfinished run.*--resume"):
        finish(OutputOptions(out=Path("a")), resume=False)
    assert (Path("a") / "checkpoint.pt").read_text() == "half"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("make", [interrupt, lambda path: finish(OutputOptions(out=path))])
@pytest.mark.parametrize("can_resume", [False, None])
def test_the_run_of_another_command_is_never_written_over(make, overwrite, can_resume):
    make(Path("a"))
    before = {file.name: file.read_text() for file in Path("a").iterdir()}
    with (
        pytest.raises(MDAugError, match=r"^a holds a run of `mdaug train`; give another folder with --out$"),
        open_run(OutputOptions(out=Path("a"), overwrite=overwrite), command="springs", resume=can_resume),
    ):
        pass
    assert {file.name: file.read_text() for file in Path("a").iterdir()} == before
    assert os.listdir() == ["a"]


def test_another_command_may_take_the_folder_of_a_run_killed_before_its_first_result():
    Path("a").mkdir()
    Path("a/run.json").write_text('{"command": "train", "started": "", "finished": null}')
    Path("a/.lock").touch()
    with open_run(OutputOptions(out=Path("a")), command="springs"):
        Path("a/springs.json").write_text("{}")
    assert read_record(Path("a"))["command"] == "springs"


def test_a_command_that_cannot_resume_starts_again():
    interrupt(Path("a"))
    finish(OutputOptions(out=Path("a")))
    assert read_record(Path("a"))["finished"]


def test_resume_continues_the_named_or_the_newest_unfinished_run():
    interrupt(Path("a"))
    assert finish(OutputOptions(out=Path("a")), resume=True) == Path("a")
    assert (Path("a") / "checkpoint.pt").exists()
    interrupt(RUNS / "old")
    interrupt(RUNS / "new")
    os.utime(RUNS / "old", (1, 1))
    assert finish(OutputOptions(), resume=True) == RUNS / "new"


def test_a_folder_whose_process_lives_is_neither_resumed_nor_replaced():
    with open_run(OutputOptions(out=Path("a")), command="train", resume=False) as run:
        (run.path / "checkpoint.pt").write_text("half")
        (run.path / ".mdaug-thermo-abcdefgh.csv").write_text("being written")
        for output in (OutputOptions(out=Path("a")), OutputOptions(out=Path("a"), overwrite=True)):
            for resume in (True, False, None):
                with pytest.raises(MDAugError, match=r"^a is being written by another process; wait for its"):
                    finish(output, resume=resume)
        assert (run.path / ".mdaug-thermo-abcdefgh.csv").exists()
    assert {path.name for path in Path("a").iterdir()} == {
        "run.json",
        "checkpoint.pt",
        ".mdaug-thermo-abcdefgh.csv",
    }


def test_resume_passes_over_runs_whose_process_lives():
    interrupt(RUNS / "old")
    os.utime(RUNS / "old", (1, 1))
    with open_run(OutputOptions(), command="train", resume=False) as run:
        assert finish(OutputOptions(), resume=True) == RUNS / "old"
        with pytest.raises(MDAugError, match=f"{run.path} is being written by another process"):
            finish(OutputOptions(), resume=True)


def test_overwrite_holds_the_new_folder_too():
    path = finish(OutputOptions(out=Path("a")))
    with open_run(OutputOptions(out=path, overwrite=True), command="train") as run:
        (run.path / "model.pt").write_text("new")
        with pytest.raises(MDAugError, match="another process"):
            finish(OutputOptions(out=path, overwrite=True))
    assert os.listdir() == ["a"]
    assert {file.name for file in path.iterdir()} == {"run.json", "model.pt"}


def test_nothing_to_resume_is_said():
    with pytest.raises(MDAugError, match="no unfinished `mdaug train`"):
        finish(OutputOptions(), resume=True)
    with pytest.raises(MDAugError, match="nothing to resume in b"):
        finish(OutputOptions(out=Path("b")), resume=True)
    with pytest.raises(MDAugError, match="a holds a run of `mdaug train`; resume it with that"):
        interrupt(Path("a"))
        with open_run(OutputOptions(out=Path("a")), command="nve", resume=True):
            pass


def test_models_are_found_by_file_folder_or_newest_run():
    path = finish(OutputOptions(out=Path("a")))
    assert find_model(path) == find_model(path / "model.pt") == path / "model.pt"
    with pytest.raises(DataError, match="train one first"):
        find_model(None)
    with pytest.raises(DataError, match=r"no model at b/?.*name a model.pt"):
        find_model(Path("b"))
    for name in ("raw", "augmented"):  # as in the folder of a demo
        finish(OutputOptions(out=Path("demo") / name))
    with pytest.raises(DataError, match=r"no model at demo/model.pt; name demo/augmented or demo/raw"):
        find_model(Path("demo"))
