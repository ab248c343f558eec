"""environment.json says what a result depended on."""

import json
import sys
from importlib.metadata import version

from mdaug.workflows.run_folders import environment


def test_it_names_versions_machine_and_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mdaug", "train"])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment.describe_environment()
    assert found["packages"]["numpy"] == version("numpy")
    assert found["commands"] == ["mdaug train"]
    assert found["thread_settings"]["OMP_NUM_THREADS"] == "3"
    assert found["platform"]
    json.dumps(found, allow_nan=False)


def test_a_commit_is_that_of_the_checkout_and_none_for_a_wheel(tmp_path, monkeypatch):
    import subprocess

    assert environment._commit(tmp_path) is None
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").touch()
    for command in (["init", "-q"], ["add", "file"], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    commit = environment._commit(tmp_path)
    assert len(commit) == 40
    (tmp_path / "file").write_text("changed")
    assert environment._commit(tmp_path) == f"{commit} with changes"


def test_a_missing_package_is_null():
    assert environment._version("no-such-package-of-mdaug") is None
