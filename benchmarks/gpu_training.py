"""Training on a GPU against the CPU, and its recorded steps against steps launched kernel by kernel.

python benchmarks/gpu_training.py
"""

import time

import numpy as np
import torch

import mdaug.training.step
from mdaug.data import load_frames
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions
from mdaug.training.loop import Trainer

FRAMES = load_frames("ethanol")


def make_trainer(device: str, width: int, batch_size: int, dtype: str, n_frames: int) -> Trainer:
    options = TrainOptions(epochs=50, batch_size=batch_size, dtype=dtype)
    network = SchNetOptions(n_atom_basis=width, n_filters=width, prior="none")
    train, validation = FRAMES.select(np.arange(n_frames)), FRAMES.select(np.arange(900, 960))
    return Trainer(train, validation, network, options, torch.device(device))


def compare(dtype: str) -> None:
    """Print by how much weights differ after three epochs from the same start."""
    cpu, gpu = (make_trainer(device, 64, 24, dtype, 200) for device in ("cpu", "cuda"))
    gpu.parameters.assign(cpu.parameters.copy().cuda())
    gpu.ema.copy_(cpu.ema)
    for _ in range(3):
        cpu.train_epoch()
        gpu.train_epoch()
    difference = (cpu.parameters.copy() - gpu.parameters.copy().cpu()).abs().max()
    print(f"{dtype}: weights differ by at most {difference:.2g}")


def time_steps(width: int, batch_size: int, *, recorded: bool) -> None:
    """Print the time of a step, min / median / max over five epochs of 800 frames."""
    mdaug.training.step.PLAIN_RUNS = 3 if recorded else 10**9
    trainer = make_trainer("cuda", width, batch_size, "float32", 800)
    times = []
    for epoch in range(7):
        torch.cuda.synchronize()
        start = time.perf_counter()
        trainer.train_epoch()
        torch.cuda.synchronize()
        if epoch >= 2:
            times.append(1e3 * (time.perf_counter() - start) * batch_size / 800)
    low, middle, high = min(times), float(np.median(times)), max(times)
    how = "recorded" if recorded else "kernel by kernel"
    print(f"{width} features, {batch_size} frames, {how}: {low:.3f} / {middle:.3f} / {high:.3f} ms a step")


if __name__ == "__main__":
    for precision in ("float64", "float32"):
        compare(precision)
    for features in (128, 256):
        for frames in (10, 50):
            for as_graph in (True, False):
                time_steps(features, frames, recorded=as_graph)
