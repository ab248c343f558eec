"""CPU time of a training step with its loss and its update as C++ operations, and as torch's own, in turn.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py

Epochs on 300 ethanols with either kind of step, 7 turns after a first epoch; prints milliseconds a step.
"""

import statistics
import time

import torch

import mdaug.training.step
from mdaug.data import load_frames
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions
from mdaug.training.loop import Trainer

N_FRAMES, TURNS = 300, 7
CASES = ((128, 3, 10), (128, 3, 20), (128, 3, 50), (256, 4, 50))


def main() -> None:
    """Print a row for each network and batch."""
    torch.set_num_threads(1)
    frames = load_frames("ethanol").select(slice(0, N_FRAMES))
    for width, interactions, batch in CASES:
        sizes = SchNetOptions(n_atom_basis=width, n_filters=width, n_interactions=interactions, prior="none")
        options = TrainOptions(batch_size=batch)
        trainer = Trainer(frames, frames.select(slice(0, 2)), sizes, options, torch.device("cpu"))
        trainer.train_epoch()
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(TURNS):
            for fused, durations_ms in times.items():
                mdaug.training.step.load_kernels = lambda fused=fused: fused
                began = time.process_time()
                trainer.train_epoch()
                durations_ms.append((time.process_time() - began) * 1e3 / -(-N_FRAMES // batch))
        before, now = (f"{min(t):.2f} / {statistics.median(t):.2f} / {max(t):.2f}" for t in times.values())
        print(f"{width} x {interactions}, batch {batch}: before {before}, now {now} ms", flush=True)


if __name__ == "__main__":
    main()
