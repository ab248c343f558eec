"""Run folders keep what was finished, say what is unfinished, and are found again."""

import itertools
import json
import os
import re
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

from mdaug.errors import DataError, InterruptedRunError, MDAugError
from mdaug.workflows.run_folders.run_record import read_record
from mdaug.workflows.run_folders.runs import RUNS, find_model, open_run
from mdaug.workflows.settings.options import OutputOptions


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


def test_overwrite_replaces_the_files_of_the_run_and_no_others():
    path = finish(OutputOptions(out=Path("a")))
    (path / "notes.txt").write_text("mine")
    with open_run(OutputOptions(out=path, overwrite=True), command="train") as run:
        assert not (path / "model.pt").exists()
        (run.path / "history.csv").write_text("new")
    assert not (path / "model.pt").exists()  # the new run wrote none
    assert (path / "notes.txt").read_text() == "mine"
    assert os.listdir() == ["a"]
    assert {file.name for file in path.iterdir()} == {
        "history.csv",
        "notes.txt",
        "run.json",
        "environment.json",
        "README.txt",
    }


def test_overwrite_that_fails_before_its_first_result_brings_the_old_back():
    path = finish(OutputOptions(out=Path("a")))
    with (
        pytest.raises(ZeroDivisionError),
        open_run(OutputOptions(out=path, overwrite=True), command="train"),
    ):
        raise ZeroDivisionError
    assert (path / "model.pt").read_text() == "result"
    assert os.listdir() == ["a"]


def interrupt_overwrite(can_resume: bool | None, *, results: bool = True) -> Path:
    """Leave what a killed --overwrite leaves; the run that it was replacing has an own model and a note."""
    path = finish(OutputOptions(out=Path("a")))
    with (
        pytest.raises(ZeroDivisionError),
        open_run(OutputOptions(out=path, overwrite=True), command="train", resume=can_resume) as run,
    ):
        (run.path / "checkpoint.pt").write_text("half")
        raise ZeroDivisionError
    if not results:
        (path / "checkpoint.pt").unlink()
    return path


def test_an_interrupted_overwrite_is_found_and_the_old_run_restored():
    path = interrupt_overwrite(None)
    with (
        pytest.warns(UserWarning, match=r"a: an earlier --overwrite was interrupted.*is restored"),
        pytest.raises(MDAugError, match="finished run"),
    ):
        finish(OutputOptions(out=path))
    assert (path / "model.pt").read_text() == "result"
    assert read_record(path)["finished"]
    assert not (path / "checkpoint.pt").exists()
    assert not list(path.glob(".mdaug*"))


def test_an_interrupted_overwrite_that_can_be_resumed_is_not_lost_either():
    path = interrupt_overwrite(False)
    with pytest.raises(MDAugError, match=r"was replacing an earlier one.*--resume"):
        finish(OutputOptions(out=path), resume=False)
    assert (path / "checkpoint.pt").read_text() == "half"
    assert finish(OutputOptions(out=path), "new", resume=True) == path
    assert (path / "model.pt").read_text() == "new"
    assert not list(path.glob(".mdaug*"))


def test_a_kill_before_the_first_result_of_an_overwrite_restores_the_old_run():
    path = interrupt_overwrite(False, results=False)
    with pytest.warns(UserWarning, match="is restored"), pytest.raises(MDAugError, match="finished run"):
        finish(OutputOptions(out=path), resume=False)
    assert (path / "model.pt").read_text() == "result"


@pytest.mark.parametrize("moved", [["run.json"], ["run.json", "model.pt"]])
def test_a_kill_while_the_old_run_is_put_aside_loses_nothing(moved):
    path = finish(OutputOptions(out=Path("a")))
    (path / ".mdaug-replaced").mkdir()
    for name in moved:
        (path / name).rename(path / ".mdaug-replaced" / name)
    with pytest.warns(UserWarning, match="is restored"), pytest.raises(MDAugError, match="finished run"):
        finish(OutputOptions(out=path))
    assert (path / "model.pt").read_text() == "result"
    assert not list(path.glob(".mdaug*"))


def test_a_kill_while_the_old_files_are_deleted_keeps_the_new_run():
    path = finish(OutputOptions(out=Path("a")), "new")
    (path / ".mdaug-replaced").mkdir()
    (path / ".mdaug-replaced" / "model.pt").write_text("old")
    with pytest.raises(MDAugError, match="finished run"):
        finish(OutputOptions(out=path))
    assert (path / "model.pt").read_text() == "new"


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
    Path("a/.mdaug.lock").touch()
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
        "environment.json",
        "README.txt",
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
    assert {file.name for file in path.iterdir()} == {
        "run.json",
        "model.pt",
        "environment.json",
        "README.txt",
    }


def test_nothing_to_resume_is_said():
    with pytest.raises(MDAugError, match="no unfinished `mdaug train`"):
        finish(OutputOptions(), resume=True)
    with pytest.raises(MDAugError, match="nothing to resume in b"):
        finish(OutputOptions(out=Path("b")), resume=True)
    with pytest.raises(MDAugError, match="a holds a run of `mdaug train`; resume it with that command"):
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


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["config.toml", "springs.json", "augmented.xyz", "run.json"])
def test_files_that_no_run_wrote_are_not_overwritten(name, overwrite, monkeypatch):
    Path("mine").mkdir()
    monkeypatch.chdir("mine")
    Path(name).write_text("mine")
    output = OutputOptions(out=Path(), overwrite=overwrite)
    with pytest.raises(MDAugError, match=rf"{name} would be overwritten"), open_run(output, command="train"):
        raise AssertionError
    assert os.listdir() == [name]
    assert Path(name).read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_working_folder_may_be_the_run_folder(overwrite):
    Path("notes.txt").write_text("mine")
    for text in ("first", "second"):
        with open_run(OutputOptions(out=Path(), overwrite=overwrite), command="springs") as run:
            (run.path / "springs.json").write_text(text)
        assert Path("springs.json").read_text() == text
        if not overwrite:
            break
    assert Path("notes.txt").read_text() == "mine"


def test_a_folder_of_runs_survives_an_overwrite():
    finish(OutputOptions())
    before = {file: file.read_bytes() for file in RUNS.rglob("*") if file.is_file()}
    for _ in range(2):
        with open_run(OutputOptions(out=RUNS, overwrite=True), command="springs") as run:
            (run.path / "springs.json").write_text("{}")
    assert before.items() <= {file: file.read_bytes() for file in RUNS.rglob("*") if file.is_file()}.items()


def test_an_input_among_the_files_to_replace_is_refused():
    with open_run(OutputOptions(out=Path("a")), command="augment") as run:
        (run.path / "augmented.xyz").write_text("frames")
    output, inputs = OutputOptions(out=Path("a"), overwrite=True), [Path("a/augmented.xyz")]
    with (
        pytest.raises(MDAugError, match=r"augmented\.xyz is read by this command and would be overwritten"),
        open_run(output, command="augment", inputs=inputs),
    ):
        raise AssertionError
    assert Path("a/augmented.xyz").read_text() == "frames"


def test_an_input_beside_the_files_to_replace_stays():
    Path("a").mkdir()
    Path("a/frames.xyz").write_text("frames")
    for overwrite in (False, True):
        output = OutputOptions(out=Path("a"), overwrite=overwrite)
        with open_run(output, command="springs", inputs=["a/frames.xyz"]) as run:
            assert Path("a/frames.xyz").read_text() == "frames"
            (run.path / "springs.json").write_text("{}")
    assert Path("a/frames.xyz").read_text() == "frames"


def test_a_link_may_be_the_run_folder_and_stays_one():
    Path("disk").mkdir()
    Path("a").symlink_to("disk")
    for overwrite in (False, True):
        finish(OutputOptions(out=Path("a"), overwrite=overwrite))
    assert Path("a").is_symlink()
    assert Path("disk/model.pt").exists()
    Path("b").symlink_to("nowhere")
    with pytest.raises(MDAugError, match="b is a link to a folder that does not exist"):
        finish(OutputOptions(out=Path("b")))
    Path("c").write_text("a file")
    with pytest.raises(MDAugError, match="c is a file; expected a folder"):
        finish(OutputOptions(out=Path("c")))


def test_latest_may_be_overwritten_and_still_points_to_its_run():
    path = finish(OutputOptions())
    finish(OutputOptions(out=RUNS / "latest", overwrite=True), "new")
    assert (RUNS / "latest").resolve() == path.resolve()
    assert (path / "model.pt").read_text() == "new"


def test_a_run_with_links_in_place_of_its_files_is_not_resumed():
    interrupt(Path("a"))
    Path("victim").write_text("precious")
    Path("a/history.csv").symlink_to("../victim")
    with pytest.raises(MDAugError, match=r"a/history\.csv is a link"):
        finish(OutputOptions(out=Path("a")), resume=True)
    assert Path("victim").read_text() == "precious"


def test_a_readme_of_someone_else_stays():
    Path("a").mkdir()
    for name in ("README.txt", "environment.json"):
        Path("a", name).write_text("mine")
    for overwrite in (False, True):
        finish(OutputOptions(out=Path("a"), overwrite=overwrite))
        assert Path("a/README.txt").read_text() == Path("a/environment.json").read_text() == "mine"


def test_a_record_from_elsewhere_names_no_files_outside_the_folder():
    Path("a").mkdir()
    Path("victim").write_text("precious")
    files = ["../victim", str(Path("victim").resolve()), "run.json"]
    record = {"command": "train", "started": "", "finished": "x", "files": files}
    Path("a/run.json").write_text(json.dumps(record))
    finish(OutputOptions(out=Path("a"), overwrite=True))
    assert Path("victim").read_text() == "precious"


def plant(files: list[str], command: str = "train") -> None:
    """Write the record of a finished run into the folder a, as a stranger may."""
    Path("a").mkdir(exist_ok=True)
    record = {"command": command, "started": "", "finished": "x", "files": files}
    Path("a/run.json").write_text(json.dumps(record))


def test_a_record_from_elsewhere_names_only_files_that_the_command_writes():
    plant(["notes.txt", "run.json", "trials/x"])
    Path("a/notes.txt").write_text("mine")
    finish(OutputOptions(out=Path("a"), overwrite=True))
    assert Path("a/notes.txt").read_text() == "mine"


def test_an_overwrite_takes_no_files_through_a_link_to_a_folder():
    plant(["raw/model.pt", "raw", "run.json"], "demo")
    Path("elsewhere").mkdir()
    Path("elsewhere/model.pt").write_text("precious")
    Path("a/raw").symlink_to("../elsewhere")
    with (
        pytest.raises(MDAugError, match="would be overwritten"),
        open_run(OutputOptions(out=Path("a"), overwrite=True), command="demo"),
    ):
        pass
    assert Path("elsewhere/model.pt").read_text() == "precious"


@pytest.mark.parametrize("finished", [True, False])
def test_a_link_instead_of_the_folder_of_a_replaced_run_is_refused(finished):
    """Its files would be deleted, or moved here."""
    plant(["run.json"]) if finished else Path("a").mkdir()
    Path("elsewhere").mkdir()
    Path("elsewhere/model.pt").write_text("precious")
    Path("a/.mdaug-replaced").symlink_to("../elsewhere")
    for overwrite in (False, True):
        with pytest.raises(MDAugError, match="mdaug-replaced is a link"):
            finish(OutputOptions(out=Path("a"), overwrite=overwrite))
    assert Path("elsewhere/model.pt").read_text() == "precious"


@pytest.mark.parametrize("finished", [True, False])
def test_only_files_of_the_command_come_back_from_a_replaced_run_or_are_deleted(finished):
    Path("a/.mdaug-replaced").mkdir(parents=True)
    for name in ("notes.txt", "model.pt"):
        Path("a/.mdaug-replaced", name).write_text("planted")
    record = {"command": "train", "started": "", "finished": "x", "files": ["model.pt", "notes.txt"]}
    Path("a/.mdaug-replaced/run.json").write_text(json.dumps(record))
    Path("a/notes.txt").write_text("mine")
    if finished:
        plant(["run.json"])
    with pytest.raises(MDAugError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        finish(OutputOptions(out=Path("a")))
    assert Path("a/notes.txt").read_text() == "mine"
    assert Path("a/.mdaug-replaced/notes.txt").read_text() == "planted"
    assert Path("a/model.pt").exists() != finished


def test_a_file_in_the_way_of_a_replaced_run_stays():
    Path("a/.mdaug-replaced").mkdir(parents=True)
    Path("a/.mdaug-replaced/model.pt").write_text("old")
    Path("a/.mdaug-replaced/run.json").write_text(json.dumps({"command": "train", "finished": "x"}))
    Path("a/model.pt").write_text("mine")
    with pytest.raises(MDAugError, match=r"a/model\.pt is in the way"):
        finish(OutputOptions(out=Path("a")))
    assert Path("a/model.pt").read_text() == "mine"


@pytest.mark.parametrize(
    ("command", "name"),
    [("train", "checkpoint.pt"), ("sweep", "trials/x/model.pt"), ("frames", "replicas/replica-0.npz")],
)
def test_a_run_of_another_user_is_not_resumed(command, name, monkeypatch):
    with pytest.raises(RuntimeError), open_run(OutputOptions(out=Path("a")), command=command):
        Path("a", name).parent.mkdir(parents=True, exist_ok=True)
        Path("a", name).write_text("planted")
        raise RuntimeError
    uid = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: uid + 1)
    with (
        pytest.raises(MDAugError, match=rf"{name} belongs to another user"),
        open_run(OutputOptions(out=Path("a")), command=command, resume=True),
    ):
        pass
    monkeypatch.setattr("os.getuid", lambda: uid)
    with open_run(OutputOptions(out=Path("a")), command=command, resume=True):
        pass


LEADING_ELSEWHERE = [
    ("train", "checkpoint.pt", "link"),
    ("sweep", "study.db", "link"),
    ("sweep", "study.db", "hard link"),
    ("sweep", "trials/x/checkpoint.pt", "link"),
    ("sweep", "trials/x/checkpoint.pt", "folder"),
    ("frames", "replicas/replica-0.npz", "link"),
    ("frames", "replicas/replica-0.npz", "folder"),
    ("nve", "replica-3/thermo.csv", "link"),
    ("nve", "replica-3/thermo.csv", "folder"),
    ("nve", "trajectory.dcd", "hard link"),
    ("reference", "points.jsonl", "link"),
    ("reference", "points.jsonl", "hard link"),
]


@pytest.mark.parametrize(("command", "name", "kind"), LEADING_ELSEWHERE)
def test_files_that_lead_elsewhere_are_not_added_to(command, name, kind):
    path, victim = Path("a", name), Path("elsewhere", Path(name).name)
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    victim.parent.mkdir()
    victim.write_text("precious")
    if kind == "folder":
        path.parent.symlink_to(victim.parent.resolve())
    else:
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(victim.resolve()) if kind == "link" else path.hardlink_to(victim)
    record = {"command": command, "commands": [], "started": "", "finished": None, "files": []}
    Path("a/run.json").write_text(json.dumps(record))
    resume = None if command == "reference" else True  # its points are added to without --resume
    with (
        pytest.raises(MDAugError, match="hard link" if kind == "hard link" else "is a link"),
        open_run(OutputOptions(out=Path("a")), command=command, resume=resume),
    ):
        path.write_text("changed")
    assert victim.read_text() == "precious"


def test_default_folders_are_named_after_command_and_subject():
    with open_run(OutputOptions(), command="train") as training:
        (training.path / "model.pt").touch()
    assert re.fullmatch(r"train-\d{8}-\d{6}", training.path.name)
    with open_run(OutputOptions(), command="nve", subject=RUNS / "latest") as dynamics:
        pass
    assert re.fullmatch(r"nve-train-\d{8}-\d{6}", dynamics.path.name)
    named = finish(OutputOptions(out=Path("ethanol")))
    for subject in (named, named / "model.pt"):
        with open_run(OutputOptions(), command="drift", subject=subject) as run:
            pass
        assert re.fullmatch(r"drift-ethanol-\d{8}-\d{6}(-2)?", run.path.name)


def test_a_folder_explains_itself_with_the_commands_of_a_resumed_run_too(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mdaug", "train", "frames.xyz"])
    interrupt(Path("a"))
    assert "mdaug train frames.xyz" in Path("a/README.txt").read_text()
    monkeypatch.setattr(sys, "argv", ["mdaug", "train", "--resume"])
    finish(OutputOptions(out=Path("a")), resume=True)
    commands = ["mdaug train frames.xyz", "mdaug train --resume"]
    assert json.loads(Path("a/environment.json").read_text())["commands"] == commands
    readme = Path("a/README.txt").read_text()
    assert all(line in readme for line in [*commands, "model.pt  ", "checkpoint.pt  "])
    assert "history.csv" not in readme


def test_ctrl_c_names_the_way_to_continue():
    with (
        pytest.raises(InterruptedRunError, match=r"continue with `mdaug train --resume --out a`"),
        open_run(OutputOptions(out=Path("a")), command="train", resume=False) as run,
    ):
        (run.path / "checkpoint.pt").touch()
        raise KeyboardInterrupt
    with (
        pytest.raises(InterruptedRunError, match="interrupted; nothing was written"),
        open_run(OutputOptions(), command="scan"),
    ):
        raise KeyboardInterrupt


def killed_at(n: int, work) -> bool:
    """Do `work` in a process that dies before its `n`-th change of the file system; False if it ends."""
    child = os.fork()
    if child == 0:
        count = itertools.count(1)

        def counted(change):
            def wrapper(*arguments, **options):
                if next(count) == n:
                    os._exit(9)
                return change(*arguments, **options)

            return wrapper

        for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "write_text"):
            setattr(Path, name, counted(getattr(Path, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


def test_an_overwrite_killed_anywhere_leaves_the_old_or_the_new_run(tmp_path, monkeypatch):
    states = Counter()
    for n in itertools.count(1):
        folder = tmp_path / f"killed-{n}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        finish(OutputOptions(out=Path("a")))
        Path("a/notes.txt").write_text("mine")
        if not killed_at(n, lambda: finish(OutputOptions(out=Path("a"), overwrite=True), "new")):
            break
        with warnings.catch_warnings(), pytest.raises(MDAugError, match=r"^a holds a finished run"):
            warnings.simplefilter("ignore")
            finish(OutputOptions(out=Path("a")))
        states[Path("a/model.pt").read_text()] += 1
        assert Path("a/notes.txt").read_text() == "mine"
        assert read_record(Path("a"))["finished"]
        assert not Path("a/.mdaug-replaced").exists()
        finish(OutputOptions(out=Path("a"), overwrite=True), "third")
        assert not list(Path("a").glob(".mdaug*"))
    assert states["result"] > 10
    assert states["new"] > 1


def test_a_disk_that_fills_at_the_start_of_an_overwrite_brings_the_old_run_back(monkeypatch):
    path = finish(OutputOptions(out=Path("a")))

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mdaug.workflows.run_folders.ownership.write_record", full)
    with pytest.raises(OSError, match="No space left"):
        finish(OutputOptions(out=path, overwrite=True))
    assert (path / "model.pt").read_text() == "result"
    assert read_record(path)["finished"]
