"""Short MD on the way of a training, of which only the visited positions are kept."""

import tempfile
from pathlib import Path

import numpy as np

from mdaug.frames import FloatArray
from mdaug.md import DynamicsOptions, DynamicsResult
from mdaug.workflows.dynamics import ModelRun, run_model
from mdaug.workflows.explore import visited_positions
from mdaug.workflows.training.sets import Sets

TIMESTEP_FS = 0.5
"""Time step, for the fastest vibrations of hydrogens."""


def why_no_md(sets: Sets, purpose: str) -> str | None:
    """Return why frames have no short MD; None if they may.

    Parameters
    ----------
    sets
        Frames of the system.
    purpose
        What it is for, the subject of the sentence, for example hardening.
    """
    if sets.train.periodic:
        return f"the frames have a cell, and {purpose} is for molecules"
    if sets.train.temperature_K is None:
        return "the temperature of the frames is not known; give --temperature"
    return None


def short_langevin(kelvin: float, steps: int, every: int, seed: int) -> DynamicsOptions:
    """Return the options of Langevin MD at once from its start geometry, without equilibration.

    Parameters
    ----------
    kelvin
        Temperature of the thermostat.
    steps
        Number of steps.
    every
        Steps between two frames.
    seed
        Seed of velocities and thermostat.
    """
    return DynamicsOptions(
        ensemble="nvt",
        temperature=kelvin,
        timestep=TIMESTEP_FS,
        steps=steps,
        equilibration=0.0,
        frames_every=every,
        thermo_every=every,
        seed=seed,
    )


def visited(run: ModelRun) -> tuple[list[DynamicsResult], list[FloatArray]]:
    """Return the result of each replica, and the finite positions it visited, (n_frames, n_atoms, 3), Å.

    Parameters
    ----------
    run
        The run; its files are not kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = run_model(run, Path(folder))
        places = sorted(Path(folder).glob("replica-*")) or [Path(folder)]
        return results, [_finite(visited_positions(place, run.start.numbers)) for place in places]


def _finite(positions: FloatArray) -> FloatArray:
    return positions[np.isfinite(positions).all(axis=(1, 2))]
