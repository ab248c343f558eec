"""One optimization step: loss, gradient, sum over processes, new weights, their moving average (EMA)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mdaug.models import SchNet
from mdaug.native import load_kernels
from mdaug.training.options import TrainOptions
from mdaug.training.parallel import ProcessGroup
from mdaug.training.systems import SetTensors
from mdaug.training.tensors import Batch

PLAIN_RUNS = 3
"""Plain runs before the recording, in which libraries choose their kernels."""


class FlatParameters:
    """The trainable parameters of a model as views into one tensor.

    Optimizer, clipping and averaging are then one operation each.

    Parameters
    ----------
    model
        The model; its parameters are moved into the tensor.

    Attributes
    ----------
    values
        Shape (n_parameters,), a leaf whose ``grad`` collects the gradients of backward passes.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.values = nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
        self.values.grad = torch.zeros_like(self.values)
        offset = 0
        for p in parameters:
            end = offset + p.numel()
            p.data = self.values.data[offset:end].view_as(p)
            p.grad = self.values.grad[offset:end].view_as(p)
            offset = end

    @property
    def gradient(self) -> Tensor:
        """The collected gradient, (n_parameters,)."""
        assert self.values.grad is not None
        return self.values.grad

    def zero_grad(self) -> None:
        """Set the gradient to zero, in place (the parameters' own gradients are views)."""
        self.gradient.zero_()

    def clip_grad_norm(self, max_norm: float) -> None:
        """Scale the gradient down to a norm if it is longer.

        Parameters
        ----------
        max_norm
            The norm.
        """
        self.gradient.mul_((max_norm / (self.gradient.norm() + 1e-12)).clamp(max=1.0))

    def copy(self) -> Tensor:
        """Return a copy of the present values."""
        return self.values.detach().clone()

    def assign(self, values: Tensor) -> None:
        """Set all parameters.

        Parameters
        ----------
        values
            Shape (n_parameters,).
        """
        self.values.data.copy_(values)

    @contextmanager
    def replaced_by(self, values: Tensor) -> Iterator[None]:
        """Use other values within a ``with`` block.

        Parameters
        ----------
        values
            Shape (n_parameters,).
        """
        present = self.copy()
        self.assign(values)
        try:
            yield
        finally:
            self.assign(present)


class Step:
    """Optimization steps on batches of frames, with the state that they change.

    A step for a small molecule is hundreds of kernels of a few microseconds each. On a GPU they are therefore
    recorded once for each size of batch, as CUDA graphs, and replayed.

    Parameters
    ----------
    model
        The model that is trained.
    frames
        Training frames.
    options
        Options of the training.
    group
        Processes that train the model together.

    Attributes
    ----------
    parameters
        Weights of the model.
    ema
        Their exponential moving average, (n_parameters,).
    optimizer
        Adam or AdamW.
    """

    def __init__(self, model: SchNet, frames: SetTensors, options: TrainOptions, group: ProcessGroup) -> None:
        self.model, self.frames, self.options, self.group = model, frames, options, group
        self.parameters = FlatParameters(model)
        self.ema = self.parameters.copy()
        device = self.ema.device
        self.stream = torch.cuda.Stream() if device.type == "cuda" else None
        self.optimizer = make_optimizer(self.parameters.values, options, device)
        self._one_minus_decay = torch.zeros((), device=device, dtype=self.ema.dtype)
        self._gradients: dict[tuple[int, int], tuple[Tensor, Recorded]] = {}
        self._update = Recorded(self._update_weights, self.stream)

    def __call__(self, index: Tensor, step: int, learning_rate: float) -> Tensor:
        """Do one step, and return this process's part of the loss.

        Parameters
        ----------
        index
            Shape (n,), the frames of the batch.
        step
            Index of the step in the whole training.
        learning_rate
            Learning rate of the step.
        """
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        # the decay grows with the steps, so that the first weights soon leave the average
        decay = min(self.options.ema_decay, (1 + step) / (10 + step)) if self.options.ema_decay else 0.0
        self._one_minus_decay.fill_(1.0 - decay)
        loss = self._gradient(self.group.shard(index), len(index))
        self.group.all_reduce(self.parameters.gradient)
        self._update()
        return loss

    def loss(self, batch: Batch, n_frames: int) -> Tensor:
        """Return the weighted loss, in squared units of the network.

        Parameters
        ----------
        batch
            The frames of this process.
        n_frames
            Frames of the batch in all processes.
        """
        energy_weight = self.options.energy_weight / n_frames
        force_weight = self.options.force_weight / (n_frames * 3 * self.frames.n_atoms)
        graph = batch.graph
        with_strain = batch.strain is not None and self.options.stress_weight > 0
        if not with_strain and graph.d_ij.device.type == "cpu" and load_kernels():
            pairs = graph.idx_i, graph.idx_j, graph.unit_ij
            targets = batch.energies, batch.forces, batch.weights
            gradients = self.model.atoms_and_pairs(graph)
            delta = self.options.huber_delta if self.options.loss == "huber" else None
            return torch.ops.mdaug.frame_loss(
                *gradients, *pairs, graph.system, *targets, energy_weight, force_weight, delta
            )
        energies, forces, strain = self.model.with_strain(graph, strain=with_strain)
        of_atoms = batch.weights.index_select(0, graph.system).unsqueeze(-1)
        energy_loss = (batch.weights * self._penalty(energies - batch.energies)).sum()
        force_loss = (of_atoms * self._penalty(forces - batch.forces)).sum()
        loss = energy_weight * energy_loss + force_weight * force_loss
        if strain is None or batch.strain is None:
            return loss
        stress_weight = self.options.stress_weight / (n_frames * 9)
        of_frames = self._penalty(strain - batch.strain.derivatives).sum((1, 2))
        return loss + stress_weight * (batch.weights * batch.strain.known * of_frames).sum()

    def _gradient(self, index: Tensor, n_frames: int) -> Tensor:
        if len(index) == 0:  # more processes than frames in the batch
            self.parameters.zero_grad()
            return torch.zeros((), device=index.device)
        if self.stream is None or not self.frames.fixed_size:
            return self._backward(index, n_frames)
        key = len(index), n_frames
        if key not in self._gradients:
            static_index = index.clone()
            recorded = Recorded(lambda: self._backward(static_index, n_frames), self.stream)
            self._gradients[key] = static_index, recorded
        static_index, recorded = self._gradients[key]
        static_index.copy_(index)
        return recorded()

    def _backward(self, index: Tensor, n_frames: int) -> Tensor:
        self.parameters.zero_grad()
        loss = self.loss(self.frames.batch(index), n_frames)
        loss.backward()
        return loss.detach()

    def _update_weights(self) -> Tensor:
        weights, one_minus_decay = self.parameters.values, self._one_minus_decay
        if weights.device.type == "cpu" and load_kernels():
            self._update_in_one_pass(float(one_minus_decay))
            return self.ema
        if self.options.clip_norm > 0:
            self.parameters.clip_grad_norm(self.options.clip_norm)
        self.optimizer.step()
        return self.ema.lerp_(weights.detach(), one_minus_decay)

    def _update_in_one_pass(self, one_minus_decay: float) -> None:
        """Like `_update_weights`, but in one C++ kernel on the state of torch's Adam."""
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
            one_minus_decay,
        )

    def _penalty(self, error: Tensor) -> Tensor:
        if self.options.loss == "mse":
            return error.square()
        zero, delta = torch.zeros_like(error), self.options.huber_delta
        return torch.nn.functional.huber_loss(error, zero, delta=delta, reduction="none") / delta


class Recorded:
    """A function of tensors at fixed addresses; on a GPU it is recorded after some plain runs, then replayed.

    Parameters
    ----------
    function
        Returns a tensor.
    stream
        CUDA stream of the recording; None on the CPU, where the function is called each time.
    """

    def __init__(self, function: Callable[[], Tensor], stream: "torch.cuda.Stream | None") -> None:
        self.function, self.stream = function, stream
        self.runs = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor | None = None

    def __call__(self) -> Tensor:
        """Call the function, or replay its recording."""
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
    """Return Adam or AdamW; on a GPU with a learning rate that a recorded step reads each time.

    Parameters
    ----------
    values
        All weights, (n_parameters,).
    options
        Options of the training.
    device
        Device of the weights.
    """
    on_gpu = device.type == "cuda"
    rate = torch.tensor(options.rate, device=device) if on_gpu else options.rate
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    decay = 0.0 if options.optimizer == "adam" else options.weight_decay
    optimizer = kind([values], lr=rate, weight_decay=decay, fused=True, capturable=on_gpu)
    step = torch.zeros((), device=device)
    moments = {name: torch.zeros_like(values.detach()) for name in ("exp_avg", "exp_avg_sq")}
    optimizer.state[values] = {"step": step, **moments}
    return optimizer
