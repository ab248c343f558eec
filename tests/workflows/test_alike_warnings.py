"""Warnings that many systems cause alike."""

import warnings

import pytest

from mdaug.errors import DataError
from mdaug.workflows.alike_warnings import MOST_ALIKE, alike_warnings_once


def warned_of(n_systems):
    """Return the texts that are shown of one warning for each system, and one of the first alone."""
    all_names = [f"many.xyz (C{n}H{n % 3})" for n in range(n_systems)]
    with warnings.catch_warnings(record=True) as caught, alike_warnings_once() as names:
        warnings.simplefilter("always")
        for n, name in enumerate(all_names):
            warnings.warn(f"{name}: {n} frames are hot", stacklevel=1)
        warnings.warn(f"{all_names[0]}: a frame is cold", stacklevel=1)
        names.extend(all_names)
    return [str(warning.message) for warning in caught]


def test_many_alike_are_one():
    texts = warned_of(MOST_ALIKE + 1)
    first = f"many.xyz (C0H0): 0 frames are hot (and {MOST_ALIKE} more warnings like this)"
    assert texts == [first, "many.xyz (C0H0): a frame is cold"]


def test_few_are_shown_one_by_one():
    assert len(warned_of(MOST_ALIKE)) == MOST_ALIKE + 1


def test_they_are_shown_before_an_error():
    def stopped():
        with alike_warnings_once():
            warnings.warn("odd", stacklevel=1)
            raise DataError("stopped")

    with warnings.catch_warnings(record=True) as caught, pytest.raises(DataError, match="stopped"):
        stopped()
    assert [str(warning.message) for warning in caught] == ["odd"]
