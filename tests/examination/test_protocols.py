"""Published protocols: their numbers, the criteria of failure, and their runs."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.deployment import export_model, read_manifest
from mdaug.examination import protocol_runs, protocols
from mdaug.examination.force_field import Budget
from mdaug.examination.protocol_runs import examine_protocol
from mdaug.examination.protocols import (
    PROTOCOLS,
    ended_early,
    explosion_or_lost_hydrogen,
    lost_hydrogens,
)
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K, thermal_momenta
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md.core_integrator import core_integrators
from mdaug.md.nose_hoover import NoseHooverIntegrator, nose_hoover_integrators
from mdaug.md.options import DynamicsOptions
from tests.examination import analytic
from tests.examination.test_parts import LITTLE, examined_of, failing


def test_numbers_of_the_sources():
    steps = {name: protocol.n_steps for name, protocol in PROTOCOLS.items()}
    assert steps == {
        "forces-are-not-enough": 600_000,
        "stable": 2_000_000,
        "mlipaudit": 100_000,
        "ramp": 20_000,
    }
    assert PROTOCOLS["stable"].temperatures_K == (500.0, 700.0)
    assert all(protocol.doi.startswith("10.48550/arXiv.") for protocol in PROTOCOLS.values())


def table(folder, temperatures, dt_fs=100.0):
    lines = ["step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K"]
    lines += [f"{k},{k * dt_fs},0.0,0.1,0.1,{T}" for k, T in enumerate(temperatures)]
    (folder / "thermo.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("temperatures", "at"),
    [
        ([300.0, 10_301.0, 300.0], (0.1, "the temperature exploded")),
        ([3.0, 299.0, 305.0], None),
        ([2.0, 300.0, 300.0], (0.1, "the temperature exploded")),
        ([300.0, float("nan"), 300.0], (0.1, "the temperature exploded")),
        ([300.0, 10_299.0, 300.0], None),
        ([300.0, 310.0], (0.1, "the run ended early")),
    ],
)
def test_an_explosion(tmp_path, monkeypatch, temperatures, at):
    class Still:
        trajectory = ()

    monkeypatch.setattr(protocols, "open_trajectory", lambda folder: Still)
    monkeypatch.setattr(protocols, "lost_hydrogens", lambda positions, bonds: np.zeros(3, dtype=bool))
    table(tmp_path, temperatures)
    length_ps = 0.31 if len(temperatures) < 3 else 0.2
    failure = explosion_or_lost_hydrogen(tmp_path, None, length_ps)
    assert (failure and (failure.time_ps, failure.text)) == at
    if at is not None:
        assert failure.score == pytest.approx(0.5 * at[0] / length_ps)


def test_a_hydrogen_is_lost_if_it_stays_away():
    water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    bonds = TrainingBonds(
        water.numbers, np.array([[0, 1], [0, 2]]), np.array([0.96, 0.96]), np.full((2, 2), 0.9)
    )
    positions = np.tile(water.positions, (5, 1, 1))
    positions[[1, 3, 4], 1, 0] = 2.6
    assert lost_hydrogens(positions, bonds).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(("n_rows", "score"), [(11, None), (6, 0.5)])
def test_a_ramp_that_ends_early(tmp_path, n_rows, score):
    table(tmp_path, [300.0] * n_rows, dt_fs=1000.0)
    failure = ended_early(tmp_path, None, 10.0)
    assert (failure and failure.score) == score


@pytest.fixture
def short(monkeypatch):
    """All protocols with runs of 0.1 ps, and no more than three of them."""
    for name, protocol in list(PROTOCOLS.items()):
        changed = replace(protocol, length_ps=0.1, record_every=10, n_runs=min(3, protocol.n_runs))
        monkeypatch.setitem(PROTOCOLS, name, changed)
    monkeypatch.setattr(protocol_runs, "TRIAL_STEPS", 20)


@pytest.mark.parametrize("name", ["forces-are-not-enough", "stable", "ramp"])
def test_a_right_force_field_passes(tmp_path, short, name):
    result = examine_protocol(name)(examined_of(analytic.Right(), tmp_path), Budget(60.0, 1e-3))
    assert result.verdict == "passes", result.why
    assert len(result.checks) == len(PROTOCOLS[name].temperatures_K)
    assert result.figures["temperatures"][0]["n_runs"] == PROTOCOLS[name].n_runs


def test_a_flimsy_force_field_fails(tmp_path, short):
    result = examine_protocol("stable")(examined_of(analytic.Flimsy(), tmp_path), Budget(60.0, 1e-3))
    assert failing(result) == ["survival at 500 K", "survival at 700 K"]


def test_fewer_runs_than_the_protocol_asks_for_do_not_pass(tmp_path, short, monkeypatch):
    monkeypatch.setattr(protocol_runs, "_speed", lambda protocol, examined, folder: (1, 25.0))
    result = examine_protocol("stable")(examined_of(analytic.Right(), tmp_path), Budget(50.0, 1e-3))
    assert result.verdict == "cannot tell"
    assert "asks for 3 runs" in result.why


def test_a_fall_below_the_minimum_is_stated_beside_the_verdict(tmp_path, short, monkeypatch):
    """The criterion of a protocol does not see it: bonds may be whole, and energies finite."""
    examined = examined_of(analytic.Right(), tmp_path)
    monkeypatch.setattr(type(examined), "minimum_eV", examined.relaxed.energy_eV + 1000.0)
    result = examine_protocol("ramp")(examined, Budget(60.0, 1e-3))
    assert result.verdict == "passes"
    assert (
        "Not judged by the protocol: 1 of 1 runs fell 5 kcal/mol below the minimum, the first after 0 ps"
        in result.why
    )
    assert result.figures["temperatures"][0]["fell_at_ps"] == [0.0]


def test_fewer_runs_at_once_where_not_all_fit(tmp_path, short, monkeypatch):
    """Eight runs at once take 400 s and each temperature has 150 s: three fit."""
    monkeypatch.setattr(protocol_runs, "_speed", lambda protocol, examined, folder: (8, 400.0))
    result = examine_protocol("stable")(examined_of(analytic.Right(), tmp_path), Budget(300.0, 1e-3))
    assert [entry["n_runs"] for entry in result.figures["temperatures"]] == [3, 3]
    monkeypatch.setattr(protocol_runs, "_speed", lambda protocol, examined, folder: (8, 24_000.0))
    result = examine_protocol("stable")(examined_of(analytic.Right(), tmp_path), Budget(300.0, 1e-3))
    assert result.verdict == "not run"
    assert "One run of 0.1 ps at each temperature would take 100 minutes; 5 are left" in result.why


def test_a_protocol_that_does_not_fit_is_not_run(tmp_path):
    result = examine_protocol("mlipaudit")(examined_of(analytic.Right(), tmp_path), LITTLE)
    assert result.verdict == "not run"
    assert "minutes" in result.why


def moving(kelvin):
    atoms = analytic.ethanol()
    atoms.calc = analytic.Right()
    momenta = thermal_momenta(atoms.positions, atoms.get_masses(), kelvin, 6, np.random.default_rng(0))
    atoms.set_momenta(momenta)
    return atoms


def test_nose_hoover_conserves_the_energy_with_that_of_its_thermostat():
    ranges = []
    for timestep in (0.5, 0.25):
        options = DynamicsOptions(temperature=300.0, timestep=timestep, steps=1)
        integrator = NoseHooverIntegrator(moving(300.0), options, 14.14)
        energies = [integrator.conserved_eV]
        for _ in range(40):
            integrator.advance(round(0.5 / timestep))
            energies.append(integrator.conserved_eV)
        ranges.append(np.ptp(energies))
    assert ranges[0] < 0.02
    assert ranges[1] < 0.4 * ranges[0]  # as the time step squared
    assert abs(integrator.heat_eV) > 0.01  # it does exchange energy


def test_nose_hoover_in_the_core(make_model, tmp_path):
    """The core moves a molecule as ASE does."""
    model = export_model(make_model(), tmp_path / "m.pt", training={})
    options = DynamicsOptions(ensemble="nvt", temperature=300.0, timestep=0.5, steps=20)
    core = core_integrators(
        model, read_manifest(model), moving(300.0), ensemble="nve", dtype="float64", device="cpu"
    )
    ends = []
    for verlet in (None, core):
        atoms = moving(300.0)
        atoms.calc = MDAugCalculator(model, dtype="float64", strict=None)
        integrator = nose_hoover_integrators(14.14, None, verlet)(atoms, options, None, None)
        assert integrator.advance(20) == 20
        ends.append((atoms.positions.copy(), integrator.potential_eV, integrator.conserved_eV))
    for first, second in zip(*ends, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-9)


def test_nose_hoover_follows_a_ramp():
    options = DynamicsOptions(temperature=300.0, timestep=0.5, steps=800)
    atoms = moving(300.0)
    integrator = NoseHooverIntegrator(atoms, options, 25.0, last_K=1500.0)
    temperatures = []
    for _ in range(80):
        assert integrator.advance(10) == 10
        temperatures.append(temperature_K(atoms.get_kinetic_energy(), degrees_of_freedom(atoms)))
    assert integrator.target_K == pytest.approx(1500.0)
    assert np.mean(temperatures[:10]) < 600.0
    assert 900.0 < np.mean(temperatures[-20:]) < 1900.0
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-9
