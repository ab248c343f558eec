"""The folder in which broken files are tried."""

import os

import matplotlib as mpl
import pytest

from tests.fuzz.commands import House


@pytest.fixture
def house(tmp_path_factory, monkeypatch) -> House:
    """A folder of its own as working directory; figures coarse and no waiting for the disk, for speed."""
    path = tmp_path_factory.mktemp("house")
    monkeypatch.chdir(path)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setitem(mpl.rcParams, "savefig.dpi", 20)
    return House(path)
