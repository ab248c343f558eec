"""Learning rates by hand."""

import math

import pytest

from mdaug.training.schedule import Schedule


def make(make_options, steps_per_epoch=10, **changed):
    return Schedule(make_options(**({"epochs": 5, "learning_rate": 0.1} | changed)), steps_per_epoch)


def test_warm_up_rises_in_a_line(make_options):
    schedule = make(make_options, warmup_epochs=1.0, schedule="constant")
    rates = [schedule.learning_rate(step) for step in range(12)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) / 11 for step in range(10)])
    assert rates[10:] == [0.1, 0.1]


def test_cosine_falls_to_zero(make_options):
    schedule = make(make_options, warmup_epochs=0.0, schedule="cosine")
    assert schedule.learning_rate(0) == pytest.approx(0.1)
    assert schedule.learning_rate(25) == pytest.approx(0.05)
    assert schedule.learning_rate(10) == pytest.approx(0.05 * (1 + math.cos(math.pi / 5)))
    assert 0 < schedule.learning_rate(49) < 2e-4
    assert schedule.learning_rate(50) == pytest.approx(0, abs=1e-17)
    warm = make(make_options, warmup_epochs=1.0, schedule="cosine")
    assert warm.learning_rate(30) == pytest.approx(0.05)


def test_a_warm_up_longer_than_the_training_takes_half_of_it(make_options):
    schedule = make(make_options, warmup_epochs=100.0, schedule="cosine")
    rates = [schedule.learning_rate(step) for step in range(50)]
    assert max(range(50), key=rates.__getitem__) == 25


def test_plateaus_halve(make_options):
    schedule = make(
        make_options, warmup_epochs=0.0, schedule="plateau", plateau_patience=1, plateau_factor=0.5
    )
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.91, 0.92, 0.93, 0.8):
        schedule.epoch_done(loss)
        rates.append(schedule.learning_rate(40))
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025])


def test_best_and_early_stopping(make_options):
    schedule = make(make_options, early_stopping=2)
    assert [schedule.epoch_done(loss) for loss in (1.0, 0.5, 0.5)] == [True, True, False]
    assert not schedule.stop
    schedule.epoch_done(0.6)
    assert schedule.stop
    patient = make(make_options, early_stopping=0)
    for _ in range(100):
        patient.epoch_done(1.0)
    assert not patient.stop


def test_state_goes_and_comes_back(make_options):
    schedule = make(make_options, schedule="plateau", plateau_patience=0)
    for loss in (1.0, 2.0, 2.0):
        schedule.epoch_done(loss)
    copy = make(make_options, schedule="plateau", plateau_patience=0)
    copy.restore(schedule.state())
    assert copy == schedule and copy.factor == 0.25
