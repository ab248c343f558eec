"""Frames made by MD sample the canonical ensemble, and carry labels of exactly their positions."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculator_factory
from mdaug.sampling.generate import GenerateOptions, generate_frames
from mdaug.units import BOLTZMANN_EV_K

pytestmark = pytest.mark.slow

SPRING, LENGTH = 45.0, 0.97  # eV/Å², Å: as an O-H bond


class Oscillator(Calculator):
    """Two atoms on a spring; can be made to blow up."""

    implemented_properties = ("energy", "forces")

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        vector = self.atoms.positions[1] - self.atoms.positions[0]
        d = np.linalg.norm(vector)
        force = -SPRING * (d - LENGTH) * vector / d
        energy = np.nan if self.fails else SPRING / 2 * (d - LENGTH) ** 2
        self.results = {"energy": energy, "forces": np.array([-force, force])}


def _dimer() -> Atoms:
    return Atoms("OH", [[0, 0, 0], [0, 0, LENGTH]])


OPTIONS = GenerateOptions(
    temperature=700,
    n_frames=401,
    n_replicas=4,
    spacing=20,
    equilibration=0.2,
    timestep=1.0,
    friction=100,
    seed=5,
)


@pytest.fixture(scope="module")
def made():
    return generate_frames([_dimer()] * 4, Oscillator, OPTIONS, name="OH", level_of_theory="spring")


def test_bond_fluctuations_are_those_of_the_temperature(made) -> None:
    """⟨(d − d₀)²⟩ = k_B T/k (d² weight of a free rotor included): the sampling that spring constants rest on.

    With this time step, ωΔt = 0.67, common integrators are off by several per cent here; BAOAB is not.
    """
    frames, _ = made
    d = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=1)
    x = np.linspace(0.5, 1.5, 20_001)
    weight = x**2 * np.exp(-SPRING / 2 * (x - LENGTH) ** 2 / (BOLTZMANN_EV_K * 700))
    mean = np.sum(weight * x) / np.sum(weight)
    variance = np.sum(weight * (x - mean) ** 2) / np.sum(weight)
    assert d.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / len(d)))
    assert d.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / len(d)))


def test_both_thermometers_read_the_thermostat(made) -> None:
    """The kinetic one lacks (ωΔt)²/4 in one of six degrees of freedom."""
    _, sampling = made
    reduced_mass = 15.999 * 1.008 / (15.999 + 1.008)
    from mdaug.units import FS

    bias = SPRING / reduced_mass * FS**2 / 4 / 6
    assert sampling.kinetic_temperature_error_K < 20
    assert sampling.kinetic_temperature_K == pytest.approx(
        700 * (1 - bias), abs=4 * sampling.kinetic_temperature_error_K
    )
    assert sampling.virial_temperature_K is not None and sampling.virial_temperature_error_K is not None
    assert sampling.virial_temperature_error_K < 80
    assert sampling.virial_temperature_K == pytest.approx(700, abs=4 * sampling.virial_temperature_error_K)
    assert 0 < sampling.energy_correlation_time_fs < 100


def test_frames_are_shared_out_labeled_and_centered(made) -> None:
    frames, sampling = made
    assert len(frames) == 401
    assert np.bincount(frames.info["replica"]).tolist() == [101, 100, 100, 100]
    assert frames.info["time_fs"][[0, 100, 101]].tolist() == [20.0, 2020.0, 20.0]
    assert sampling.n_steps == 401 * 20
    assert np.array_equal(frames.positions, frames.positions.round(6))
    d = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=1)
    assert frames.energies == pytest.approx(SPRING / 2 * (d - LENGTH) ** 2, abs=1e-12)
    masses = np.array([15.999, 1.008])
    assert np.abs(np.einsum("a,fax->fx", masses, frames.positions)).max() < 1e-4


def test_the_seed_decides() -> None:
    options = OPTIONS.model_copy(update={"n_frames": 4, "n_replicas": 2, "equilibration": 0.0})
    runs = [generate_frames([_dimer()] * 2, Oscillator, options)[0] for _ in range(2)]
    assert np.array_equal(runs[0].positions, runs[1].positions)
    assert not np.array_equal(runs[0].positions[:2], runs[0].positions[2:])


def test_each_replica_gives_a_frame() -> None:
    with pytest.raises(ValueError, match="8 replicas for 7 frames"):
        GenerateOptions(n_frames=7, n_replicas=8)


def test_a_blow_up_is_told() -> None:
    with pytest.raises(DataError, match="the dynamics blew up 0 fs after equilibration"):
        generate_frames([_dimer()], lambda: Oscillator(fails=True), OPTIONS)


def test_progress_counts_all_steps() -> None:
    told = []
    options = OPTIONS.model_copy(update={"n_frames": 3, "equilibration": 0.005})
    generate_frames(
        [_dimer()] * 2, Oscillator, options, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(n, 70) for n in range(1, 71)]


@pytest.mark.tblite
def test_the_embedded_frames_are_gfn2_xtb(ethanol: FrameSet) -> None:
    """Their labels can be asked for again, and their temperature by the virial theorem is 500 K."""
    make = calculator_factory("GFN2-xTB")
    atoms = Atoms(ethanol.atomic_numbers, calculator=make())
    for frame in (0, 499, 999):
        atoms.set_positions(ethanol.positions[frame])
        assert atoms.get_potential_energy() == pytest.approx(ethanol.energies[frame], abs=1e-4)
        assert atoms.get_forces() == pytest.approx(ethanol.forces[frame], abs=2e-3)
    virial = -np.einsum("fax,fax->f", ethanol.positions, ethanol.forces) / (24 * BOLTZMANN_EV_K)
    assert virial.mean() == pytest.approx(500, abs=4 * virial.std() / np.sqrt(len(ethanol)))


def test_the_embedded_frames_hold_both_conformers(ethanol: FrameSet) -> None:
    bonds = [ethanol.positions[:, j] - ethanol.positions[:, i] for i, j in ((1, 0), (0, 2), (2, 8))]
    normals = np.cross(bonds[0], bonds[1]), np.cross(bonds[1], bonds[2])
    cosine = np.einsum("fx,fx->f", *normals) / np.prod([np.linalg.norm(n, axis=1) for n in normals], axis=0)
    trans = np.mean(cosine < np.cos(np.radians(120)))
    assert 0.05 < trans < 0.4


def test_a_calculator_that_fails_is_named_with_its_reason() -> None:
    with pytest.raises(DataError, match=r"H2O: replica 0: the calculator failed at MD step 0: NotImpl"):
        generate_frames([Atoms("Si2", [[0, 0, 0], [0, 0, 2.2]])], EMT, OPTIONS, name="H2O")


def test_the_embedded_file_says_how_it_was_made() -> None:
    from mdaug.data.datasets import EMBEDDED_SETS

    with np.load(EMBEDDED_SETS["ethanol"]) as archive:
        command = str(archive["command"])
    docs = Path(__file__).parents[2] / "docs" / "data.md"
    assert command in docs.read_text(encoding="utf-8")
    assert command.startswith("mdaug frames")
