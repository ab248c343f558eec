"""MD at several temperatures and its distributions: a right force field, and ones that fail in each way."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mdaug.analysis.survival import Life, SurvivalResult
from mdaug.examination import distributions, dynamics
from mdaug.examination.distributions import examine_distributions
from mdaug.examination.dynamics import Plan, examine_dynamics, folder_name
from mdaug.examination.force_field import Budget
from mdaug.examination.runs import run_all
from mdaug.frames import FrameSet
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions
from tests.examination import analytic
from tests.examination.test_parts import LITTLE, examined_of, failing

MUCH = Budget(600.0, 1e-3)


@pytest.fixture
def short(monkeypatch):
    """Two runs of 0.2 ps at each temperature, which decide."""
    monkeypatch.setattr(dynamics, "_plan", lambda examined, budget: Plan(2, 0.2))
    monkeypatch.setattr(dynamics, "SHORTEST_PS", 0.2)
    monkeypatch.setattr(dynamics, "ENOUGH_PS", 0.4)
    monkeypatch.setattr(dynamics, "LEAST_PS", 0.0)


@pytest.mark.parametrize(
    ("calculator", "cause"),
    [
        (analytic.Right, None),
        (analytic.Hidden, "below minimum"),
        (analytic.Flimsy, "bond"),
        (analytic.Heating, "heating"),
    ],
)
def test_lives_and_causes(tmp_path, short, calculator, cause):
    result = examine_dynamics(examined_of(calculator(), tmp_path), MUCH)
    assert [check.name for check in result.checks] == [f"survival at {T} K" for T in (300, 600, 900)]
    runs = result.figures["temperatures"]
    if cause is None:
        assert result.verdict == "passes"
        assert [entry["n_survived"] for entry in runs] == [2, 2, 2]
        assert runs[0]["survived_interval95"][0] == pytest.approx(0.342, abs=0.001)
    else:
        assert result.verdict == "fails"
        assert cause in {found for entry in runs for found in entry["causes"]}


def test_a_lower_conformer_of_the_frames_is_no_spurious_minimum(tmp_path):
    calculator, start = analytic.TwoConformers(), analytic.ethanol()
    oxygen = int(np.flatnonzero(start.numbers == 8)[0])
    hydrogen = next(k for k in calculator.hydroxyl if k != oxygen)
    next_carbon = next(k for k in np.flatnonzero(start.numbers == 6) if k != calculator.methyl)
    turned = start.copy()
    turned.set_dihedral(calculator.methyl, next_carbon, oxygen, hydrogen, 60.0, indices=[hydrogen])
    frames = frames_of(np.array([start.positions, turned.positions]))
    alone = examined_of(calculator, tmp_path, start).minimum_eV
    with_frames = examined_of(calculator, tmp_path, start, frames).minimum_eV
    assert alone - with_frames == pytest.approx(0.4, abs=0.05)


def test_a_minimum_with_a_stretched_bond_is_no_conformer(tmp_path):
    calculator, start = analytic.Hidden(), analytic.ethanol()
    i, j = calculator.hydroxyl
    stretched = start.copy()
    stretched.set_distance(i, j, 1.3, fix=0 if start.numbers[j] == 1 else 1)
    frames = frames_of(np.array([start.positions, stretched.positions]))
    alone = examined_of(calculator, tmp_path, start)
    assert examined_of(calculator, tmp_path, start, frames).minimum_eV == pytest.approx(alone.minimum_eV)


def test_short_runs_without_a_failure_do_not_decide(tmp_path, monkeypatch):
    monkeypatch.setattr(dynamics, "_plan", lambda examined, budget: Plan(1, 0.05))
    monkeypatch.setattr(dynamics, "LEAST_PS", 0.0)
    result = examine_dynamics(examined_of(analytic.Right(), tmp_path), LITTLE)
    assert result.verdict == "cannot tell"
    assert "do not decide it; expected are 30 ps, in runs of at least 10 ps" in result.why
    lives = (Life(12.0), Life(12.0))
    check = partial(dynamics._check, has_minimum=True)
    assert check(SurvivalResult(300.0, 12.0, lives)).verdict == "cannot tell"
    assert check(SurvivalResult(300.0, 12.0, (*lives, Life(12.0)))).verdict == "ok"


def test_without_a_minimum_falls_below_it_cannot_be_excluded():
    lives = (Life(50.0),) * 8
    check = dynamics._check(SurvivalResult(300.0, 50.0, lives), has_minimum=False)
    assert check.verdict == "cannot tell"
    assert "the start structure does not relax" in check.text


def test_too_little_time_for_any_run(tmp_path):
    result = examine_dynamics(examined_of(analytic.Right(), tmp_path), LITTLE)
    assert (result.verdict, result.checks) == ("not run", ())
    assert "--minutes" in result.why


@pytest.mark.parametrize(
    ("positions", "kinetic", "cause"),
    [
        (lambda r: r, np.nan, "heating"),
        (lambda r: r, 1e3, "heating"),
        (lambda r: np.where(np.arange(9)[:, None] == 8, r[7] + 0.1, r), 0.1, "contact"),
        (lambda r: 1.6 * r, 0.1, "bond"),
    ],
)
def test_the_cause_of_each_violation_of_the_guard(positions, kinetic, cause):
    one = analytic.ethanol()
    guard = Guard(one, DynamicsOptions(max_stretch=1.5 if cause == "bond" else 1e6))
    violation = guard.violation(positions(one.positions), 0.0, kinetic)
    assert violation is not None
    assert Life(0.1, violation).cause == cause


@pytest.mark.parametrize(
    ("n_survived", "n_runs", "interval"),
    [(0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0))],
)
def test_intervals_of_wilson(n_survived, n_runs, interval):
    lives = [Life(1.0)] * n_survived + [Life(0.5, "O0-H1 broke")] * (n_runs - n_survived)
    assert SurvivalResult(300.0, 1.0, tuple(lives)).survived_interval == pytest.approx(interval, abs=1e-4)


def shaken(scale, n_frames, seed, stretched=1.0):
    """Return positions of ethanol with normally distributed displacements, all bonds stretched alike."""
    one = analytic.ethanol()
    noise = np.random.default_rng(seed).normal(scale=scale, size=(n_frames, len(one), 3))
    return stretched * one.positions + noise


def frames_of(positions, temperature_K=None):
    numbers = analytic.ethanol().numbers
    energies, forces = np.zeros(len(positions)), np.zeros_like(positions)
    return FrameSet(numbers, positions, energies, forces, temperature_K=temperature_K)


@pytest.mark.parametrize(
    ("runs", "wrong"),
    [
        ({"scale": 0.04}, set()),
        ({"scale": 0.04, "stretched": 1.06}, {"distances", "means of bonds"}),
        ({"scale": 0.08}, {"widths of bonds", "widths of angles"}),
    ],
)
def test_distributions(runs, wrong):
    frames = frames_of(shaken(0.04, 300, seed=1))
    bonds = TrainingBonds.from_frames(frames)
    positions = shaken(n_frames=500, seed=2, **runs)
    result = distributions._compared(frames, bonds, positions, None, 100.0)
    assert set(failing(result)) >= wrong
    assert (result.verdict == "passes") == (not wrong)
    assert len(result.figures["bonds"]) == 8
    assert len(result.figures["angles"]) == 13
    for doubted in (frames_of(frames.positions, 300.0), frames):  # at another temperature, too little MD
        duration = 100.0 if doubted.temperature_K else 1.0
        result = distributions._compared(doubted, bonds, positions, None, duration)
        assert result.verdict == "cannot tell"
        assert "not decide it" in result.why


def test_distributions_are_those_of_the_runs(tmp_path, short):
    examined = examined_of(analytic.Right(), tmp_path, frames=frames_of(shaken(0.04, 60, seed=1)))
    assert "no dynamics at the temperature" in examine_distributions(examined, LITTLE).why
    assert "no held-out frames" in examine_distributions(replace(examined, frames=None), LITTLE).why
    options = DynamicsOptions(ensemble="nvt", steps=2200, equilibration=0.0, frames_every=20)
    run_all(examined, examined.start, options, tmp_path / folder_name(1.0), 1)
    result = examine_distributions(examined, LITTLE)
    assert result.figures["duration_ps"] == pytest.approx(0.1, abs=0.011)
