"""Files of a run: thermo table, trajectory and restart file; the same for every integrator."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from mdaug.frames import FloatArray
from mdaug.geometry.bonds import find_bonds
from mdaug.md.options import DynamicsOptions
from mdaug.md.restart import Restart, write_restart
from mdaug.md.tables import ShadowTable, ThermoTable
from mdaug.md.trajectory import DcdTrajectory, write_topology


@dataclass(frozen=True)
class State:
    """State of a run at the end of a step.

    Parameters
    ----------
    step
        Steps since the start of the run.
    positions, momenta, forces
        Shape (n_atoms, 3); Å, ASE's momentum unit, eV/Å.
    random_state
        State of the generator of the thermostat's noise; empty without a thermostat.
    """

    step: int
    positions: FloatArray
    momenta: FloatArray
    forces: FloatArray
    random_state: dict[str, Any]


class Recorder:
    """Writes the files of one run.

    Parameters
    ----------
    folder
        Folder of the run.
    atoms
        Start structure.
    options
        Ensemble, time step, and steps between frames.
    restart
        State of a resumed run, to which the files are first truncated; None for a new run.
    with_extrapolation
        Whether the thermo table of a new run has the extrapolation.
    """

    def __init__(
        self,
        folder: Path,
        atoms: Atoms,
        options: DynamicsOptions,
        restart: Restart | None,
        *,
        with_extrapolation: bool = False,
    ) -> None:
        self._folder, self._options = folder, options
        self._n_rows = restart.n_rows if restart else 0
        self._temperature_sum = restart.temperature_sum_K if restart else 0.0
        if restart is None:
            write_topology(folder / "topology.pdb", atoms, find_bonds(atoms))
        with ExitStack() as stack:
            self._thermo = stack.enter_context(
                ThermoTable(
                    folder / "thermo.csv",
                    restart.thermo_bytes if restart else None,
                    with_extrapolation=with_extrapolation,
                )
            )
            self._trajectory = stack.enter_context(
                DcdTrajectory(
                    folder / "trajectory.dcd",
                    atoms,
                    options.frames_every,
                    options.timestep,
                    restart.trajectory_bytes if restart else None,
                )
            )
            self._shadow = None
            if options.ensemble == "nve":
                step = restart.step if restart else None
                table = ShadowTable(folder / "shadow.csv", atoms.get_masses(), options.timestep, step)
                self._shadow = stack.enter_context(table)
            self._open_files = stack.pop_all()

    @property
    def mean_temperature_K(self) -> float | None:
        """Mean over the rows of the thermo table, None without rows."""
        return self._temperature_sum / self._n_rows if self._n_rows else None

    def row(
        self,
        step: int,
        potential_eV: float,
        kinetic_eV: float,
        temperature_K: float,
        forces: FloatArray,
        *,
        extrapolation: float | None = None,
    ) -> None:
        """Append a row to the thermo table, and in NVE to the table of the shadow energy.

        Parameters
        ----------
        step
            Steps since the start of the run.
        potential_eV, kinetic_eV
            Energies of the whole system.
        temperature_K
            Temperature of the internal degrees of freedom.
        forces
            Shape (n_atoms, 3), eV/Å.
        extrapolation
            The largest of all atoms; None if it is not known.
        """
        time_fs = round(step * self._options.timestep, 9)
        self._thermo.write(
            step, time_fs, potential_eV, kinetic_eV, temperature_K, extrapolation=extrapolation
        )
        if self._shadow is not None:
            self._shadow.write(step, time_fs, potential_eV + kinetic_eV, forces)
        if math.isfinite(temperature_K):
            self._n_rows += 1
            self._temperature_sum += temperature_K

    def frame(self, positions: FloatArray) -> None:
        """Append a frame to the trajectory.

        Parameters
        ----------
        positions
            Shape (n_atoms, 3), Å, not wrapped into the cell.
        """
        self._trajectory.write(positions)

    def checkpoint(self, state: State) -> None:
        """Write the buffered data to disk, then the restart file, which records the lengths of the files.

        Parameters
        ----------
        state
            State of the run.
        """
        if self._shadow is not None:
            self._shadow.sync()
        restart = Restart(
            state.step,
            state.positions,
            state.momenta,
            state.forces,
            state.random_state,
            thermo_bytes=self._thermo.sync(),
            trajectory_bytes=self._trajectory.sync(),
            n_rows=self._n_rows,
            temperature_sum_K=self._temperature_sum,
        )
        write_restart(self._folder, restart)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *error: object) -> None:
        self._open_files.close()
