"""Verdicts: their JSON is the contract of check.json and the other result files."""

import json

import numpy as np
import pytest

from mdaug.verdicts import Verdict, worst


def _verdict(level: str, **more: object) -> Verdict:
    return Verdict("energy drift", level, **({"value": 0.5, "limit": 0.1, "text": "It drifts."} | more))


def test_json_has_the_keys_of_the_contract():
    verdict = _verdict("error", value=np.float64(0.5), frames=(np.int64(3), 7))
    assert json.loads(json.dumps(verdict.to_json())) == {
        "name": "energy drift",
        "verdict": "error",
        "value": 0.5,
        "limit": 0.1,
        "text": "It drifts.",
        "frames": [3, 7],
    }


def test_numbers_that_are_not_finite_become_null():
    content = _verdict("cannot tell", value=float("nan"), limit=float("inf")).to_json()
    assert content["value"] is None and content["limit"] is None


def test_a_word_that_is_no_verdict_is_refused():
    with pytest.raises(ValueError, match="expected one of ok, cannot tell, warning, error"):
        _verdict("fine")


def test_worst():
    levels = ["ok", "cannot tell", "warning", "error"]
    for n in range(1, 5):
        assert worst(_verdict(level) for level in levels[:n]) == levels[n - 1]
    assert worst([]) == "ok"
    assert [_verdict(level).mark for level in levels] == ["✓", "?", "!", "✗"]
