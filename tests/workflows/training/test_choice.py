"""Augmented frames are trained on only where their labels are sound and do no harm."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation.generate import Augmentation
from mdaug.frames import join_frames
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.training import choice as training_choice
from mdaug.workflows.training.augmentation_choice import AugmentationChoice, record_choice, recorded_choice
from mdaug.workflows.training.choice import choose_training


@pytest.fixture
def settings(tiny):
    """Recommended labels, and epochs enough for a comparison."""
    return tiny.replace({"augment": {"rule": "force-matched"}, "training": {"epochs": 5000}})


@pytest.fixture
def frames(tiny):
    return tiny.data.load_frames()


def choose(frames, settings, monkeypatch, errors, rule="force-matched"):
    """Choose with probes that have these errors; their arguments are the second value."""
    calls = []

    def probe(frames, n_raw, validation, config, *, epochs, device):
        calls.append((len(frames) > n_raw, epochs))
        return errors[len(calls) - 1]

    monkeypatch.setattr(training_choice, "short_training", probe)
    made = Augmentation(frames, rule, "the field is sound", ())
    return choose_training(made, frames, frames, settings).augmentation, calls


def test_harmful_frames_are_left_out_and_others_used(frames, settings, monkeypatch):
    used, calls = choose(frames, settings, monkeypatch, [1.0, 1.1])
    assert used.used
    assert (used.force_mae_raw_kcal_mol_A, used.force_mae_kcal_mol_A) == (1.0, 1.1)
    assert [not with_augmented for with_augmented, _ in calls] == [True, False]
    harmful, _ = choose(frames, settings, monkeypatch, [1.0, 7.5])
    assert not harmful.used
    assert "7.5 kcal/mol/Å with augmented frames, 1 without" in harmful.reason
    assert harmful.reason.endswith("trained on the raw frames alone")


def test_labels_of_a_fallback_rule_are_not_used(frames, settings, monkeypatch):
    choice, calls = choose(frames, settings, monkeypatch, [], rule="gradient")
    assert not choice.used
    assert calls == []


def test_a_rule_that_the_settings_name_is_used_as_set(frames, settings, monkeypatch):
    named = settings.replace({"augment": {"rule": "gradient"}})
    choice, calls = choose(frames, named, monkeypatch, [], rule="gradient")
    assert choice.used
    assert calls == []


@pytest.mark.parametrize("changes", [{"training": {"epochs": 100}}, {"augment": {"compare": False}}])
def test_short_trainings_compare_nothing(frames, settings, monkeypatch, changes):
    choice, calls = choose(frames, settings.replace(changes), monkeypatch, [])
    assert choice.used
    assert calls == []
    assert "not compared with raw frames" in choice.reason


def test_a_choice_is_recorded_for_a_resumed_run(tmp_path):
    assert recorded_choice(tmp_path) is None
    choice = AugmentationChoice(False, "why", "gradient", 1.0, 2.0, ({"name": "x"},), ("a term left out",))
    record_choice(choice, tmp_path)
    assert recorded_choice(tmp_path) == choice


def test_a_probe_sees_as_many_raw_frames_in_a_step_with_augmented_ones(frames, tiny, monkeypatch):
    seen = []

    def train(frames, validation, model, options, folder, *, device):
        seen.append((len(frames), options.batch_size, model.n_filters))
        raise InterruptedError

    monkeypatch.setattr(training_choice, "train", train)
    augmented = replace(frames, weights=np.full(len(frames), 0.02))
    for all_frames in (frames, join_frames([frames, augmented])):
        with pytest.raises(InterruptedError):
            training_choice.short_training(all_frames, len(frames), frames, tiny, epochs=2, device="cpu")
    assert seen == [(40, 8, 8), (80, 16, 8)]
    assert load_config().augment.compare
