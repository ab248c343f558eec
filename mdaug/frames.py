"""Frames of one molecule or cell: the data that all packages work on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.formula import Formula
from ase.geometry import complete_cell
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


PER_FRAME = ("positions", "energies", "forces", "cells", "stresses", "group", "weights")
"""Arrays of a `FrameSet` with a row a frame."""

OPEN_A = 1e6
"""Length of a cell (Å) in a direction that is not periodic, which no pair crosses."""


def image_cells(cells: FloatArray, pbc: tuple[bool, bool, bool]) -> FloatArray:
    """Return cells whose nonperiodic directions are open.

    Parameters
    ----------
    cells
        Shape (n_frames, 3, 3), Å, rows are lattice vectors; vectors of directions that are not periodic are
        ignored.
    pbc
        Periodic directions.

    Returns
    -------
    cells
        Shape (n_frames, 3, 3), Å; an open direction is orthogonal to the periodic ones and `OPEN_A` long.
    """
    if all(pbc):
        return cells
    is_open = ~np.array(pbc)
    completed = np.array([complete_cell(cell) for cell in np.where(is_open[:, None], 0.0, cells)])
    completed[:, is_open] *= OPEN_A
    return completed


def evenly_spaced(n: int, most: int) -> IntArray:
    """Return the indices of evenly spaced ones of several things, the first and the last among them.

    Parameters
    ----------
    n
        Number of things, at least one.
    most
        Largest number of indices.
    """
    return np.unique(np.linspace(0, n - 1, most).astype(np.int64))


@dataclass(frozen=True, repr=False)
class FrameSet:
    """Frames of one system: same atoms in the same order, energies and forces at one level of theory.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    positions
        Shape (n_frames, n_atoms, 3), Å.
    energies
        Shape (n_frames,), eV, float64; absolute or mean-free, as in the source.
    forces
        Shape (n_frames, n_atoms, 3), eV/Å, F = −∂E/∂r; all NaN for frames with energies only.
    cells
        Shape (n_frames, 3, 3), Å, rows are lattice vectors; None for a molecule.
    pbc
        Periodic directions, shape (3,).
    stresses
        Shape (n_frames, 3, 3), eV/Å³, ASE's sign (tension positive); None where unknown. NaN for frames
        without one among others, such as augmented frames beside raw ones.
    temperature_K
        Temperature at which the frames were sampled; None where unknown.
    charge, multiplicity
        Total charge (e) and spin multiplicity 2S+1; None where not given.
    name
        Name of the file or set, for messages and reports.
    level_of_theory
        Level of theory of energies and forces, where known: ``"GFN2-xTB"``, ``"CCSD(T)/cc-pVTZ"``.
    group
        Shape (n_frames,): frames with equal numbers (duplicates, a frame and its augmented frames) are never
        split between training, validation and test. By default each frame has its own.
    weights
        Shape (n_frames,): weight of each frame in a training loss; 1 where not given.
    info
        Per-frame records, which extended xyz files keep (parent, rule, …): key -> shape (n_frames, …).
    of_atoms
        Keys of `info` whose records have a row for each atom: shape (n_frames, n_atoms, …).
    atom_types
        Shape (n_atoms,): types of atoms that a baseline distinguishes within an element
        (`MoleculeTemplate.atom_types`); −1 for an atom without one. None: no atom has one.
    """

    atomic_numbers: IntArray
    positions: FloatArray
    energies: FloatArray
    forces: FloatArray
    cells: FloatArray | None = None
    pbc: tuple[bool, bool, bool] = (False, False, False)
    stresses: FloatArray | None = None
    temperature_K: float | None = None
    charge: float | None = None
    multiplicity: int | None = None
    name: str = "frames"
    level_of_theory: str | None = None
    group: IntArray = field(default=None)  # type: ignore[arg-type]
    weights: FloatArray = field(default=None)  # type: ignore[arg-type]
    info: dict[str, NDArray[Any]] = field(default_factory=dict)
    of_atoms: frozenset[str] = frozenset()
    atom_types: IntArray | None = None

    def __post_init__(self) -> None:
        if self.group is None:
            object.__setattr__(self, "group", np.arange(len(self.energies)))
        if self.weights is None:
            object.__setattr__(self, "weights", np.ones(len(self.energies)))

    def __len__(self) -> int:
        return len(self.energies)

    def __repr__(self) -> str:
        return f"FrameSet({self.description})"

    @property
    def description(self) -> str:
        """Name, number of frames and formula, and level of theory and temperature where they are known."""
        symbols = dict(enumerate(chemical_symbols))
        formula = Formula.from_list([symbols.get(number, "X") for number in self.atomic_numbers.tolist()])
        words = [f"{self.name}: {len(self)} frames of {formula.format('hill')}"]
        if self.level_of_theory is not None:
            words.append(self.level_of_theory)
        if self.temperature_K is not None:
            words.append(f"{self.temperature_K:g} K")
        return ", ".join(words)

    @property
    def n_atoms(self) -> int:
        """Number of atoms in each frame."""
        return len(self.atomic_numbers)

    @property
    def has_forces(self) -> bool:
        """Whether the frames have forces; those of frames with energies only are NaN."""
        return not bool(np.isnan(self.forces).all())

    @property
    def known_stresses(self) -> FloatArray | None:
        """The stresses of frames that are periodic in all directions; None if no frame has one."""
        if self.stresses is None or not all(self.pbc) or np.isnan(self.stresses).all():
            return None
        return self.stresses

    @property
    def periodic(self) -> bool:
        """Whether any direction is periodic."""
        return any(self.pbc)

    @property
    def periodic_cells(self) -> FloatArray | None:
        """The `image_cells` of periodic frames, shape (n_frames, 3, 3), Å; None for molecules."""
        return image_cells(self.cells, self.pbc) if self.cells is not None and self.periodic else None

    def structure(self, n: int) -> Atoms:
        """Return the structure of a frame, without labels and records.

        Parameters
        ----------
        n
            Index of the frame.
        """
        cell = None if self.cells is None else self.cells[n]
        return Atoms(self.atomic_numbers, self.positions[n], cell=cell, pbc=self.pbc)

    def evenly_spaced(self, n_frames: int) -> "FrameSet":
        """Return evenly spaced frames, the first and the last among them.

        Parameters
        ----------
        n_frames
            Largest number of frames returned.
        """
        return self if n_frames >= len(self) else self.select(evenly_spaced(len(self), n_frames))

    def select(self, index: IntArray | slice) -> "FrameSet":
        """Return some of the frames, with all their per-frame data.

        Parameters
        ----------
        index
            Indices of the frames, or a slice.
        """
        return replace(
            self,
            positions=self.positions[index],
            energies=self.energies[index],
            forces=self.forces[index],
            cells=None if self.cells is None else self.cells[index],
            stresses=None if self.stresses is None else self.stresses[index],
            group=self.group[index],
            weights=self.weights[index],
            info={key: values[index] for key, values in self.info.items()},
        )

    def scaled(
        self, *, length: float = 1.0, energy: float = 1.0, force: float = 1.0, stress: float = 1.0
    ) -> "FrameSet":
        """Return the frames in other units.

        Parameters
        ----------
        length, energy, force, stress
            Factors of positions and cells, of energies, of forces, and of stresses.
        """
        if length == energy == force == stress == 1.0:
            return self
        return replace(
            self,
            positions=self.positions * length,
            energies=self.energies * energy,
            forces=self.forces * force,
            cells=None if self.cells is None else self.cells * length,
            stresses=None if self.stresses is None else self.stresses * stress,
        )


@dataclass(frozen=True)
class Dataset:
    """Frames of several systems: one `FrameSet` for each, all at one level of theory.

    Parameters
    ----------
    systems
        The systems, at least one; their atoms, cells, temperatures and charges may differ.
    """

    systems: tuple[FrameSet, ...]

    def __len__(self) -> int:
        return sum(map(len, self.systems))

    @property
    def name(self) -> str:
        """The names of all systems."""
        return ", ".join(frames.name for frames in self.systems)

    @property
    def energies(self) -> FloatArray:
        """Energies of all frames, shape (n_frames,), eV, system by system."""
        return np.concatenate([frames.energies for frames in self.systems])


Frames = FrameSet | Dataset
"""Frames of one system or of several."""


def systems_of(frames: Frames) -> tuple[FrameSet, ...]:
    """Return the systems of frames; frames of one system are the only one.

    Parameters
    ----------
    frames
        Frames of one system or of several.
    """
    return frames.systems if isinstance(frames, Dataset) else (frames,)


def as_frames(systems: Sequence[FrameSet]) -> Frames:
    """Return one system as it is, and several as a `Dataset`.

    Parameters
    ----------
    systems
        At least one.
    """
    return systems[0] if len(systems) == 1 else Dataset(tuple(systems))


def join_frames(sets: Sequence[FrameSet]) -> FrameSet:
    """Return the frames of all sets in one, with all else of the first; records of frames are left out.

    Parameters
    ----------
    sets
        Frames of the same atoms, at least one set; cells are kept if all have them, and stresses if any has
        some (NaN for the others).
    """

    def all_of(name: str) -> Any:
        values = [getattr(frames, name) for frames in sets]
        if name == "stresses" and any(value is not None for value in values):
            unknown = (np.full((len(frames), 3, 3), np.nan) for frames in sets)
            values = [u if value is None else value for value, u in zip(values, unknown, strict=True)]
        return None if any(value is None for value in values) else np.concatenate(values)

    return replace(sets[0], info={}, **{name: all_of(name) for name in PER_FRAME})


def one_frame(atoms: Atoms, energy_eV: float, name: str) -> FrameSet:
    """Return a structure without forces as a set of one frame.

    Parameters
    ----------
    atoms
        The structure, for example a minimum.
    energy_eV
        Its energy.
    name
        Name of the set, for messages.
    """
    positions = atoms.positions[None].copy()
    cells = atoms.cell.array[None] if atoms.pbc.any() else None
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    return FrameSet(
        atoms.numbers,
        positions,
        np.array([energy_eV]),
        np.zeros_like(positions),
        cells=cells,
        pbc=pbc,
        name=name,
    )


def structure_from_json(content: dict[str, Any]) -> Atoms:
    """Return a structure from a model's manifest or the record of a run.

    Parameters
    ----------
    content
        ``"atomic_numbers"`` and ``"positions"`` (Å); ``"cell"`` (Å) and ``"pbc"`` if periodic; ``"masses"``
        (amu) if not the standard ones. Other keys are ignored.

    Raises
    ------
    KeyError, ValueError
        If a key is missing or the lengths differ.
    """
    keys = {name: content[name] for name in ("cell", "pbc", "masses") if name in content}
    return Atoms(content["atomic_numbers"], content["positions"], **keys)
