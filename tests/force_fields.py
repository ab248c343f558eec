"""Force fields with random parameters, and molecules for them: quick to make, and with every kind of term."""

from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.build import molecule

from mdaug.augmentation.force_matching.force_field import CUTOFF_A, ForceField
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.frames import FrameSet
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.workflows.training.baseline_templates import number_atom_types, templates_of


def frames_near(atoms: Atoms, n_frames: int = 6, seed: int = 0) -> FrameSet:
    """Return frames with atoms displaced by 0.05 Å rms; energies and forces are zero."""
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(n_frames, len(atoms), 3))
    positions = atoms.positions + noise
    cells = None if not atoms.pbc.any() else np.tile(atoms.cell.array, (n_frames, 1, 1))
    return FrameSet(
        atomic_numbers=atoms.numbers,
        positions=positions,
        energies=np.zeros(n_frames),
        forces=np.zeros_like(positions),
        cells=cells,
        pbc=tuple(atoms.pbc.tolist()),
    )


def random_field(frames: FrameSet, seed: int = 0, cutoff: float = CUTOFF_A) -> ForceField:
    """Return a force field of the molecules in `frames` with random parameters."""
    field = initial_force_field(frames, cutoff)
    noise = np.random.default_rng(seed).normal(scale=0.3, size=len(field.parameters))
    noise[field.n_linear :] *= 0.1
    return field.with_parameters(field.parameters + noise)


def random_templates(name: str, seed: int = 0) -> list[MoleculeTemplate]:
    """Return templates of one of ASE's molecules, such as ``CH3CH2OH``, without atom types."""
    templates = templates_of(random_field(frames_near(molecule(name)), seed))
    return [replace(one, atom_types=np.full(len(one.atomic_numbers), -1)) for one in templates]


def typed_templates(*names: str) -> tuple[MoleculeTemplate, ...]:
    """Return templates of ASE's molecules with atom types."""
    own = (templates_of(random_field(frames_near(molecule(name)), k))[0] for k, name in enumerate(names))
    return number_atom_types(list(own))
