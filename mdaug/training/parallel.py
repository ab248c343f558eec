"""Data-parallel training: the processes that `torchrun` starts for one training."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=24)
"""How long the other processes wait for rank zero, which alone makes the frames of Δ-learning and compares
short trainings. (The default of PyTorch, 10 or 30 minutes, is too short for large molecules.)"""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model together; by default one.

    Every process holds all frames and the same weights. It takes its shard of each batch, and the gradients
    are summed over the processes, so that the weights are those of one process with the whole batch, up to
    rounding (and to dropout, whose masks each process draws for its own frames).
    """

    rank: int = 0
    size: int = 1

    @property
    def is_rank_zero(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def shard(self, index: Tensor) -> Tensor:
        """Return the frames of a batch that this process evaluates (may be none).

        Parameters
        ----------
        index
            Shape (n,), indices of the frames of the batch.
        """
        return index if self.size == 1 else index[self.rank :: self.size].contiguous()

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place, and return it.

        Parameters
        ----------
        tensor
            Tensor with the same shape in all processes.
        """
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def broadcast(self, text: str) -> str:
        """Return the text of rank zero in all processes.

        Parameters
        ----------
        text
            The text; only that of rank zero is used.
        """
        if self.size == 1:
            return text
        objects = [text]
        dist.broadcast_object_list(objects, src=0)
        return objects[0]


def join_group() -> ProcessGroup:
    """Join the processes that `torchrun` started; without `torchrun`, return a group of one.

    On machines with GPUs process n of a machine uses GPU n (NCCL), otherwise the CPU (Gloo).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ProcessGroup()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        backend = "cuda:nccl,cpu:gloo" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    return ProcessGroup(dist.get_rank(), dist.get_world_size())
