"""The cases of SchNetPack, which has a SchNet of the same sizes and a training of its own."""

from pathlib import Path

from mdaug.bench.baseline_process import BaselineProcess
from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, Run, Span
from mdaug.frames import FrameSet

WORKER = "schnetpack_worker.py"


class SchNetPack(BaselineProcess):
    """A worker process with a SchNet of the same sizes.

    Parameters
    ----------
    python
        Python of an environment with SchNetPack; None for that of mdaug.
    model
        Sizes of the network, and the molecule.
    frames
        Training frames.
    options
        Batch sizes, device, precision.

    Raises
    ------
    BaselineError
        There is no such Python, or SchNetPack does not run in it.
    """

    def __init__(
        self, python: Path | None, model: BenchmarkModel, frames: FrameSet, options: BenchOptions
    ) -> None:
        training = {
            "frames": {
                "atomic_numbers": frames.atomic_numbers.tolist(),
                "positions": frames.positions.tolist(),
                "energies": frames.energies.tolist(),
                "forces": frames.forces.tolist(),
            },
            "batch_size": options.batch_size,
            "n_loader_workers": 1,
        }
        super().__init__("SchNetPack", (WORKER,), python, model, options, training)

    def molecule_cases(self) -> list[Case]:
        """Return energy and forces by its ASE calculator, and a step of ASE's integrator with it."""
        return [
            Case("schnetpack_energy_forces", "SchNetPack, through ASE", self.run("energy_forces", 1)),
            Case("schnetpack_step", "SchNetPack, NVE step, ASE's integrator", self.run("nve_step", 1)),
        ]

    def training_cases(self, options: BenchOptions) -> list[Case]:
        """Return steps with prepared batches, and epochs by its own training loop.

        Parameters
        ----------
        options
            Number of frames, batch size, threads.
        """
        n_steps, size = options.frames // options.batch_size, options.batch_size
        cases = []
        for threads in options.threads:
            step, epoch = self.run("training_step", threads), self.run("training_loader", threads)
            flushed = self.run("training_step_flushed", threads)
            label = "SchNetPack, prepared batches"
            cases += [
                Case("schnetpack_step", label, step, size, threads),
                Case("schnetpack_flushed", f"{label}, denormals flushed to zero", flushed, size, threads),
                Case(
                    "schnetpack_loader",
                    "SchNetPack, its own training loop",
                    lambda n, epoch=epoch: _times(n, epoch, n_steps),  # type: ignore[misc]
                    n_steps * size,
                    threads,
                ),
            ]
        return cases

    def inference_cases(self, options: BenchOptions) -> list[Case]:
        """Return the evaluation of a prepared batch.

        Parameters
        ----------
        options
            Number of molecules, threads.
        """
        return [
            Case("schnetpack", "SchNetPack", self.run("inference", threads), options.inference, threads)
            for threads in options.threads
        ]


def _times(n: int, epoch: Run, n_steps: int) -> Span:
    spans = [epoch(n_steps) for _ in range(n)]
    return Span(sum(span.wall for span in spans), sum(span.cpu for span in spans))
