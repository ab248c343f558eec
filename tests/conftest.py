"""Fixtures shared by all rooms."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    return Path(__file__).parents[1].parent / "shared" / "data"
