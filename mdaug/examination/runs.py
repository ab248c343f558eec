"""Molecular dynamics of a force field that is examined: in the C++ core where possible, else by ASE."""

import shutil
import time
from pathlib import Path
from typing import Any

from ase import Atoms

from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.examination.force_field import ExaminedForceField
from mdaug.md.core_integrator import advance_together, core_integrators
from mdaug.md.dynamics import DynamicsResult, run_dynamics, run_replicas
from mdaug.md.loop import MakeIntegrator
from mdaug.md.options import DynamicsOptions

RUNS = "runs"
"""Folder for the trajectories of all force fields and parts."""


def run_all(
    examined: ExaminedForceField,
    start: Atoms,
    options: DynamicsOptions,
    folder: Path,
    n_runs: int,
    *,
    until: float = float("inf"),
    make_integrator: MakeIntegrator | None = None,
) -> list[DynamicsResult]:
    """Run independent replicas, each with its own seed, into the folders replica-0, replica-1, …

    Parameters
    ----------
    examined
        The force field.
    start
        The start structure.
    options
        Options of each run.
    folder
        Folder of the replicas; an earlier one is replaced.
    n_runs
        Number of replicas.
    until
        Time by `time.monotonic` after which no other replica begins, except the first.
    make_integrator
        Factory of an integrator for ASE atoms; None for the core where possible, else those of ASE.

    Returns
    -------
    list of DynamicsResult
        One for each replica that was run, at least one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    integrators = None if make_integrator else core_of(examined, start, options)
    if integrators is not None:
        shared: dict[str, Any] = {"make_integrator": integrators, "advance": advance_together}
        return run_replicas(start, examined.calculator, options, folder, n_runs, **shared)
    results: list[DynamicsResult] = []
    for k in range(n_runs):
        if k > 0 and time.monotonic() > until:
            break
        seeded = options.model_copy(update={"seed": options.seed + k})
        place = folder / f"replica-{k}"
        results.append(
            run_dynamics(start, examined.calculator, seeded, place, make_integrator=make_integrator)
        )
    return results


def core_of(examined: ExaminedForceField, start: Atoms, options: DynamicsOptions) -> MakeIntegrator | None:
    """Return the factory of integrators in the C++ core, None where it cannot run this force field.

    Parameters
    ----------
    examined
        The force field.
    start
        The structure that moves.
    options
        Ensemble of the run.
    """
    if examined.model is None:
        return None
    try:
        return core_integrators(
            examined.model,
            examined.manifest,
            start,
            ensemble=options.ensemble,
            dtype="float64",
            device="cpu",
        )
    except CoreUnavailableError:
        return None
