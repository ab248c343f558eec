"""A training that takes seconds, shared by the tests of what it leaves."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from mdaug.data import write_extxyz
from mdaug.frames import FrameSet
from mdaug.workflows.settings.config import RunConfig, load_config

TINY = {
    "split": {"train": 24, "validation": 8, "test": 8},
    "springs": {"bootstrap": 0, "max_components": 3},
    "augment": {"rule": "gradient", "n_frames": 6, "n_displaced": 1, "n_stretched": 0},
    "model": {"n_atom_basis": 8, "n_filters": 8, "n_interactions": 1, "n_gaussians": 8, "n_knots": 16},
    "training": {"epochs": 3, "batch_size": 8},
}


@pytest.fixture(scope="session")
def water(tmp_path_factory):
    """Frames of a water-like molecule, with EMT's energies and forces, as a file."""
    rng = np.random.default_rng(1)
    molecule = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = molecule.positions + rng.normal(scale=0.05, size=(40, 3, 3))
    energies, forces = [], []
    for frame in positions:
        molecule.positions = frame
        molecule.calc = EMT()
        energies.append(molecule.get_potential_energy())
        forces.append(molecule.get_forces())
    frames = FrameSet(
        molecule.numbers.astype(np.int64),
        positions,
        np.array(energies),
        np.array(forces),
        temperature_K=300.0,
    )
    path = tmp_path_factory.mktemp("frames") / "water molecule.xyz"
    write_extxyz(frames, path)
    return path


@pytest.fixture(scope="session")
def tiny(water) -> RunConfig:
    """Settings of a training that takes seconds."""
    return load_config(changes=TINY | {"data": {"source": str(water), "temperature": 300.0}})
