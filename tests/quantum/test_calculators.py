"""Calculators by name, their charges, and their results for many frames."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator, SCFError, all_changes
from ase.calculators.emt import EMT

from mdaug.errors import DataError, MissingDependencyError
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames, calculator_factory, check_spin
from mdaug.sampling.structures import starting_structures


def _dimer() -> Atoms:
    return Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])


def test_any_ase_calculator() -> None:
    assert isinstance(calculator_factory("ase.calculators.emt:EMT", {"asap_cutoff": True})(), EMT)
    with pytest.raises(DataError, match=r"does not accept charge: leave --charge"):
        calculator_factory("ase.calculators.emt:EMT", charge=1)
    with pytest.raises(DataError, match=r"module ase\.calculators\.emt has no Emt"):
        calculator_factory("ase.calculators.emt:Emt")
    with pytest.raises(DataError, match=r"expected one of GFN2-xTB, .* or module:Class"):
        calculator_factory("emt")
    with pytest.raises(MissingDependencyError, match=r"module no\.such cannot be imported"):
        calculator_factory("no.such:Thing")


def test_a_calculator_of_ones_own_lies_in_the_working_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my_potential.py").write_text("from ase.calculators.emt import EMT as Mine\n")
    with pytest.raises(MissingDependencyError, match="put it into this folder"):
        calculator_factory("my_potential:Mine")
    monkeypatch.chdir(tmp_path)
    assert isinstance(calculator_factory("my_potential:Mine")(), EMT)


class ArrayEnergy(EMT):
    """Gives its energy as an array with one element, as sGDML does."""

    def calculate(self, *given, **named):
        super().calculate(*given, **named)
        self.results["energy"] = np.array([self.results["energy"]])


def test_an_energy_in_an_array_of_one_is_a_number() -> None:
    atoms = _dimer()
    atoms.calc = calculator_factory("tests.quantum.test_calculators:ArrayEnergy")()
    energy = atoms.get_potential_energy()
    atoms.calc = EMT()
    assert isinstance(energy, float)
    assert energy == atoms.get_potential_energy()


@pytest.mark.tblite
def test_charge_and_spin_reach_the_calculator() -> None:
    neutral, cation = (
        calculator_factory(charge=charge, multiplicity=multiplicity)
        for charge, multiplicity in ((0, 2), (1, 1))
    )
    energies = []
    for make in (neutral, cation):
        atoms = _dimer()
        atoms.calc = make()
        energies.append(atoms.get_potential_energy())
    assert energies[1] > energies[0] + 5  # ionisation costs eV


@pytest.mark.tblite
def test_electrons_must_fit_the_multiplicity() -> None:
    ammonium = starting_structures("[NH4+]", 1)[0]
    check_spin(ammonium, 1, 1)
    with pytest.raises(DataError, match=r"11 electrons with charge \+0 cannot have multiplicity 1; is the"):
        check_spin(ammonium, 0, 1)


class Spring(Calculator):
    """Two atoms on a spring of 45 eV/Å²; fails beyond 2 Å."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        vector = self.atoms.get_distance(0, 1, mic=True, vector=True)
        d = np.linalg.norm(vector)
        if d > 2.0:
            raise CalculationFailed("too long")
        force = -45.0 * (d - 0.97) * vector / d
        self.results = {"energy": 22.5 * (d - 0.97) ** 2, "forces": np.array([-force, force])}


def _frames(*distances: float) -> FrameSet:
    positions = np.zeros((len(distances), 2, 3))
    positions[:, 1, 2] = distances
    return FrameSet(np.array([8, 1]), positions, np.zeros(len(distances)), np.zeros_like(positions))


def test_frames_are_calculated_one_after_another_at_their_own_or_other_positions() -> None:
    frames, done = _frames(0.97, 1.07), []
    energies, forces = calculate_frames(Spring(), frames, progress=lambda *counts: done.append(counts))
    assert energies == pytest.approx([0.0, 0.225])
    assert forces[:, 1, 2] == pytest.approx([0.0, -4.5])
    assert done == [(1, 2), (2, 2)]
    assert calculate_frames(Spring(), frames, frames.positions[::-1])[0] == pytest.approx([0.225, 0.0])


def test_frames_have_their_own_cells() -> None:
    frames = _frames(2.5, 3.5)
    cells = np.array([np.eye(3) * 3.47, np.eye(3) * 4.57])
    periodic = FrameSet(
        frames.atomic_numbers, frames.positions, frames.energies, frames.forces, cells=cells, pbc=(True,) * 3
    )
    assert calculate_frames(Spring(), periodic)[0] == pytest.approx([0.0, 0.225])


def test_a_frame_that_fails_is_named_or_unknown() -> None:
    frames = _frames(1.0, 3.0, 1.0)
    with pytest.raises(DataError, match=r"frames: Spring fails on frame 1 \(too long\); shorten it"):
        calculate_frames(Spring(), frames, advice="shorten it")
    energies, forces = calculate_frames(Spring(), frames, allow_failures=True)
    assert np.isnan(energies).tolist() == [False, True, False]
    assert np.isnan(forces).all(axis=(1, 2)).tolist() == [False, True, False]


@pytest.mark.parametrize("error", [SCFError("no convergence"), RuntimeError("no convergence")])
def test_failures_of_any_kind_are_allowed(monkeypatch, error) -> None:
    """Calculators of others do not all raise `CalculationFailed`."""
    right = Spring.calculate

    def calculate(self, atoms=None, *arguments):
        if atoms.get_distance(0, 1) > 2.0:
            raise error
        right(self, atoms, *arguments)

    monkeypatch.setattr(Spring, "calculate", calculate)
    energies, _ = calculate_frames(Spring(), _frames(1.0, 3.0, 1.0), allow_failures=True)
    assert np.isnan(energies).tolist() == [False, True, False]
