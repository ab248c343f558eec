"""Springs as figure and table: what a reader sees is what was fitted."""

from io import StringIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from rich.console import Console
from scipy.integrate import trapezoid

from mdaug.frames import FrameSet
from mdaug.reports.springs import format_k, plot_springs, rich_springs_table, springs_table
from mdaug.reports.style import BLACK, save
from mdaug.springs import SpringOptions, analyze_springs
from mdaug.units import EV_PER_KCAL_MOL, KCAL_MOL_PER_EV


@pytest.fixture(scope="module")
def analysis():
    rng = np.random.default_rng(0)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = water + 0.03 * rng.standard_normal((150, 3, 3))
    frames = FrameSet(
        np.array([8, 1, 1]), positions, np.zeros(150), np.zeros((150, 3, 3)), temperature_K=300.0
    )
    return analyze_springs(frames, SpringOptions(components={"H-H": 2}, bootstrap=20))


def test_each_pair_has_a_panel_with_its_mixture_and_springs(analysis, tmp_path):
    panels = plot_springs(analysis)
    assert [panel.get_title().split(",")[0] for panel in panels] == ["H-H", "H-O"]
    for panel, springs in zip(panels, analysis.springs.pairs.values(), strict=True):
        assert panel.get_xlabel() == "distance (Å)"
        assert panel.get_ylabel() == "probability density (1/Å)"
        assert [text.get_text() for text in panel.texts] == [format_k(k) for k in springs.k]
        mixture = next(line for line in panel.lines if to_hex(line.get_color()) == BLACK)
        assert trapezoid(*mixture.get_data()[::-1]) == pytest.approx(1.0, abs=0.05)
    assert save(panels[0], tmp_path / "springs.png").stat().st_size > 10_000


def test_the_table_shows_the_converged_fit_first_and_the_published_one_last(analysis):
    row = next(row for row in springs_table(analysis).rows if row[0] == "H-O")
    springs, interval = analysis.converged.pairs["H-O"], analysis.intervals["H-O"]
    assert float(row[1]) == pytest.approx(springs.distance[0], abs=1e-3)
    assert float(row[3]) == pytest.approx(springs.k[0] * KCAL_MOL_PER_EV, rel=0.01)
    low, high = row[4].split("–")
    assert float(low) == pytest.approx(interval.k[0][0] * KCAL_MOL_PER_EV, rel=0.01)
    assert float(low) < float(row[3]) < float(high)
    published = analysis.published.pairs["H-O"]
    assert float(row[6]) == pytest.approx(published.distance[0], abs=1e-3)
    assert float(row[7]) == pytest.approx(published.k[0] * KCAL_MOL_PER_EV, rel=0.01)


def test_table_fits_an_ordinary_terminal(analysis):
    console = Console(width=74, file=StringIO())  # 80 less what longer k take in other frames
    console.print(rich_springs_table(analysis))
    shown = console.file.getvalue()
    assert "H-O" in shown
    assert "…" not in shown


def test_springs_are_never_in_powers_of_ten():
    shown = [format_k(k * EV_PER_KCAL_MOL) for k in (14.23, 737.2, 999.7, 1234.2)]
    assert shown == ["14.2", "737", "1000", "1234"]
