"""Training curves show what was trained, in the colours of all figures."""

import numpy as np

from mdaug.reports.style import AUGMENTED, RAW
from mdaug.reports.training import plot_training
from mdaug.training.history import Epoch, History


def history(factor: float) -> History:
    return History([Epoch(n, 1e-3, 1.0, 1.0, factor / n, 10 * factor / n) for n in range(1, 21)])


def test_each_training_is_a_curve_of_its_errors():
    forces, energies = plot_training({"raw": history(1.0), "augmented": history(2.0)})
    for panel, factor in ((forces, 10.0), (energies, 1.0)):
        raw, augmented = panel.get_lines()
        assert (raw.get_color(), augmented.get_color()) == (RAW, AUGMENTED)
        np.testing.assert_allclose(raw.get_ydata(), factor / np.arange(1, 21))
        np.testing.assert_allclose(augmented.get_ydata(), 2 * factor / np.arange(1, 21))
        assert panel.get_yscale() == "log"
        assert [text.get_text() for text in panel.get_legend().get_texts()] == ["raw", "augmented"]
    assert "kcal/mol/Å" in forces.get_ylabel()


def test_a_single_training_needs_no_legend():
    assert plot_training({"training": history(1.0)})[0].get_legend() is None
