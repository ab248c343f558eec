"""One step of the optimiser: loss, gradient, its sum over processes, new weights, averaged weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from mdaug.models import SchNet
from mdaug.native import load_kernels
from mdaug.training.flat_parameters import FlatParameters
from mdaug.training.options import TrainOptions
from mdaug.training.parallel import ProcessGroup
from mdaug.training.tensors import Batch, FrameTensors

PLAIN_RUNS = 3  # of a function before it is recorded: libraries choose their kernels in the first ones


class Step:
    """Steps on batches of `frames`, and what they change: `parameters`, `optimizer`, `averaged`.

    A step for a small molecule is hundreds of kernels of a few microseconds each. On a GPU they are
    therefore recorded once for each size of batch, as CUDA graphs, and replayed.
    """

    def __init__(
        self, model: SchNet, frames: FrameTensors, options: TrainOptions, group: ProcessGroup
    ) -> None:
        self.model, self.frames, self.options, self.group = model, frames, options, group
        self.parameters = FlatParameters(model)
        self.ema = self.parameters.copy()
        device = self.ema.device
        self.stream = torch.cuda.Stream() if device.type == "cuda" else None
        self.optimizer = make_optimizer(self.parameters.values, options, device)
        self._share_of_new = torch.zeros((), device=device, dtype=self.ema.dtype)
        self._gradients: dict[tuple[int, int], tuple[Tensor, Recorded]] = {}
        self._update = Recorded(self._move, self.stream)

    def __call__(self, index: Tensor, step: int, learning_rate: float) -> Tensor:
        """Step number `step` on the frames `index`; returns this process's part of the loss."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        # the average starts short and grows to its full length, so that early weights are forgotten
        decay = min(self.options.ema_decay, (1 + step) / (10 + step)) if self.options.ema_decay else 0.0
        self._share_of_new.fill_(1.0 - decay)
        loss = self._gradient(self.group.shard(index), len(index))
        self.group.all_reduce(self.parameters.gradient)
        self._update()
        return loss

    def loss(self, batch: Batch, n_frames: int) -> Tensor:
        """Weighted loss of frames of a batch of `n_frames`, in squared units of the energy scale."""
        energy_weight = self.options.energy_weight / n_frames
        force_weight = self.options.force_weight / (n_frames * 3 * self.frames.n_atoms)
        graph = batch.graph
        if self.options.loss == "mse" and graph.d_ij.device.type == "cpu" and load_kernels():
            pairs = graph.idx_i, graph.idx_j, graph.unit_ij
            targets = batch.energies, batch.forces, batch.weights
            found = self.model.atoms_and_pairs(graph)
            return torch.ops.mdaug.frame_loss(
                *found, *pairs, graph.system, *targets, energy_weight, force_weight
            )
        energies, forces = self.model(graph)
        of_atoms = batch.weights.index_select(0, graph.system).unsqueeze(-1)
        energy_loss = (batch.weights * self._penalty(energies - batch.energies)).sum()
        force_loss = (of_atoms * self._penalty(forces - batch.forces)).sum()
        return energy_weight * energy_loss + force_weight * force_loss

    def _gradient(self, index: Tensor, n_frames: int) -> Tensor:
        if len(index) == 0:  # more processes than frames in the batch
            self.parameters.zero_grad()
            return torch.zeros((), device=index.device)
        if self.stream is None or not self.frames.fixed_size:
            return self._backward(index, n_frames)
        key = len(index), n_frames
        if key not in self._gradients:
            held = index.clone()
            self._gradients[key] = held, Recorded(lambda: self._backward(held, n_frames), self.stream)
        held, recorded = self._gradients[key]
        held.copy_(index)
        return recorded()

    def _backward(self, index: Tensor, n_frames: int) -> Tensor:
        self.parameters.zero_grad()
        loss = self.loss(self.frames.batch(index), n_frames)
        loss.backward()
        return loss.detach()

    def _move(self) -> Tensor:
        weights, new = self.parameters.values, self._share_of_new
        if weights.device.type == "cpu" and load_kernels():
            self._move_in_one_pass(float(new))
            return self.ema
        if self.options.clip_norm > 0:
            self.parameters.clip_grad_norm(self.options.clip_norm)
        self.optimizer.step()
        return self.ema.lerp_(weights.detach(), new)

    def _move_in_one_pass(self, share_of_new: float) -> None:
        """What `_move` does, on the state that torch's Adam keeps."""
        weights, state = self.parameters.values, self.optimizer.state[self.parameters.values]
        (group,) = self.optimizer.param_groups
        state["step"] += 1
        torch.ops.mdaug.adam_step(
            weights.detach(),
            self.parameters.gradient,
            state["exp_avg"],
            state["exp_avg_sq"],
            self.ema,
            self.options.clip_norm,
            group["lr"],
            group["weight_decay"],
            *group["betas"],
            group["eps"],
            int(state["step"]),
            share_of_new,
        )

    def _penalty(self, error: Tensor) -> Tensor:
        if self.options.loss == "mse":
            return error.square()
        zero, delta = torch.zeros_like(error), self.options.huber_delta
        return torch.nn.functional.huber_loss(error, zero, delta=delta, reduction="none") / delta


class Recorded:
    """A function of tensors that stay in place: on a GPU recorded after some plain runs, then replayed."""

    def __init__(self, function: Callable[[], Tensor], stream: "torch.cuda.Stream | None") -> None:
        self.function, self.stream = function, stream
        self.runs = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor | None = None

    def __call__(self) -> Tensor:
        if self.stream is None:
            return self.function()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self._run(self.stream)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def _run(self, stream: "torch.cuda.Stream") -> Tensor:
        if self.runs < PLAIN_RUNS:
            self.runs += 1
            return self.function()
        if self.graph is None or self.result is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=stream):
                self.result = self.function()
        self.graph.replay()
        return self.result


def make_optimizer(
    values: torch.nn.Parameter, options: TrainOptions, device: torch.device
) -> torch.optim.Optimizer:
    """Adam or AdamW; on a GPU with a learning rate that a recorded step reads anew each time."""
    on_gpu = device.type == "cuda"
    rate = torch.tensor(options.learning_rate, device=device) if on_gpu else options.learning_rate
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    decay = 0.0 if options.optimizer == "adam" else options.weight_decay
    optimizer = kind([values], lr=rate, weight_decay=decay, fused=True, capturable=on_gpu)
    step = torch.zeros((), device=device)
    moments = {name: torch.zeros_like(values.detach()) for name in ("exp_avg", "exp_avg_sq")}
    optimizer.state[values] = {"step": step, **moments}
    return optimizer
