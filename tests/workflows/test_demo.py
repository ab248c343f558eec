"""The demo on a handful of frames: two models, one page."""

import json
from html import escape
from queue import Queue

import pytest

from mdaug.errors import DataError, MDAugError
from mdaug.reports.demo_summary import demo_verdicts
from mdaug.workflows import demo
from mdaug.workflows.demo import Throttle, run_demo
from mdaug.workflows.settings.workflow_options import ValidationOptions

pytestmark = pytest.mark.slow


class InTurn:
    """One model after the other in this process: starting processes takes longer than all they do here."""

    def __init__(self):
        self.messages = Queue()

    def start(self, *arguments):
        demo._report_model(*arguments, self.messages)

    def alive(self, name):
        return False

    def stop(self):
        pass


@pytest.fixture(autouse=True)
def _models_in_turn(monkeypatch):
    monkeypatch.setattr(demo, "Processes", InTurn)


SHORT = ValidationOptions(
    nve_ps=0.2, nvt_ps=0.1, hot_ps=0.1, hot_replicas=2, equilibration=0.02, scan_step=0.2
)


def test_the_demo_ends_in_one_page_about_both_models(tiny, tmp_path):
    steps = []
    config = tiny.replace({"training": {"epochs": 1, "learning_rate": 1e-3}})
    outcome = run_demo(config, tmp_path, SHORT, show=steps.append)
    page = outcome.report.read_text(encoding="utf-8")
    for heading in ("Results", "Hot dynamics", "Bond scan", "Molecule", "Springs", "Training", "Accuracy"):
        assert f"<h2>{heading}</h2>" in page
    assert 'src="data:image/png' in page
    assert 'src="/' not in page
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"raw", "augmented"}
    for model in ("raw", "augmented"):
        assert (tmp_path / model / "model.pt").is_file()
        assert results[model]["scan"]["atoms"] == [0, 1]
        assert results[model]["survival"]["n_runs"] == 2
        assert {step.what for step in steps if step.model == model} >= {"training", "hot dynamics"}
    verdicts = demo_verdicts(outcome.models)
    assert {"energy drift: raw", "survival at 1000 K: augmented"} <= {verdict.name for verdict in verdicts}
    for verdict in verdicts:
        assert escape(verdict.text) in page


def test_a_model_that_is_killed_is_told(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(InTurn, "start", lambda *_: None)
    with pytest.raises(MDAugError, match="raw model is not finished"):
        run_demo(tiny, tmp_path)


def test_a_model_that_fails_is_told(tiny, tmp_path):
    broken = tiny.replace({"data": {"source": str(tmp_path / "missing.xyz")}})
    with pytest.raises(DataError, match=r"missing\.xyz"):
        run_demo(broken, tmp_path / "run")


def test_long_runs_tell_a_hundred_times():
    told = []
    throttle = Throttle(lambda what, done, total: told.append((what, done)))
    for done in range(1000):
        throttle("steps", done, 1000)
    throttle("scan", 1, 1000)
    assert len(told) == 101
    assert told[-1] == ("scan", 1)
