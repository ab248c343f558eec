"""What the demo says follows from what was measured, also when the augmented model fails."""

from types import SimpleNamespace

import pytest

from mdaug.analysis.survival import Life, SurvivalResult
from mdaug.reports.demo_summary import conclusions


def model(n_survived: int, force_mae: float):
    lives = [Life(20.0)] * n_survived + [Life(3.0, "a bond broke")] * (8 - n_survived)
    return SimpleNamespace(
        system=SimpleNamespace(
            test=SimpleNamespace(to_json=lambda: {"force_mae_kcal_mol_A": force_mae}), scan=None
        ),
        dynamics=SimpleNamespace(survival=SurvivalResult(1000.0, 20.0, tuple(lives))),
        has_baseline=False,
    )


@pytest.mark.parametrize(
    ("raw", "augmented", "expected"),
    [
        (1, 8, "keep the molecule whole where the raw frames have no data."),
        (1, 6, "have no data, though not always."),
        (8, 8, "no difference"),
        (0, 0, "neither model is safe"),
        (5, 2, "augmentation did not help"),
    ],
)
def test_the_sentence_on_hot_runs_follows_the_counts(raw, augmented, expected):
    sentence = conclusions([model(raw, 0.4), model(augmented, 0.3)])[1]
    assert f"{raw} of 8 runs of the raw model" in sentence and f"{augmented} of 8" in sentence
    assert expected in sentence


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((0.4, 0.3), "do not show which model"),
        ((0.9, 0.3), "the augmented model"),
        ((0.3, 0.9), "the raw model"),
    ],
)
def test_the_sentence_on_errors_names_the_better_model_only_if_there_is_one(errors, expected):
    assert expected in conclusions([model(8, errors[0]), model(8, errors[1])])[0]


def test_what_was_not_measured_is_not_mentioned():
    one = SimpleNamespace(
        system=SimpleNamespace(test=None, scan=None), dynamics=SimpleNamespace(survival=None)
    )
    assert conclusions([one, one]) == []


def test_a_baseline_is_mentioned():
    raw, augmented = model(1, 0.4), model(8, 0.2)
    augmented.has_baseline = True
    assert any("the baseline and augmented frames keep" in text for text in conclusions([raw, augmented]))
