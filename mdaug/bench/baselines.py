"""The baselines of `mdaug bench` by name, and those that are ASE calculators of other packages."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mdaug.bench.baseline_process import BaselineError, BaselineProcess
from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.options import BaselineName, BenchOptions
from mdaug.bench.schnetpack import SchNetPack
from mdaug.bench.timing import Case
from mdaug.frames import FrameSet

WORKER = "calculator_worker.py"

LABELS: dict[BaselineName, str] = {
    "painn": "PaiNN (SchNetPack)",
    "mace": "MACE, invariant",
    "mace-l1": "MACE, L = 1",
    "symmetrix": "MACE, invariant, symmetrix",
}
"""Baseline of calculator_worker.py -> name in tables."""


class CalculatorBaseline(BaselineProcess):
    """A worker process with an ASE calculator of another package.

    Parameters
    ----------
    name
        Key of `LABELS`.
    python
        Python of an environment with the package; None for that of mdaug.
    model
        Number of features, cutoff, and the molecule.
    options
        Device, precision.

    Raises
    ------
    BaselineError
        There is no such Python, or the package does not run in it.
    """

    def __init__(
        self, name: BaselineName, python: Path | None, model: BenchmarkModel, options: BenchOptions
    ) -> None:
        self.key = name.replace("-", "_")
        super().__init__(LABELS[name], (WORKER, name), python, model, options, {})

    def molecule_cases(self) -> list[Case]:
        """Return energy and forces by its ASE calculator, and a step of ASE's integrator with it."""
        return [
            Case(f"{self.key}_energy_forces", f"{self.name}, through ASE", self.run("energy_forces", 1)),
            Case(f"{self.key}_step", f"{self.name}, NVE step, ASE's integrator", self.run("nve_step", 1)),
        ]


def start_baselines(  # noqa: PLR0917
    names: Sequence[BaselineName],
    pythons: Sequence[Path],
    model: BenchmarkModel,
    frames: FrameSet,
    options: BenchOptions,
    stack: ExitStack,
) -> list[BaselineProcess]:
    """Start the processes of all baselines; `stack` ends them.

    Parameters
    ----------
    names
        Baselines.
    pythons
        The Python of each, one for all, or none for that of mdaug.
    model
        Sizes of the network, and the molecule.
    frames
        Training frames.
    options
        Of the measurement.
    stack
        Where the end of the processes is registered.

    Raises
    ------
    BaselineError
        The numbers of names and Pythons do not match, or a baseline does not run.
    """
    if len(pythons) not in (0, 1, len(names)):
        raise BaselineError(
            f"--baseline-python: {len(pythons)} for {len(names)} baselines; expected one for all, or one each"
        )
    each = len(pythons) == len(names)
    environments: list[Path | None] = [*pythons] if each else [*pythons, None][:1] * len(names)
    processes: list[BaselineProcess] = []
    for name, python in zip(names, environments, strict=True):
        if name == "schnetpack":
            processes.append(SchNetPack(python, model, frames, options))
        else:
            processes.append(CalculatorBaseline(name, python, model, options))
        stack.callback(processes[-1].close)
    return processes


def molecule_ratios() -> list[tuple[str, str]]:
    """Return pairs of cases whose times are divided: energy and forces, and steps, of baseline and mdaug."""
    keys = ["schnetpack", *(name.replace("-", "_") for name in LABELS)]
    ratios = [
        [
            (f"{key}_energy_forces", "core"),
            (f"{key}_energy_forces", "ase"),
            (f"{key}_step", "own_step"),
            (f"{key}_step", "ase_step"),
        ]
        for key in keys
    ]
    return [pair for pairs in ratios for pair in pairs]
