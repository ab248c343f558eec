"""The loss of a batch in one C++ operation against the same in plain torch: value and gradient."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mdaug.native import load_kernels
from mdaug.training.loop import Trainer


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("n_vectors", [0, 6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_is_the_same_with_and_without_kernels(  # noqa: PLR0917
    make_frames, model_options, make_options, monkeypatch, dtype, n_vectors, loss
):
    """Weighted frames of which one has pairs beyond the cutoff, and a share of a larger batch."""
    assert load_kernels()
    frames = make_frames(8)
    frames.positions[2] *= 2.0
    frames = replace(frames, weights=np.linspace(0.1, 2.0, 8))
    options = make_options(energy_weight=0.3, force_weight=2.0, loss=loss, huber_delta=0.5, dtype=dtype)
    sizes = model_options.model_copy(update={"n_vectors": n_vectors})
    trainer = Trainer(frames, make_frames(6, seed=1), sizes, options, torch.device("cpu"))
    batch = trainer.train_set.batch(torch.tensor([5, 2, 7]))
    assert len(batch.graph.idx_i) < 9
    found = []
    for with_kernels in (True, False):
        monkeypatch.setattr("mdaug.training.step.load_kernels", lambda on=with_kernels: on)
        trainer.parameters.zero_grad()
        value = trainer.step.loss(batch, 4)
        value.backward()
        assert ("FrameLoss" in value.grad_fn.name()) == with_kernels
        found.append((value.detach(), trainer.parameters.gradient.clone()))
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(*found, **tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"clip_norm": 1e-2},
        {"clip_norm": 0.0, "ema_decay": 0.0},
        {"optimizer": "adamw", "weight_decay": 0.1},
    ],
    ids=["default", "clipped", "never clipped", "adamw"],
)
def test_weights_move_the_same_with_and_without_kernels(
    make_frames, model_options, make_options, monkeypatch, *, dtype, changed
):
    """Weights, averages, gradient and torch's own state after steps of either kind."""
    assert load_kernels()
    ends = []
    for with_kernels in (True, False):
        monkeypatch.setattr("mdaug.training.step.load_kernels", lambda on=with_kernels: on)
        options = make_options(dtype=dtype, **changed)
        trainer = Trainer(make_frames(), make_frames(6, seed=1), model_options, options, torch.device("cpu"))
        start = trainer.parameters.copy()
        for step in range(4):
            trainer.step(torch.arange(8 * (step % 3), 8 * (step % 3) + 8), step, 1e-3 * (1 + step))
        values = trainer.parameters.values
        state = trainer.step.optimizer.state[values]
        assert float(state["step"]) == 4
        moved = values.detach() - start, trainer.ema - start, trainer.parameters.gradient
        ends.append([*moved, state["exp_avg"], state["exp_avg_sq"]])
    for ours, torchs in zip(*ends, strict=True):
        largest = torchs.abs().max()
        assert largest > 0
        tolerance = 1e-9 if dtype == "float64" else 1e-3
        torch.testing.assert_close(ours / largest, torchs / largest, rtol=0, atol=tolerance)
