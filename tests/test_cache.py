"""The folder of downloads and compiled libraries, and who may write to it."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from mdaug.cache import UntrustedFileError, cache_folder, check_private, make_private, private_folder


def test_the_cache_is_where_its_variable_says_or_the_users(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    assert not cache_folder().exists()


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_it_is_the_users(monkeypatch, value) -> None:
    monkeypatch.delenv("MDAUG_CACHE", raising=False)
    if value is not None:
        monkeypatch.setenv("MDAUG_CACHE", value)
    assert cache_folder() == Path(platformdirs.user_cache_dir("mdaug"))


def test_a_user_without_home_and_passwd_entry_has_a_temporary_cache(tmp_path) -> None:
    code = "import os; os.getuid = lambda: 54321; from mdaug.cache import cache_folder; print(cache_folder())"
    unset = {"HOME", "XDG_CACHE_HOME", "MDAUG_CACHE"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == str(tmp_path / "mdaug-54321"), ended.stderr


def test_a_home_that_cannot_be_written_to_means_a_temporary_cache(monkeypatch, tmp_path) -> None:
    for name in ("MDAUG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_folder().parent == tmp_path / "tmp"
    (tmp_path / ".cache" / "mdaug").mkdir(parents=True)  # made by someone who could: it may be read
    assert cache_folder() == tmp_path / ".cache" / "mdaug"


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_what_others_may_write_to_is_refused(tmp_path, mode) -> None:
    library = tmp_path / "a.so"
    library.touch(0o644)
    check_private(library, tmp_path)
    library.chmod(mode)
    with pytest.raises(UntrustedFileError, match=r"a\.so can be written by other users \(mode 1?7[57]7|775"):
        check_private(library)
    make_private(library)
    check_private(library)


def test_what_another_user_owns_is_refused_unless_it_is_roots(tmp_path, monkeypatch) -> None:
    library = tmp_path / "a.so"
    library.touch(0o644)
    owner = os.stat_result((0o100644, 0, 0, 1, 4321, 0, 0, 0, 0, 0))
    roots = os.stat_result((0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda *_, **__: owner)
    with pytest.raises(
        UntrustedFileError, match=r"a\.so belongs to another user \(number 4321\), so that no"
    ):
        check_private(library)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: roots)
    check_private(library)


def test_folders_of_libraries_are_private_whatever_the_umask(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        folder = private_folder("native")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    folder.chmod(0o777)
    with pytest.raises(UntrustedFileError, match=r"native can be written by other users .* set MDAUG_CACHE"):
        private_folder("native")
