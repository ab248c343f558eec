"""The folder of downloads and compiled libraries."""

from pathlib import Path

import platformdirs
import pytest

from mdaug.cache import cache_folder


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
