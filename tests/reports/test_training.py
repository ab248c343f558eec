"""Training curves and histograms show what was trained, in the colors of all figures."""

import numpy as np
import pytest

from mdaug.reports.style import AUGMENTED, RAW
from mdaug.reports.training import TrainingReport, _summary, frames_section
from mdaug.reports.training_figures import plot_frame_energies, plot_training
from mdaug.training.history import Epoch, History


def history(factor: float) -> History:
    return History([Epoch(n, 1e-3, 3.0 / n, 2.0 / n, factor / n, 10 * factor / n) for n in range(1, 21)])


def test_each_training_is_a_curve_of_its_errors():
    _, forces, energies = plot_training({"raw": history(1.0), "augmented": history(2.0)})
    for panel, factor in ((forces, 10.0), (energies, 1.0)):
        raw, augmented = panel.get_lines()
        assert (raw.get_color(), augmented.get_color()) == (RAW, AUGMENTED)
        assert augmented.get_linewidth() > raw.get_linewidth()
        np.testing.assert_allclose(raw.get_ydata(), factor / np.arange(1, 21))
        np.testing.assert_allclose(augmented.get_ydata(), 2 * factor / np.arange(1, 21))
        assert panel.get_yscale() == "log"
        assert [text.get_text() for text in panel.get_legend().get_texts()] == ["raw", "augmented"]
    assert "kcal/mol/Å" in forces.get_ylabel()


def test_training_and_validation_losses_are_both_drawn_and_named():
    losses, forces, _ = plot_training({"raw": history(1.0)})
    drawn = {line.get_label(): line.get_ydata()[0] for line in losses.get_lines()}
    assert drawn == {"raw, validation": 2.0, "raw, training": 3.0}
    assert forces.get_legend() is None


def test_frames_of_each_kind_are_counted(tmp_path):
    energies = {"raw": np.arange(40.0), "stretch": np.array([10.0, 100.0, 150.0]), "impulse": np.empty(0)}
    labels = [text.get_text() for text in plot_frame_energies(energies).get_legend().get_texts()]
    assert labels == ["raw (40)", "stretch (3)"]
    (table,) = frames_section(tmp_path, energies).tables
    assert [row[:2] for row in table.rows] == [["raw", 40], ["stretch", 3]]
    assert table.rows[1][3] == 100.0


@pytest.mark.parametrize(
    ("kinds", "augmented", "delta"),
    [
        ({"raw"}, False, False),
        ({"raw", "Δ-learning"}, False, True),
        ({"raw", "stretch"}, True, False),
        ({"raw", "impulse", "Δ-learning"}, True, True),
    ],
)
def test_only_kinds_of_frames_that_there_are_are_explained(tmp_path, kinds, augmented, delta):
    text = frames_section(tmp_path, {kind: np.arange(3.0) for kind in kinds}).text
    assert ("Augmented frames are" in text, "Frames by Δ-learning are" in text) == (augmented, delta)


@pytest.mark.parametrize(
    ("n_augmented", "n_delta", "expected"),
    [
        (0, 0, "90 frames of ions in"),
        (20, 0, "90 frames of ions and 20 augmented ones in"),
        (0, 400, "90 frames of ions and 400 by Δ-learning in"),
        (20, 400, "90 frames of ions, 20 augmented ones and 400 by Δ-learning in"),
    ],
)
def test_frames_by_delta_learning_are_not_called_augmented(tmp_path, n_augmented, n_delta, expected):
    counts = {
        "n_raw_frames": 90,
        "n_augmented_frames": n_augmented,
        "n_delta_frames": n_delta,
        "seconds": 60.0,
        "epochs": 2,
        "best_epoch": 1,
    }
    results = {
        "training": counts,
        "reference_energies": "one mean per atom",
        "baseline": {"used": False, "reason": "as set"},
    }
    report = TrainingReport("ions", None, "raw", tmp_path / "model.pt", [], History(), [], results, "")
    assert expected in _summary(report)
