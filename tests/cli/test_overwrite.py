"""What a user's own files in and around an output folder come to: nothing."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from tests.fuzz import samples

pytestmark = pytest.mark.slow

SPRINGS = ["--bootstrap", "0"]


@pytest.fixture
def frames(tmp_path, monkeypatch):
    """The working folder, with frames of a user in a/frames.xyz."""
    monkeypatch.chdir(tmp_path)
    write_extxyz(load_frames("ethanol", every=50), tmp_path / "a" / "frames.xyz")
    return Path("a/frames.xyz").read_bytes()


def test_frames_in_the_output_folder_stay(frames):
    for _ in range(2):
        assert main(["springs", "a/frames.xyz", *SPRINGS, "--out", "a", "--overwrite"]) == 0
        assert Path("a/frames.xyz").read_bytes() == frames
    assert "frames.xyz" not in json.loads(Path("a/run.json").read_text())["files"]


def test_a_folder_of_runs_is_not_replaced(frames):
    assert main(["springs", "a/frames.xyz", *SPRINGS]) == 0
    (run,) = Path("runs").iterdir()
    before = (run / "springs.json").read_bytes()
    for _ in range(2):
        assert main(["springs", "a/frames.xyz", *SPRINGS, "--out", "runs", "--overwrite"]) == 0
    assert (run / "springs.json").read_bytes() == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_own_files_in_the_working_folder_are_not_overwritten(frames, overwrite, capsys):
    Path("springs.json").write_text("my springs")
    assert main(["springs", "a/frames.xyz", *SPRINGS, "--out", ".", *overwrite]) == 1
    assert "springs.json would be overwritten" in capsys.readouterr().err
    assert Path("springs.json").read_text() == "my springs"
    assert {path.name for path in Path().iterdir()} == {"a", "springs.json"}


def test_an_input_that_the_command_would_write_is_refused_before_work(frames, capsys):
    arguments = ["--rule", "gradient", "--n-frames", "2", "--n-stretched", "0", "--springs.bootstrap", "0"]
    assert main(["augment", "a/frames.xyz", *arguments, "--out", "b"]) == 0
    before = Path("b/augmented.xyz").read_bytes()
    again = ["augment", "b/augmented.xyz", *arguments, "--temperature", "500", "--out", "b", "--overwrite"]
    assert main(again) == 1
    assert "b/augmented.xyz is read by this command and would be overwritten" in capsys.readouterr().err
    assert Path("b/augmented.xyz").read_bytes() == before


@pytest.mark.parametrize("out", [".", "link"])
def test_the_working_folder_and_a_link_work(frames, out):
    Path("link").symlink_to("a")
    for overwrite in ([], ["--overwrite"]):
        assert main(["springs", "a/frames.xyz", *SPRINGS, "--out", out, *overwrite]) == 0
        assert Path(out, "springs.json").is_file()
    assert Path("a/frames.xyz").read_bytes() == frames
    assert Path("link").is_symlink()


@pytest.mark.parametrize("command", ["augment", "nve"])
def test_a_limit_of_file_sizes_is_told_with_the_name_of_the_file(command, tmp_path):
    samples.model(tmp_path / "model.pt")
    samples.extxyz(tmp_path / "frames.xyz")
    samples.springs(tmp_path / "springs.json")
    samples.structure(tmp_path / "start.xyz")
    few = ["--n-frames", "8", "--n-stretched", "5", "--rule", "gradient", "--springs-file", "springs.json"]
    argv = {
        "augment": ["frames.xyz", "--temperature", "300", *few],
        "nve": ["model.pt", "--structure", "start.xyz", "--no-guard", "--engine", "ase", "--steps", "500"],
    }[command]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    run = [sys.executable, "-m", "mdaug", command, *argv, "--out", "out"]
    done = subprocess.run(
        run, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=limit, timeout=300
    )
    assert done.returncode == 1
    assert re.match(r"mdaug: error: out/\S+: File too large", done.stderr.splitlines()[-1])
