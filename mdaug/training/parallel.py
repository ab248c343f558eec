"""Data-parallel training: the processes of one training, as `torchrun` starts them."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model together; alone by default.

    Every process holds all frames and the same weights. Of each batch it takes its share, and the gradients
    are added up, so that the weights are those of one process with the whole batch, up to rounding (and to
    dropout, whose masks are drawn by each process for its own frames).
    """

    rank: int = 0
    size: int = 1

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process is the one that writes files and talks to the user."""
        return self.rank == 0

    def shard(self, index: Tensor) -> Tensor:
        """The frames of this process among those of a batch (may be none)."""
        return index if self.size == 1 else index[self.rank :: self.size].contiguous()

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def broadcast(self, text: str) -> str:
        """What the first process says, heard by all."""
        if self.size == 1:
            return text
        said = [text]
        dist.broadcast_object_list(said, src=0)
        return said[0]


def join_group() -> ProcessGroup:
    """Join the processes that `torchrun` has started, if it has started any.

    On machines with GPUs process n of a machine takes GPU n (NCCL), else the CPU serves (Gloo).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ProcessGroup()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        dist.init_process_group("cuda:nccl,cpu:gloo" if torch.cuda.is_available() else "gloo")
    return ProcessGroup(dist.get_rank(), dist.get_world_size())
