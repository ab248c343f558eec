"""What a training on many systems says at its end: of all together, and of the worst."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mdaug.analysis.accuracy import AccuracyResult, joined_accuracy
from mdaug.verdicts import Verdict
from mdaug.workflows.settings.delta_options import DeltaSettings
from mdaug.workflows.training.delta_choice import numbers_wanted
from mdaug.workflows.training.outcome import _alike_together, scanned_systems


def errors(numbers, n_frames, error_eV_A, seed=0):
    """Return the errors of random energies and forces."""
    rng = np.random.default_rng(seed)
    energies, forces = rng.normal(-100.0 * sum(numbers), 1.0, n_frames), rng.normal(size=(n_frames, 3, 3))
    return AccuracyResult(
        np.array(numbers), energies, energies + error_eV_A, forces, forces + error_eV_A, None, None
    )


def test_errors_of_all_systems_together():
    """Energies count by frame, forces by component, whatever the zero of energy of a system is."""
    together = joined_accuracy([errors([8, 1, 1], 4, 0.1), errors([16, 1, 1], 2, -0.4, seed=1)])
    found = together.to_json()
    in_eV = {key: found[key] / 23.060548 for key in ("energy_mae_kcal_mol", "force_mae_kcal_mol_A")}
    assert found["n_frames"] == 6
    assert in_eV == pytest.approx({"energy_mae_kcal_mol": 0.2, "force_mae_kcal_mol_A": 0.2}, rel=1e-5)
    of_elements = {k: v / 23.060548 for k, v in found["force_mae_by_element_kcal_mol_A"].items()}
    assert of_elements == pytest.approx({"H": 0.2, "O": 0.1, "S": 0.4}, rel=1e-5)
    assert np.ptp(together.energies_eV) < 10.0


def test_bonds_of_the_worst_systems_are_scanned(monkeypatch):
    monkeypatch.setattr("mdaug.workflows.training.outcome.MANY_SYSTEMS", 2)
    tests = [errors([8, 1, 1], 1, e) for e in (0.1, 0.4)] + [None, errors([8, 1, 1], 1, 0.2)]
    assert scanned_systems(tests) == {1, 3}
    assert scanned_systems(tests[:2]) == {0, 1}


def test_verdicts_of_one_outcome_are_one():
    bad = Verdict("shape of the scan", "error", 2, 0, "A minimum.")
    good = Verdict("shape of the scan", "ok", 0, 0, "None.")
    found = _alike_together([("a", bad), ("b", good), ("c", replace(bad, text="Another minimum."))])
    assert [verdict.name for verdict in found] == ["shape of the scan, 2 systems", "shape of the scan, b"]
    assert found[0].text == "A minimum. (That is a; the same holds for c.)"


def test_frames_by_delta_learning_have_a_common_limit():
    """Ten systems have as many as each alone; of hundreds each has its share."""
    systems = [SimpleNamespace(train=range(n)) for n in [5000] * 10]
    assert numbers_wanted(systems, DeltaSettings()) == [4000] * 10
    systems = [SimpleNamespace(train=range(n)) for n in [10] * 300 + [500] * 50]
    assert numbers_wanted(systems, DeltaSettings()) == [100] * 300 + [200] * 50
    assert numbers_wanted(systems[:2], DeltaSettings(n_frames=7)) == [7, 7]
