"""Several processes train the same model as one with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mdaug.training import ProcessGroup, train
from mdaug.training.parallel import join_group

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("train_in_a_group.py")


def test_three_processes_train_as_one(make_frames, model_options, make_options, tmp_path):
    """Batches of 4 in shares of 2, 1 and 1; the last one of an epoch, a single frame, of 1, 0 and 0."""
    frames, validation = make_frames(21), make_frames(7, seed=1)
    options = make_options(epochs=3, batch_size=4, loss="huber")
    alone = train(frames, validation, model_options, options, tmp_path / "alone")
    for name, given in (("train", frames), ("validation", validation)):
        np.savez(tmp_path / f"{name}.npz", positions=given.positions, e=given.energies, f=given.forces)
    (tmp_path / "options.json").write_text(
        json.dumps({"model": model_options.model_dump(), "training": options.model_dump()})
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*launcher, str(WORKER), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(3)]
    for result in results:
        for name, value in alone.model.named_parameters():
            torch.testing.assert_close(result["weights"][name], value.detach(), rtol=0, atol=1e-12)
    theirs, ours = results[0]["history"], alone.history.rows()
    np.testing.assert_allclose(theirs, ours, rtol=1e-9)
    assert sorted(path.name for path in (tmp_path / "together").iterdir()) == ["checkpoint.pt", "history.csv"]


def test_shares_of_a_batch():
    index = torch.arange(10, 17)
    shares = [ProcessGroup(rank, 3).shard(index).tolist() for rank in range(3)]
    assert shares == [[10, 13, 16], [11, 14], [12, 15]]
    assert ProcessGroup().shard(index) is index


def test_alone_without_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = join_group()
    assert group == ProcessGroup() and group.is_rank_zero and group.broadcast("here") == "here"


@pytest.mark.parametrize("size", [1, 2])
def test_only_the_first_writes(make_frames, model_options, make_options, tmp_path, monkeypatch, *, size):
    monkeypatch.setattr("mdaug.training.parallel.dist.all_reduce", lambda tensor: None)
    group = ProcessGroup(rank=size - 1, size=size)
    train(
        make_frames(8), make_frames(4, seed=1), model_options, make_options(epochs=1), tmp_path, group=group
    )
    assert (tmp_path / "checkpoint.pt").exists() == (size == 1)
