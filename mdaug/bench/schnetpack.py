"""The baseline SchNetPack in its own process, timed in turn with mdaug."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mdaug.bench.benchmark_model import ENERGY_UNIT_EV, BenchmarkModel
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, Run, Span
from mdaug.errors import MDAugError
from mdaug.frames import FrameSet

WORKER = Path(__file__).with_name("schnetpack_worker.py")


class BaselineError(MDAugError):
    """The baseline cannot be measured."""


class SchNetPack:
    """A worker process with a model of the same sizes.

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
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed by close)
        try:
            self._process = subprocess.Popen(
                [str(python or sys.executable), "-u", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                env=os.environ | {"PYTHONSAFEPATH": "1"},  # no imports from the worker's folder
            )
        except OSError as error:
            raise BaselineError(
                f"--baseline-python {python}: {error.strerror}; expected the Python of an environment"
            ) from error
        try:
            self.versions = self._ask({"setup": _setup(model, frames, options)})["ready"]
        except BaselineError:
            self.close()
            raise

    def run(self, case: str, threads: int) -> Run:
        """Return a function that runs a case n times in the worker.

        Parameters
        ----------
        case
            Name of the case in schnetpack_worker.py.
        threads
            CPU threads.
        """

        def run(n: int) -> Span:
            answer = self._ask({"case": case, "threads": threads, "repeats": n})
            return Span(answer["wall_s"], answer["cpu_s"])

        return run

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

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._errors.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
            raise BaselineError(
                f"SchNetPack cannot be measured: {last}; name the Python of an environment with it "
                "(`pip install schnetpack`) by --baseline-python"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def _times(n: int, epoch: Run, n_steps: int) -> Span:
    spans = [epoch(n_steps) for _ in range(n)]
    return Span(sum(span.wall for span in spans), sum(span.cpu for span in spans))


def _setup(model: BenchmarkModel, frames: FrameSet, options: BenchOptions) -> dict[str, Any]:
    sizes = model.sizes
    return {
        "n_atom_basis": sizes.n_atom_basis,
        "n_filters": sizes.n_filters,
        "n_interactions": sizes.n_interactions,
        "n_gaussians": sizes.gaussians,
        "cutoff": sizes.cutoff,
        "dtype": options.dtype,
        "device": options.device,
        "energy_unit": ENERGY_UNIT_EV,
        "timestep_fs": 0.5,
        "molecule": {
            "atomic_numbers": model.atoms.numbers.tolist(),
            "positions": model.rattled(options.inference).tolist(),
        },
        "frames": {
            "atomic_numbers": frames.atomic_numbers.tolist(),
            "positions": frames.positions.tolist(),
            "energies": frames.energies.tolist(),
            "forces": frames.forces.tolist(),
        },
        "batch_size": options.batch_size,
        "n_loader_workers": 1,
    }
