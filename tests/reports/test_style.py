"""Figures are written whole, in one style, without touching the user's matplotlib."""

import sys

import matplotlib
import pytest
from matplotlib.axes import Axes

from mdaug.reports.style import (
    AUGMENTED,
    BASELINE,
    COLORS,
    DELTA,
    OTHER_CODE,
    PUBLISHED,
    RAW,
    element_color,
    model_color,
    model_styles,
    new_axes,
    new_figure,
    save,
)


def test_a_figure_is_a_readable_png_and_replaces_the_old_whole(tmp_path):
    path = tmp_path / "deep" / "figure.png"
    axes = new_axes()
    axes.plot([0, 1], [0, 1])
    assert save(axes, path) == path
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in path.parent.iterdir()] == ["figure.png"]


def test_a_failed_drawing_keeps_the_old_file(tmp_path):
    class Broken:
        def savefig(self, *_, **__):
            raise OSError("disk full")

    path = tmp_path / "figure.png"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        save(Broken(), path)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_panels_come_as_subplots_do_and_use_our_colours():
    _, axes = new_figure(1, 2, sharex=True)
    assert len(axes) == 2
    assert isinstance(axes[0], Axes)
    assert [axes[0].plot([0])[0].get_color() for _ in COLORS] == list(COLORS)


def test_no_global_state_is_touched():
    before = dict(matplotlib.rcParams)
    new_figure()
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_each_kind_of_model_has_its_color_and_the_recommended_is_the_broadest():
    labels = ["paper, n = 9", "raw-0", "recommended", "SchNetPack 2.1", "mine"]
    styles = model_styles(labels)
    colors = [styles[label]["color"] for label in labels]
    assert colors[:4] == [PUBLISHED, RAW, AUGMENTED, OTHER_CODE]
    assert len(set(colors)) == len(colors)
    widths = {label: style["linewidth"] for label, style in styles.items()}
    assert max(widths, key=lambda label: widths[label]) == "recommended"
    assert model_color("raw") == RAW and model_color("some run") == AUGMENTED
    assert model_color("Δ-learning") == DELTA not in (RAW, AUGMENTED)
    assert model_color("with baseline") == BASELINE


def test_two_of_a_kind_can_be_told_apart():
    styles = model_styles(["raw-0", "raw-1", "raw-2"])
    assert styles["raw-0"]["color"] == RAW
    assert len({style["color"] for style in styles.values()}) == 3


def test_every_element_has_a_color():
    assert element_color("O") != element_color("Xe")
