"""The report is drawn from examination.json alone, for one force field and for several side by side."""

import json

import pytest

from mdaug.examination import distributions, dynamics
from mdaug.examination.dynamics import Plan
from mdaug.examination.parts import PARTS
from mdaug.examination.protocols import PROTOCOLS
from mdaug.reports import examination_parts
from mdaug.reports.examination import PARTS as SHOWN
from mdaug.reports.examination import comparison, write_examination_report
from mdaug.reports.examination_parts import PART_CONTENTS
from mdaug.workflows.examine import _write
from tests.examination import analytic
from tests.examination.test_parts import LITTLE, examined_of, held_out

FIGURES = {
    "accuracy.png",
    "frequencies.png",
    "bonds.png",
    "shapes.png",
    "conservation.png",
    "dynamics.png",
    "distributions.png",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All parts of a right force field, as short as possible."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "_plan", lambda examined, budget: Plan(1, 0.05))
        patch.setattr(dynamics, "LEAST_PS", 0.0)
        patch.setattr(distributions, "SKIPPED_PS", 0.0)
        examined = examined_of(analytic.Right(), tmp_path_factory.mktemp("runs"), frames=held_out())
        parts = [part for part in PARTS if part.name not in PROTOCOLS]
        return {part.name: part.examine(examined, LITTLE) for part in parts}


def test_every_part_is_shown_in_the_order_of_the_examination():
    assert list(SHOWN) == [part.name for part in PARTS]


@pytest.mark.parametrize("labels", [["one"], ["one", "other $x$"]])
def test_report(tmp_path, results, labels):
    about = {"force_fields": labels, "data": "frames.xyz", "structure": None, "seed": 0}
    _write(tmp_path / "examination.json", about, dict.fromkeys(labels, results))
    content = json.loads((tmp_path / "examination.json").read_text())
    assert len(content["verdicts"]) == len(labels) * len(results)
    page = write_examination_report(tmp_path, content).read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == FIGURES
    assert all(title in page for title, _ in (SHOWN[name] for name in results))
    assert ("Side by side" in page) == (len(labels) > 1)


def test_comparison_has_a_row_for_each_part(results):
    entry = {name: result.to_json() for name, result in results.items()}
    table = comparison({"one": entry, "less": {"bonds": entry["bonds"]}})
    assert [row[0] for row in table.rows] == list(results)
    assert table.rows[0][1:] == ["✓\u00a0passes", None]


def test_the_legend_names_force_fields_without_the_first_curve(tmp_path, results, monkeypatch):
    seen = []
    monkeypatch.setattr(examination_parts, "save", lambda figure, path: seen.append(figure) or path)
    curves = results["bonds"].to_json()["figures"]
    fewer = curves | {"curves": curves["curves"][1:]}
    PART_CONTENTS["bonds"](tmp_path, {"all": curves, "fewer": fewer})
    (legend,) = seen[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["all", "fewer"]
    PART_CONTENTS["bonds"](tmp_path, {"fewer": fewer, "all": curves})
    assert [text.get_text() for text in seen[1].legends[0].get_texts()] == ["fewer", "all"]
