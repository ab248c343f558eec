"""Python binding of the C++ core that evaluates a model.pt, whose functions ``mdaug_core.h`` documents."""

import ctypes
import os
from collections.abc import Callable
from ctypes import byref, c_double, c_int64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.calculators.core_library import CoreUnavailableError, load_library
from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.options import Precision

_ERROR_BYTES = 1000

State = tuple[FloatArray, FloatArray, FloatArray]
"""Positions, momenta and forces of n replicas, each (n, n_atoms, 3), ASE units."""


class Core:
    """A model.pt loaded by the core.

    Parameters
    ----------
    path
        The file; `read_manifest` has accepted it.
    dtype
        Precision of the network; the manifest's if None.
    threads
        Number of threads of each evaluation.
    network
        0, or the number of another network of the committee in the file.

    Raises
    ------
    CoreUnavailableError
        There is no core on this machine, or it cannot evaluate this model.
    """

    def __init__(
        self, path: str | Path, dtype: Precision | None = None, threads: int = 1, network: int = 0
    ) -> None:
        self._library = load_library()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        name = None if dtype is None else dtype.encode()
        self._handle = self._library.mdaug_load_member(
            os.fsencode(path), network, name, threads, error, _ERROR_BYTES
        )
        if not self._handle:
            raise CoreUnavailableError(error.value.decode(errors="replace"))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.mdaug_free(self._handle)

    @property
    def memory_bytes(self) -> int:
        """Size of weights and buffers."""
        return int(self._library.mdaug_memory(self._handle))

    @property
    def n_networks(self) -> int:
        """Number of networks in the file; 1 without a committee."""
        return int(self._library.mdaug_committee_size(self._handle))

    @property
    def n_templates(self) -> int:
        """Number of kinds of molecules in the baseline; 0 without one."""
        return int(self._library.mdaug_n_templates(self._handle))

    @property
    def has_extrapolation(self) -> bool:
        """Whether the model has statistics of its training frames."""
        return bool(self._library.mdaug_has_extrapolation(self._handle))

    def compute_extrapolation(self, on: bool = True) -> None:
        """Let the next evaluations compute the extrapolation of atoms, or not, as after loading.

        Parameters
        ----------
        on
            Whether they do.

        Raises
        ------
        DataError
            The model has no statistics of its training frames.
        """
        self._check(self._library.mdaug_compute_extrapolation(self._handle, int(on)))

    def extrapolation(self, *shape: int) -> FloatArray | None:
        """Return the extrapolation of the atoms in the last evaluation; None if it was not computed.

        Parameters
        ----------
        *shape
            Of the result: (n_atoms,), or (n, n_atoms) for replicas.
        """
        values = self._library.mdaug_extrapolation(self._handle)
        return np.ctypeslib.as_array(values, shape).copy() if values else None

    def set_molecules(self, templates: IntArray, atoms: IntArray, offsets: FloatArray | None = None) -> None:
        """State which atoms form molecules, for a model with a baseline, until the next call.

        Parameters
        ----------
        templates
            Shape (n_molecules,): the template of each molecule.
        atoms
            Shape (n_atoms,): the atoms of one molecule after another, each molecule's in the order of its
            template; every atom once. For `evaluate` they are those of the system, for `evaluate_molecules`,
            `verlet` and `langevin` those of one replica. Without any molecule and atom the baseline is left
            out, as for lone atoms.
        offsets
            Shape (n_atoms, 3), Å: lattice translations by atom; positions + offsets are those of whole
            molecules. None: zero.

        Raises
        ------
        DataError
            There is no such template, or the molecules do not cover every atom exactly once.
        """
        templates, atoms = _integers(templates), _integers(atoms)
        shifts = None if offsets is None else _doubles(offsets)
        self._check(
            self._library.mdaug_set_molecules(
                c_void_p(self._handle),
                c_int64(len(templates)),
                *map(_pointer, (templates, atoms)),
                None if shifts is None else _pointer(shifts),
                c_int64(len(atoms)),
            )
        )

    def evaluate(
        self, species: IntArray, positions: FloatArray, idx_i: IntArray, idx_j: IntArray, shifts: FloatArray
    ) -> dict[str, FloatArray]:
        """Return the results of `DeployedModel.evaluate` as arrays.

        Parameters
        ----------
        species
            Indices (n_atoms,) of the atoms' elements in the manifest.
        positions
            Shape (n_atoms, 3), Å.
        idx_i, idx_j
            Shape (n_pairs,): every unordered pair once.
        shifts
            Shape (n_pairs, 3), Å: r_ij = r_j − r_i + shift.

        Raises
        ------
        DataError
            A species or an atom of a pair does not exist.
        """
        n_atoms = len(species)
        energies, forces, strain = np.empty(n_atoms), np.empty((n_atoms, 3)), np.empty(6)
        arrays = [_integers(species), _doubles(positions)]
        pairs = [_integers(idx_i), _integers(idx_j), _doubles(shifts)]
        self._check(
            self._library.mdaug_evaluate(
                c_void_p(self._handle),
                c_int64(n_atoms),
                *map(_pointer, arrays),
                c_int64(len(idx_i)),
                *map(_pointer, (*pairs, energies, forces, strain)),
            )
        )
        return {
            "energy": energies.sum(),
            "atomic_energies": energies,
            "forces": forces,
            "strain_derivative": strain[[[0, 3, 4], [3, 1, 5], [4, 5, 2]]],
        }

    def evaluate_molecules(self, species: IntArray, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return energies (n,), eV, and forces (n, n_atoms, 3), eV/Å, of n replicas of a molecule.

        Parameters
        ----------
        species
            Shape (n_atoms,), the same for each replica.
        positions
            Shape (n, n_atoms, 3), Å.
        """
        species, positions = _integers(species), _doubles(positions)
        energies, forces = np.empty(len(positions)), np.empty(positions.shape)
        self._check(
            self._library.mdaug_evaluate_molecules(
                c_void_p(self._handle),
                c_int64(len(positions)),
                c_int64(len(species)),
                *map(_pointer, (species, positions, energies, forces)),
            )
        )
        return energies, forces

    def verlet(
        self,
        species: IntArray,
        masses: FloatArray,
        timestep: float,
        n_steps: int,
        state: State,
    ) -> tuple[int, FloatArray]:
        """Integrate n replicas of a molecule by velocity Verlet, in place.

        Parameters
        ----------
        species, masses
            Shape (n_atoms,); masses in amu.
        timestep
            ASE units.
        n_steps
            Number of steps.
        state
            Positions, momenta and forces, each (n, n_atoms, 3), float64 and contiguous; ASE units.

        Returns
        -------
        int, array
            Steps taken: fewer than `n_steps` when forces are no longer finite. Potential energies (n,), eV.
        """
        settings = c_double(timestep), c_int64(n_steps)
        return self._integrate(self._library.mdaug_verlet, species, masses, settings, state)

    def langevin(
        self,
        species: IntArray,
        masses: FloatArray,
        timestep: float,
        thermostat: tuple[float, float, FloatArray],
        state: State,
    ) -> tuple[int, FloatArray]:
        """Integrate n replicas of a nonlinear molecule by Langevin dynamics (BAOAB), in place.

        Parameters
        ----------
        species, masses, timestep, state
            As for `verlet`.
        thermostat
            Friction, 1 / ASE time unit; k_B T, eV; standard normal numbers (n, n_steps, n_atoms, 3), from
            which noise without net momentum and angular momentum is made.

        Returns
        -------
        int, array
            As `verlet` returns.
        """
        friction, kT, noise = thermostat
        noise = _doubles(noise)
        settings = *map(c_double, (timestep, friction, kT)), _pointer(noise), c_int64(noise.shape[1])
        return self._integrate(self._library.mdaug_langevin, species, masses, settings, state)

    def _integrate(
        self,
        function: Callable[..., int],
        species: IntArray,
        masses: FloatArray,
        settings: tuple[Any, ...],
        state: State,
    ) -> tuple[int, FloatArray]:
        """Call a function of the library that integrates; `settings` are its arguments before the state."""
        species, masses = _integers(species), _doubles(masses)
        energies, done = np.empty(len(state[0])), c_int64()
        self._check(
            function(
                c_void_p(self._handle),
                c_int64(len(energies)),
                c_int64(len(species)),
                *map(_pointer, (species, masses)),
                *settings,
                *map(_pointer, (*state, energies)),
                byref(done),
            )
        )
        return done.value, energies

    def _check(self, failed: int) -> None:
        if failed:
            raise DataError(self._library.mdaug_error(self._handle).decode(errors="replace"))


def _pointer(array: np.ndarray) -> c_void_p:
    return c_void_p(array.ctypes.data)


def _integers(values: np.ndarray) -> IntArray:
    return np.ascontiguousarray(values, dtype=np.int64)


def _doubles(values: np.ndarray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)
