"""Statistics of label errors on numbers worked out by hand."""

import json

import numpy as np
import pytest

from mdaug.analysis.label_errors import LabelCell, LabelErrors, LabelStudy
from mdaug.units import EV_PER_KCAL_MOL


def errors(rule, true, change, force=0.0):
    true = np.array(true, dtype=float) * EV_PER_KCAL_MOL
    change = np.array(change, dtype=float) * EV_PER_KCAL_MOL
    forces = np.zeros((len(true), 2, 3))
    return LabelErrors.between(rule, (true, forces), (change, forces + force * EV_PER_KCAL_MOL))


def test_rms_median_bias_and_signs():
    summary = errors("rule", [1.0, -2.0, 0.01, 4.0], [2.0, 1.0, -0.5, 4.0], force=2.0).to_json()
    off = np.array([1.0, 3.0, -0.51, 0.0])
    assert summary["rms_kcal_mol"] == pytest.approx(np.sqrt(np.mean(off**2)))
    assert summary["median_kcal_mol"] == pytest.approx(0.755)
    assert summary["bias_kcal_mol"] == pytest.approx(off.mean())
    assert summary["sign_errors"] == pytest.approx(1 / 3)  # 0.01 has no sign that matters
    assert summary["force_rms_kcal_mol_A"] == pytest.approx(2.0)


def test_copies_without_reference_are_left_out():
    summary = errors("rule", [1.0, np.nan, 3.0], [1.5, 2.0, 3.5])
    np.testing.assert_allclose(summary.error, 0.5)
    assert len(summary.force_error) == 2


def study(exact=True):
    near = {"a": errors("a", [0.1, 0.2], [0.2, 0.2]), "b": errors("b", [0.1, 0.2], [0.1, 0.4])}
    far = {"a": errors("a", [-20.0, 50.0], [-21.0, 50.0]), "b": errors("b", [-20.0, 50.0], [-20.0, 56.0])}
    cells = [LabelCell("displacement", 0.05, 1, near, 0.0), LabelCell("stretch", None, None, far, 0.0)]
    return LabelStudy("data", "truth", exact, cells)


def test_errors_by_size_gather_all_displacements():
    summary = study().by_size()
    assert [(row["from_kcal_mol"], row["n_frames"]) for row in summary["a"]] == [
        (0.0, 2),
        (10.0, 1),
        (30.0, 1),
    ]
    assert [row["rms_kcal_mol"] for row in summary["b"]] == pytest.approx([np.sqrt(0.02), 0.0, 6.0])


def test_json_holds_every_cell_and_rule():
    content = json.loads(json.dumps(study().to_json(), allow_nan=False))
    assert [cell["kind"] for cell in content["cells"]] == ["displacement", "stretch"]
    assert set(content["cells"][0]["rules"]) == {"a", "b"}
    assert content["cells"][1]["rms_true_kcal_mol"] == pytest.approx(np.sqrt((400 + 2500) / 2))
    assert [cell.name for cell in study().cells] == ["0.05 Å, 1 atom", "bond stretched"]
