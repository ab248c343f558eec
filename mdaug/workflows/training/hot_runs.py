"""MD of a model at several times the temperature of its frames, and the spurious minima that it visits."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms

from mdaug.augmentation.explored import label_visited, spurious_minima
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.options import ExploreOptions
from mdaug.calculators.predictions import predict
from mdaug.data import write_extxyz
from mdaug.data.load import read_frames
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet, IntArray, join_frames
from mdaug.geometry.rigid_motion import NONLINEAR, n_rigid_motions
from mdaug.md import DynamicsResult
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.dynamics import new_run
from mdaug.workflows.settings.workflow_options import HardeningSettings
from mdaug.workflows.training.recorded import recorded
from mdaug.workflows.training.short_runs import TIMESTEP_FS, short_langevin, visited

Relabel = Callable[[FrameSet], tuple[FrameSet, IntArray]]

FRAMES_EVERY = 4
"""Steps between two frames that are judged."""


@dataclass(frozen=True)
class HotRuns:
    """Runs at one temperature: how they ended, and what they visited.

    Parameters
    ----------
    temperature_K
        Temperature.
    completed_ps, stopped_because
        Length of each run, and why it ended early (None if it did not).
    n_visited, n_found
        Geometries visited, and those of them in spurious minima.
    largest_gap_kcal_mol
        Largest energy of the force-matched field above that of the model.
    system
        Label of the system.
    """

    temperature_K: float
    completed_ps: tuple[float, ...]
    stopped_because: tuple[str | None, ...]
    n_visited: int
    n_found: int
    largest_gap_kcal_mol: float
    system: str = ""

    @property
    def n_ended_early(self) -> int:
        """Number of runs that the guard stopped."""
        return sum(why is not None for why in self.stopped_because)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Return the runs that `dataclasses.asdict` described.

        Parameters
        ----------
        entry
            The description.
        """
        lists = {key: tuple(entry[key]) for key in ("completed_ps", "stopped_because")}
        return cls(**entry | lists)


def recorded_runs(path: Path) -> tuple[HotRuns, ...] | None:
    """Return the runs of a round of hardening from its record; None if it has none.

    Parameters
    ----------
    path
        A search.json.

    Raises
    ------
    DataError
        The record is damaged.
    """
    return recorded(
        path,
        "a round of hardening",
        lambda entry: tuple(map(HotRuns.from_json, entry["runs"])),
        advice="remove it to run its MD again",
    )


@dataclass(frozen=True)
class Search:
    """A search for spurious minima.

    Parameters
    ----------
    field
        The force-matched field of the training frames.
    train, validation
        Frames of the model's training, without a cell, and those from which the runs start.
    settings
        Temperatures, number and length of the runs; what is kept.
    stage
        Called with a line of text at each temperature.
    system
        Label of the system.
    relabel
        Returns frames with better labels than those of the field, and their numbers among the given ones;
        frames that it cannot label are left out. None for none.
    """

    field: ForceField
    train: FrameSet
    validation: FrameSet
    settings: HardeningSettings
    stage: Callable[[str], None]
    system: str = ""
    relabel: Relabel | None = None

    def run(self, model: Path, number: int, folder: Path) -> tuple[tuple[HotRuns, ...], FrameSet | None]:
        """Return the runs of a model and the labeled frames in spurious minima, None for none.

        Both are recorded in `folder` (search.json, explored.xyz), and read from there if they are.

        Parameters
        ----------
        model
            A model.pt.
        number
            Number of the round, which decides start frames and seeds.
        folder
            Folder for the records.
        """
        record, explored = folder / "search.json", folder / "explored.xyz"
        before = recorded_runs(record)
        if before is not None:
            return before, read_frames(explored, units="eV").frames if explored.exists() else None
        done = [
            self._at(model, factor, number * len(self.settings.temperatures) + n)
            for n, factor in enumerate(self.settings.temperatures)
        ]
        runs, parts = tuple(each[0] for each in done), [each[1] for each in done]
        together = join_frames(parts)
        rng = np.random.default_rng(self.settings.seed + number)
        together = together.select(np.sort(rng.permutation(len(together))[: self.settings.n_kept]))
        if len(together):
            write_extxyz(together, explored)
        write_json(record, {"runs": [asdict(each) for each in runs]})
        return runs, together if len(together) else None

    def _at(self, model: Path, factor: float, index: int) -> tuple[HotRuns, FrameSet]:
        """Run at one temperature, and label the frames in spurious minima."""
        kelvin = factor * float(self.train.temperature_K or 0)
        self.stage(f"MD at {kelvin:g} K")
        results, positions = self._dynamics(model, kelvin, index)
        in_minima, largest = self._labeled(model, positions, factor)
        runs = HotRuns(
            kelvin,
            tuple(result.completed_steps * TIMESTEP_FS / 1000 for result in results),
            tuple(result.stopped_because for result in results),
            len(positions),
            len(in_minima),
            largest,
            self.system,
        )
        return runs, in_minima

    def _dynamics(self, model: Path, kelvin: float, index: int) -> tuple[list[DynamicsResult], FloatArray]:
        """Run replicas from a validation frame, and return all finite positions on the way, too."""
        start = Atoms(self.train.atomic_numbers, self.validation.positions[index % len(self.validation)])
        n_steps = max(FRAMES_EVERY, round(1000 * self.settings.length / TIMESTEP_FS))
        options = short_langevin(kelvin, n_steps, FRAMES_EVERY, self.settings.seed + 100 * index)
        # the thermostat of a batch is for nonlinear molecules only
        replicas = self.settings.runs if n_rigid_motions(start) == NONLINEAR else 1
        results, parts = visited(new_run(model, start, options, replicas=replicas))
        return results, np.concatenate(parts)

    def _labeled(self, model: Path, positions: FloatArray, factor: float) -> tuple[FrameSet, float]:
        """Return the visited frames in spurious minima, and the largest gap, kcal/mol."""
        settings = self.settings
        labeled = label_visited(self.field, self.train, positions)
        energies, _ = predict(model, labeled)
        options = ExploreOptions(
            n_kept=settings.n_kept,
            gap=factor * settings.gap,
            weight=settings.weight * float(self.train.weights.mean()),
            seed=settings.seed,
        )
        largest = float(np.nanmax(labeled.energies - energies)) * KCAL_MOL_PER_EV
        candidates = spurious_minima(labeled, energies, float(self.train.energies.min()), options)
        return self._judged_again(model, candidates, options), largest

    def _judged_again(self, model: Path, candidates: FrameSet, options: ExploreOptions) -> FrameSet:
        """Leave out frames that are no spurious minima by the better labels, and give the others these."""
        if self.relabel is None or not len(candidates):
            return candidates
        labeled, kept = self.relabel(candidates)
        energies, _ = predict(model, labeled)
        confirmed = spurious_minima(labeled, energies, float(self.train.energies.min()), options)
        without_label = np.setdiff1d(np.arange(len(candidates)), kept)
        return join_frames([confirmed, candidates.select(without_label)])
