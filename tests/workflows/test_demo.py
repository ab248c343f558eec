"""The demo on a handful of frames: two models, one page."""

import json
from queue import Queue

import pytest

from mdaug.errors import DataError, MDAugError
from mdaug.workflows import demo
from mdaug.workflows.demo import Throttle, run_demo
from mdaug.workflows.validation import ProofOptions, hydrogen_bond

pytestmark = pytest.mark.slow


class InTurn:
    """One lane after the other in this process: starting processes takes longer than all they do here."""

    def __init__(self):
        self.messages = Queue()

    def start(self, *arguments):
        demo._tell_lane(*arguments, self.messages)

    def alive(self, name):
        return False

    def stop(self):
        pass


@pytest.fixture(autouse=True)
def _lanes_in_turn(monkeypatch):
    monkeypatch.setattr(demo, "Processes", InTurn)


def test_the_demo_ends_in_one_page_about_both_models(tiny, tmp_path):
    steps = []
    proof = ProofOptions(nve_ps=0.2, nvt_ps=0.1, equilibration=0.02, scan_step=0.2)
    config = tiny.replace({"training": {"epochs": 1}})
    report = run_demo(config, tmp_path, proof, show=steps.append)
    page = report.read_text(encoding="utf-8")
    for heading in ("In short", "Springs", "Training", "Accuracy", "Bond scan", "Energy drift", "Stability"):
        assert f"<h2>{heading}</h2>" in page
    assert 'src="data:image/png' in page
    assert 'src="/' not in page
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"raw", "augmented"}
    for lane in ("raw", "augmented"):
        assert (tmp_path / lane / "model.pt").is_file()
        assert results[lane]["scan"]["atoms"] == [0, 1]
        assert {step.what for step in steps if step.lane == lane} >= {"training", "scan"}


def test_a_lane_that_is_killed_is_told(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(InTurn, "start", lambda *_: None)
    with pytest.raises(MDAugError, match="raw model is not finished"):
        run_demo(tiny, tmp_path)


def test_a_lane_that_fails_is_told(tiny, tmp_path):
    broken = tiny.replace({"data": {"source": str(tmp_path / "missing.xyz")}})
    with pytest.raises(DataError, match=r"missing\.xyz"):
        run_demo(broken, tmp_path / "run")


def test_the_scanned_bond_is_hydrogens_to_the_heaviest():
    from ase.build import molecule

    ethanol = molecule("CH3CH2OH")
    bonds = [{"atoms": [0, 1]}, {"atoms": [1, 2]}, {"atoms": [2, 3]}, {"atoms": [0, 4]}]
    i, j = hydrogen_bond({"bonds": bonds}, ethanol)
    assert (ethanol.symbols[i], ethanol.symbols[j]) == ("O", "H")
    assert hydrogen_bond({"bonds": []}, ethanol) is None


def test_long_runs_tell_a_hundred_times():
    told = []
    throttle = Throttle(lambda what, done, total: told.append((what, done)))
    for done in range(1000):
        throttle("steps", done, 1000)
    throttle("scan", 1, 1000)
    assert len(told) == 101
    assert told[-1] == ("scan", 1)
