"""What each process of test_parallel.py runs under torchrun: train, leave weights and history."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from mdaug.frames import FrameSet
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions, join_group, train


def read(path: Path) -> FrameSet:
    with np.load(path) as data:
        return FrameSet(np.array([8, 1, 1]), data["positions"], data["e"], data["f"])


torch.set_num_threads(1)
folder = Path(sys.argv[1])
options = json.loads((folder / "options.json").read_text())
group = join_group()
result = train(
    read(folder / "train.npz"),
    read(folder / "validation.npz"),
    SchNetOptions(**options["model"]),
    TrainOptions(**options["training"]),
    folder / "together",
    group=group,
)
weights = {name: value.detach() for name, value in result.model.named_parameters()}
torch.save({"weights": weights, "history": result.history.rows()}, folder / f"rank{group.rank}.pt")
