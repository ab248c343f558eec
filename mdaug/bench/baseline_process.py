"""A baseline, another package in a process of its own, timed in turn with mdaug."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from mdaug.bench.benchmark_model import ENERGY_UNIT_EV, BenchmarkModel
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, Run, Span
from mdaug.errors import MDAugError

WORKERS = Path(__file__).with_name("workers")
"""Folder of the programs that run in the environments of baselines."""


class BaselineError(MDAugError):
    """A baseline cannot be measured."""


class BaselineProcess:
    """A worker process with an untrained network for the same molecule.

    Parameters
    ----------
    name
        Name in messages.
    program
        File in `WORKERS`, and its arguments.
    python
        Python of an environment with the package; None for that of mdaug.
    model
        Sizes of the network, and the molecule.
    options
        Number of geometries, device, precision.
    more
        Other entries of the setup.

    Attributes
    ----------
    versions
        Package -> version.

    Raises
    ------
    BaselineError
        There is no such Python, or the package does not run in it.
    """

    def __init__(  # noqa: PLR0917
        self,
        name: str,
        program: tuple[str, ...],
        python: Path | None,
        model: BenchmarkModel,
        options: BenchOptions,
        more: dict[str, Any],
    ) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed by close)
        script, *arguments = program
        try:
            self._process = subprocess.Popen(
                [str(python or sys.executable), "-u", str(WORKERS / script), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(WORKERS)},
            )
        except OSError as error:
            raise BaselineError(
                f"--baseline-python {python}: {error.strerror}; expected the Python of an environment"
            ) from error
        try:
            self.versions = self._ask({"setup": _setup(model, options) | more})["ready"]
        except BaselineError:
            self.close()
            raise

    def run(self, case: str, threads: int) -> Run:
        """Return a function that runs a case n times in the worker.

        Parameters
        ----------
        case
            Name of the case in the worker.
        threads
            CPU threads.
        """

        def run(n: int) -> Span:
            answer = self._ask({"case": case, "threads": threads, "repeats": n})
            return Span(answer["wall_s"], answer["cpu_s"])

        return run

    def molecule_cases(self) -> list[Case]:
        """Return energy and forces by its ASE calculator, and a step of ASE's integrator with it."""
        raise NotImplementedError

    def training_cases(self, options: BenchOptions) -> list[Case]:
        """Return trainings; none unless a baseline has them.

        Parameters
        ----------
        options
            Number of frames, batch size, threads.
        """
        del options
        return []

    def inference_cases(self, options: BenchOptions) -> list[Case]:
        """Return evaluations of batches; none unless a baseline has them.

        Parameters
        ----------
        options
            Number of molecules, threads.
        """
        del options
        return []

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the process has died, with a request unread
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
                f"{self.name} cannot be measured: {last}; name the Python of an environment with it by "
                "--baseline-python"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def _setup(model: BenchmarkModel, options: BenchOptions) -> dict[str, Any]:
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
    }
