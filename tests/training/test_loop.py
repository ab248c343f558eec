"""Training learns, resumes bit for bit, and averages as it says."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mdaug.errors import DataError
from mdaug.training import predict, train
from mdaug.training.history import History
from mdaug.training.loop import Trainer, pick_device
from mdaug.units import KCAL_MOL_PER_EV


def parameters(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_it_learns(make_frames, model_options, make_options, tmp_path):
    told = []
    options = make_options(epochs=50, learning_rate=1e-2, ema_decay=0.95)
    result = train(
        make_frames(32), make_frames(8, seed=1), model_options, options, tmp_path, progress=told.append
    )
    first, last = result.history.epochs[0], result.history.epochs[-1]
    assert last.training_loss < 0.02 * first.training_loss
    assert last.validation_force_mae_kcal_mol_A < 0.15 * first.validation_force_mae_kcal_mol_A
    assert [state.epoch for state in told] == list(range(1, 51))
    fresh = make_frames(10, seed=2)
    energies, forces = predict(result.model, fresh)
    assert np.abs(forces - fresh.forces).mean() < 0.15 * np.abs(fresh.forces).mean()
    assert np.corrcoef(energies, fresh.energies)[0, 1] > 0.98


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"dtype": "float32", "loss": "huber", "optimizer": "adamw", "weight_decay": 1e-3},
        {"schedule": "plateau", "plateau_patience": 0, "learning_rate": 0.02, "reference": "element"},
        {"dropout": 0.2, "ema_decay": 0.0, "clip_norm": 0.0, "scale": "eV"},
    ],
    ids=["default", "huber", "plateau", "dropout"],
)
def test_a_killed_training_goes_on_bit_for_bit(
    make_frames, model_options, make_options, tmp_path, monkeypatch, *, changed
):
    changed = dict(changed)
    network = model_options.model_copy(update={"dropout": changed.pop("dropout", 0.0)})
    given = make_frames(20), make_frames(6, seed=1), network, make_options(**changed)
    whole = train(*given, tmp_path / "whole")

    # a clock on which every epoch takes minutes, so that every epoch is saved
    ticks = iter(range(0, 10**9, 100))
    monkeypatch.setattr("mdaug.training.loop.time.perf_counter", lambda: float(next(ticks)))

    def kill(state):
        if state.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*given, tmp_path / "killed", progress=kill)
    torch.manual_seed(99)
    epochs = []
    again = train(*given, tmp_path / "killed", resume=True, progress=lambda s: epochs.append(s.epoch))
    assert epochs == [4, 5, 6]  # the fourth was lost, for it was not saved
    assert_same(parameters(again.model), parameters(whole.model))
    assert again.history == whole.history
    assert again.best_epoch == whole.best_epoch


def test_a_resumed_optimiser_keeps_this_devices_settings(make_frames, model_options, make_options):
    """A checkpoint from a GPU has its learning rate in a tensor, which no step on the CPU would set anew."""
    options = make_options(epochs=2)
    trainer = Trainer(make_frames(8), make_frames(4), model_options, options, torch.device("cpu"))
    state = {
        "model": trainer.model.state_dict(),
        "optimizer": deepcopy(trainer.step.optimizer.state_dict()),
        "ema": trainer.ema,
        "best": trainer.best,
        "schedule": trainer.schedule.state(),
        "history": [],
        "epoch": 1,
        "best_epoch": 1,
        "seconds": 0.0,
        "rng": torch.get_rng_state(),
    }
    state["optimizer"]["param_groups"][0] |= {"lr": torch.tensor(5.0), "capturable": True}
    state["optimizer"]["state"][0]["exp_avg"].fill_(0.25)
    trainer.restore(state)
    (settings,) = trainer.step.optimizer.param_groups
    assert not settings["capturable"] and not isinstance(settings["lr"], torch.Tensor)
    (moments,) = trainer.step.optimizer.state.values()
    assert torch.all(moments["exp_avg"] == 0.25)


def test_the_same_seed_gives_the_same_model_and_another_another(
    make_frames, model_options, make_options, tmp_path
):
    given = make_frames(), make_frames(6, seed=1), model_options
    a, b, c = (
        parameters(train(*given, make_options(epochs=2, seed=seed), tmp_path / str(n)).model)
        for n, seed in enumerate((1, 1, 2))
    )
    assert_same(a, b)
    assert not torch.equal(a["network.readout.weight"], c["network.readout.weight"])


def test_a_finished_training_resumed_is_the_same(make_frames, model_options, make_options, tmp_path):
    given = make_frames(), make_frames(6, seed=1), model_options, make_options()
    first = train(*given, tmp_path)
    second = train(*given, tmp_path, resume=True)
    assert_same(parameters(first.model), parameters(second.model))
    assert History.read(tmp_path / "history.csv").epochs[-1].epoch == 6


def test_resume_refuses_other_options_and_other_frames(make_frames, model_options, make_options, tmp_path):
    validation = make_frames(6, seed=1)
    train(make_frames(), validation, model_options, make_options(epochs=1), tmp_path)
    others = [
        (make_frames(), validation, model_options, make_options(epochs=2)),
        (make_frames(), validation, model_options.model_copy(update={"cutoff": 2.5}), make_options(epochs=1)),
        (
            make_frames(),
            validation,
            model_options.model_copy(update={"atom_types": False}),
            make_options(epochs=1),
        ),
        (make_frames(seed=5), validation, model_options, make_options(epochs=1)),
    ]
    for given in others:
        with pytest.raises(DataError, match="written with other options or frames"):
            train(*given, tmp_path, resume=True)


def make_trainer(make_frames, model_options, options):
    return Trainer(make_frames(), make_frames(6, seed=1), model_options, options, torch.device("cpu"))


def test_averages_by_hand(make_frames, model_options, make_options):
    """averaged ← decay·averaged + (1 − decay)·weights, the decay growing as (1 + step)/(10 + step)."""
    trainer = make_trainer(make_frames, model_options, make_options(ema_decay=0.15))
    expected = trainer.parameters.copy()
    for step, decay in enumerate((0.1, 0.15, 0.15)):  # 1/10, then 2/11 and 3/12 are above the limit
        trainer.step(torch.arange(8), step, 1e-3)
        expected = decay * expected + (1 - decay) * trainer.parameters.copy()
        torch.testing.assert_close(trainer.ema, expected, rtol=0, atol=1e-14)


def _square(errors, _delta):
    return errors**2


def _huber(errors, delta):
    return torch.where(errors.abs() < delta, errors**2 / (2 * delta), errors.abs() - delta / 2)


@pytest.mark.parametrize(("loss", "penalty"), [("mse", _square), ("huber", _huber)])
def test_the_loss_by_hand(make_frames, model_options, make_options, loss, penalty):
    options = make_options(energy_weight=0.2, force_weight=3.0, loss=loss, huber_delta=0.3)
    trainer = make_trainer(make_frames, model_options, options)
    batch = trainer.train_set.batch(torch.tensor([3, 1]))
    energies, forces = trainer.model(batch.graph)
    of_energies, of_forces = penalty(energies - batch.energies, 0.3), penalty(forces - batch.forces, 0.3)
    expected = 0.2 * of_energies.mean() + 3 * of_forces.mean()
    torch.testing.assert_close(trainer.step.loss(batch, 2), expected)


def test_frames_count_by_their_weights(make_frames, model_options, make_options):
    """A frame of weight w adds w times what it adds with weight 1."""
    frames = replace(make_frames(), weights=np.linspace(0.1, 2.0, len(make_frames())))
    trainer = Trainer(frames, make_frames(6, seed=1), model_options, make_options(), torch.device("cpu"))
    unweighted = make_trainer(make_frames, model_options, make_options())
    both = trainer.step.loss(trainer.train_set.batch(torch.tensor([5, 2])), 2)
    five, two = (unweighted.step.loss(unweighted.train_set.batch(torch.tensor([n])), 1) for n in (5, 2))
    torch.testing.assert_close(both, (frames.weights[5] * five + frames.weights[2] * two) / 2)


def test_clipping_shortens_long_gradients(make_frames, model_options, make_options):
    lengths = []
    for clip_norm in (0.0, 1e-3):
        trainer = make_trainer(make_frames, model_options, make_options(clip_norm=clip_norm))
        trainer.step(torch.arange(8), 0, 1e-3)
        lengths.append(float(trainer.parameters.values.grad.norm()))
    assert lengths[0] > 1e-2
    assert lengths[1] == pytest.approx(1e-3, rel=1e-6)


def test_the_best_weights_are_kept(make_frames, model_options, make_options, tmp_path):
    """A learning rate that ruins the model late leaves the early best in place."""
    options = make_options(epochs=10, schedule="constant", learning_rate=0.1, ema_decay=0.0)
    result = train(make_frames(), make_frames(6, seed=1), model_options, options, tmp_path)
    scale = float(result.model.energy_scale) * KCAL_MOL_PER_EV
    scores = [
        (0.1 * epoch.validation_energy_mae_kcal_mol + epoch.validation_force_mae_kcal_mol_A) / scale
        for epoch in result.history.epochs
    ]
    assert result.best_epoch == 1 + int(np.argmin(scores)) < 10
    trainer = make_trainer(make_frames, model_options, options)
    trainer.parameters.assign(
        torch.cat([p.detach().flatten() for p in result.model.parameters() if p.requires_grad])
    )
    trainer.ema.copy_(trainer.parameters.copy())
    found = trainer.validate()
    assert 0.1 * found.energy_mae + found.force_mae == pytest.approx(min(scores), rel=1e-9)


def test_early_stopping(make_frames, model_options, make_options, tmp_path, monkeypatch):
    monkeypatch.setattr("mdaug.training.schedule.Schedule.epoch_done", _never_better)
    options = make_options(epochs=50, early_stopping=3)
    result = train(make_frames(), make_frames(6, seed=1), model_options, options, tmp_path)
    assert len(result.history.epochs) == 3


def _never_better(schedule, error):
    schedule.epochs_since_best += 1
    return False


def test_a_training_that_diverges_says_so_and_saves_nothing_of_it(
    make_frames, model_options, make_options, tmp_path
):
    options = make_options(epochs=5, learning_rate=1e30, clip_norm=0.0, dtype="float32")
    with pytest.raises(DataError, match=r"diverged in epoch 1.*lower learning rate \(now 1e\+30\)"):
        train(make_frames(8), make_frames(4, seed=1), model_options, options, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_no_frames_are_refused(make_frames, model_options, make_options, tmp_path):
    some, none = make_frames(), make_frames(0)
    for given, what in (((none, some), "training"), ((some, none), "validation")):
        with pytest.raises(DataError, match=f"no {what} frames in toy water"):
            train(*given, model_options, make_options(), tmp_path)


def test_device():
    assert pick_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert pick_device("auto").type == "cpu"
        with pytest.raises(DataError, match="torch sees no CUDA device"):
            pick_device("cuda")
