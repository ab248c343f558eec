import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculationFailed
from ase.constraints import FixAtoms

from mdaug.errors import DataError
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.units import BOLTZMANN_EV_K

pytestmark = pytest.mark.tblite

FILES = ("thermo.csv", "trajectory.dcd", "topology.pdb", "config.json")


def table(folder: Path) -> dict[str, np.ndarray]:
    data = np.genfromtxt(folder / "thermo.csv", delimiter=",", names=True)
    return {name: data[name] for name in data.dtype.names}


def quick(**changes) -> DynamicsOptions:
    return DynamicsOptions(**{"steps": 200, "equilibration": 0.0} | changes)


def stretched(atoms: Atoms) -> Atoms:
    other = atoms.copy()
    other.positions *= 1.05
    return other


def test_energy_is_conserved_and_fluctuates_as_the_time_step_squared(ethanol, springs, tmp_path) -> None:
    fluctuation = {}
    for timestep in (0.5, 0.25, 0.125):
        options = quick(steps=round(100 / timestep), timestep=timestep, thermo_every=round(1 / timestep))
        folder = tmp_path / str(timestep)
        run_dynamics(stretched(ethanol), springs(ethanol, 3.0), options, folder)
        fluctuation[timestep] = table(folder)["total_eV"].std()
    assert fluctuation[0.5] < 0.1 * table(tmp_path / "0.5")["kinetic_eV"].std()
    assert fluctuation[0.5] / fluctuation[0.25] == pytest.approx(4.0, rel=0.05)
    assert fluctuation[0.25] / fluctuation[0.125] == pytest.approx(4.0, rel=0.05)


def test_same_initial_state_as_ase(ethanol, springs, tmp_path) -> None:
    """The loop is ASE's velocity Verlet and nothing else: same energies to rounding."""
    from ase.md.verlet import VelocityVerlet

    from mdaug.geometry.rigid_motion import thermal_momenta
    from mdaug.units import FS

    run_dynamics(ethanol, springs(ethanol), quick(steps=100, seed=5), tmp_path)
    atoms = ethanol.copy()
    atoms.calc = springs(ethanol)
    masses = atoms.get_masses()
    atoms.set_momenta(thermal_momenta(atoms.positions, masses, 300.0, 6, np.random.default_rng(5)))
    VelocityVerlet(atoms, 0.5 * FS).run(100)
    last = {name: column[-1] for name, column in table(tmp_path).items()}
    assert last["step"] == 100
    assert last["time_fs"] == 50.0
    assert last["potential_eV"] == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
    assert last["kinetic_eV"] == pytest.approx(atoms.get_kinetic_energy(), rel=1e-12)
    assert last["temperature_K"] == pytest.approx(atoms.get_temperature() * 27 / 21, rel=1e-12)


def test_one_evaluation_a_step(ethanol, springs, tmp_path) -> None:
    calculator = springs(ethanol)
    run_dynamics(ethanol, calculator, quick(steps=100, thermo_every=7, frames_every=3), tmp_path)
    assert calculator.evaluations == 101


def test_runs_start_near_the_mean_energy(ethanol, springs, tmp_path) -> None:
    """Total energies of canonical states scatter by √21 kT; a start at the mean energy does much less."""
    excess = []
    for seed in range(4):
        options = quick(steps=0, timestep=1.0, equilibration=0.4, friction=100.0, seed=seed)
        run_dynamics(ethanol, springs(ethanol), options, tmp_path / str(seed))
        total = float((tmp_path / str(seed) / "thermo.csv").read_text().splitlines()[1].split(",")[4])
        excess.append(total / (300.0 * BOLTZMANN_EV_K) - 21.0)
    assert np.sqrt(np.mean(np.square(excess))) < 0.5 * np.sqrt(21)


def test_results_are_written(ethanol, springs, tmp_path) -> None:
    calls = []
    options = quick(steps=105, equilibration=0.05)
    result = run_dynamics(
        ethanol, springs(ethanol), options, tmp_path, progress=lambda *args: calls.append(args)
    )
    written = json.loads((tmp_path / "nve.json").read_text())
    assert written["completed_steps"] == 105
    assert written["stopped_because"] is None
    assert written["steps_per_second"] == result.steps_per_second > 0
    assert written["degrees_of_freedom"] == 21
    assert written["mean_temperature_K"] == pytest.approx(table(tmp_path)["temperature_K"].mean())
    assert calls[0] == ("equilibration", 10, 100)
    assert calls[-1] == ("dynamics", 105, 105)
    header = (tmp_path / "thermo.csv").read_text().splitlines()[0]
    assert header == "step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K"


class Kill(BaseException):
    """Stands for kill -9 inside the process: nothing catches it."""


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
@pytest.mark.parametrize("killed_at", [37, 80])
def test_resumed_run_equals_the_uninterrupted_one(ethanol, springs, tmp_path, ensemble, killed_at) -> None:
    options = quick(
        ensemble=ensemble, steps=120, equilibration=0.01, thermo_every=5, frames_every=7, checkpoint_every=0
    )
    run_dynamics(ethanol, springs(ethanol), options, tmp_path / "whole")

    dying = springs(ethanol)
    calculate = dying.calculate

    def until_killed(*args, **kwargs):
        if dying.evaluations == killed_at + 20:
            raise Kill
        calculate(*args, **kwargs)

    dying.calculate = until_killed
    folder = tmp_path / "killed"
    with pytest.raises(Kill):
        run_dynamics(ethanol, dying, options, folder)
    assert int(np.load(folder / "restart.npz")["integers"][0]) >= killed_at - 7  # not that of the start
    with (folder / "thermo.csv").open("a") as thermo, (folder / "trajectory.dcd").open("ab") as trajectory:
        thermo.write("100,50.0,-1.0")  # a row that the kill cut off
        trajectory.write(b"\0" * 100)
    result = run_dynamics(ethanol, springs(ethanol), options, folder, resume=True)
    assert result.completed_steps == 120
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole, resumed = np.load(tmp_path / "whole" / "restart.npz"), np.load(folder / "restart.npz")
    for key in whole.files:
        assert np.array_equal(whole[key], resumed[key]), key


def test_kill_9_at_random_moments_loses_nothing(ethanol, springs, tmp_path) -> None:
    options = quick(steps=1500, equilibration=0.02, checkpoint_every=0.01)
    run_dynamics(ethanol, springs(ethanol), options, tmp_path / "whole")
    folder, rng, exit_codes = tmp_path / "killed", np.random.default_rng(0), []
    fork = multiprocessing.get_context("fork")
    for _ in range(5):
        process = fork.Process(
            target=run_dynamics,
            args=(ethanol, springs(ethanol), options, folder),
            kwargs={"resume": folder.exists()},
        )
        process.start()
        time.sleep(0.05 + 0.25 * rng.random())
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        exit_codes.append(process.exitcode)
    assert exit_codes.count(-signal.SIGKILL) >= 2  # else there was nothing to resume
    run_dynamics(ethanol, springs(ethanol), options, folder, resume=True)
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_finished_run_can_be_extended(ethanol, springs, tmp_path) -> None:
    run_dynamics(ethanol, springs(ethanol), quick(steps=200), tmp_path / "whole")
    run_dynamics(ethanol, springs(ethanol), quick(steps=83), tmp_path / "parts")
    run_dynamics(ethanol, springs(ethanol), quick(steps=200), tmp_path / "parts", resume=True)
    assert (tmp_path / "parts" / "thermo.csv").read_bytes() == (
        tmp_path / "whole" / "thermo.csv"
    ).read_bytes()


def test_resuming_as_another_run_is_refused(ethanol, springs, tmp_path) -> None:
    run_dynamics(ethanol, springs(ethanol), quick(), tmp_path)
    with pytest.raises(DataError, match=r"cannot resume with timestep 1.0: it was 0.5"):
        run_dynamics(ethanol, springs(ethanol), quick(timestep=1.0), tmp_path, resume=True)
    with pytest.raises(DataError, match="at step 200 already"):
        run_dynamics(ethanol, springs(ethanol), quick(steps=100), tmp_path, resume=True)
    with pytest.raises(DataError, match="cannot resume with other atoms"):
        run_dynamics(Atoms("N2", [[0, 0, 0], [0, 0, 1.1]]), springs(ethanol), quick(), tmp_path, resume=True)
    with pytest.raises(DataError, match="holds another run"):
        run_dynamics(ethanol, springs(ethanol), quick(), tmp_path)


@pytest.mark.parametrize("name", ["config.json", "thermo.csv", "trajectory.dcd"])
def test_files_of_others_are_not_replaced(ethanol, springs, tmp_path, name) -> None:
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(DataError, match=rf"{name}(: not written by mdaug| is of no run of mdaug)"):
        run_dynamics(ethanol, springs(ethanol), quick(), tmp_path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, '{"mine": 1}')]


def test_a_run_that_blows_up_stops_and_says_why(ethanol, springs, tmp_path) -> None:
    result = run_dynamics(ethanol, springs(ethanol), quick(timestep=9.0), tmp_path)
    assert result.stopped_because is not None
    assert result.completed_steps < 200
    written = json.loads((tmp_path / "nve.json").read_text())
    assert written["stopped_because"] == result.stopped_because
    assert f"at step {written['completed_steps']}" in written["stopped_because"]
    assert table(tmp_path)["step"][-1] == written["completed_steps"]
    assert written["completed_steps"] % 20 != 0  # no frame is due at this step, but the broken state is shown
    universe = MDAnalysis.Universe(str(tmp_path / "topology.pdb"), str(tmp_path / "trajectory.dcd"))
    assert len(universe.trajectory) == written["completed_steps"] // 20 + 2
    assert int(np.load(tmp_path / "restart.npz")["integers"][0]) < written["completed_steps"]


def test_without_guard_only_nan_stops(ethanol, springs, tmp_path) -> None:
    options = quick(timestep=9.0, guard=False, steps=20000)
    with np.errstate(all="ignore"):
        result = run_dynamics(ethanol, springs(ethanol), options, tmp_path)
    assert result.stopped_because.startswith("energy or positions are not finite, at step")


def test_the_ranges_of_a_models_manifest_reach_the_guard(ethanol, springs, tmp_path) -> None:
    stretched_hydroxyl = ethanol.copy()
    stretched_hydroxyl.positions[3] += 0.4 * (ethanol.positions[3] - ethanol.positions[2])
    calculator, options = springs(stretched_hydroxyl, 2.0), quick(steps=80)
    assert "bond O2-H3" in run_dynamics(ethanol, calculator, options, tmp_path / "plain").stopped_because
    bond = {"atoms": [2, 3], "mean_A": 1.2, "range_A": [0.9, 2.0]}
    structure = {"atomic_numbers": ethanol.numbers.tolist(), "positions": ethanol.positions.tolist()}
    calculator.manifest = {"training": {"bonds": [bond], "reference_structure": structure}}
    assert run_dynamics(ethanol, calculator, options, tmp_path / "trained").stopped_because is None


def test_a_structure_unlike_the_training_frames_is_recorded(ethanol, springs, tmp_path) -> None:
    trained = {"atomic_numbers": ethanol.numbers.tolist(), "positions": ethanol.positions.tolist()}
    for name, atoms in (("same", ethanol), ("other", molecule("CH3COCH3"))):
        calculator = springs(atoms)
        calculator.manifest = {"training": {"reference_structure": trained}}
        result = run_dynamics(atoms, calculator, quick(steps=10), tmp_path / name)
        written = json.loads((tmp_path / name / "nve.json").read_text())["unlike_training"]
        assert written == list(result.unlike_training)
        assert [text[:32] for text in written] == (
            [] if name == "same" else ["trained on C2H6O; this is C3H6O:"]
        )


def test_a_calculator_that_refuses_the_structure_leaves_no_record_of_a_run(
    ethanol, springs, tmp_path
) -> None:
    strict = springs(ethanol)
    strict.calculate = lambda *args, **kwargs: (_ for _ in ()).throw(DataError("trained on CH4O"))
    with pytest.raises(DataError, match="trained on CH4O"):
        run_dynamics(ethanol, strict, quick(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_blow_up_in_the_equilibration_is_told(ethanol, springs, tmp_path) -> None:
    options = quick(timestep=9.0, equilibration=1.0)
    result = run_dynamics(ethanol, springs(ethanol), options, tmp_path)
    assert "into the equilibration" in result.stopped_because
    assert json.loads((tmp_path / "nve.json").read_text())["completed_steps"] == 0


@pytest.mark.parametrize("evaluation", [13, 153, 203])
def test_forces_that_are_not_finite_end_the_equilibration(ethanol, springs, tmp_path, evaluation) -> None:
    """In the first half, in the second, whose energies are averaged, and where the mean is waited for."""
    breaking = springs(ethanol)
    calculate = breaking.calculate

    def break_late(*args, **kwargs):
        calculate(*args, **kwargs)
        if breaking.evaluations > evaluation:
            breaking.results["forces"] = breaking.results["forces"] * np.nan

    breaking.calculate = break_late
    result = run_dynamics(ethanol, breaking, quick(timestep=1.0, equilibration=0.2, seed=2), tmp_path)
    assert result.stopped_because.startswith("energy or positions are not finite, ")
    assert result.stopped_because.endswith(" fs into the equilibration")


def test_a_failing_calculator_stops_the_run(ethanol, springs, tmp_path) -> None:
    failing = springs(ethanol)
    calculate = failing.calculate

    def fail_late(*args, **kwargs):
        if failing.evaluations == 51:
            raise CalculationFailed("SCF not converged")
        calculate(*args, **kwargs)

    failing.calculate = fail_late
    result = run_dynamics(ethanol, failing, quick(), tmp_path / "late")
    assert result.stopped_because == "the calculator failed after step 50: SCF not converged"
    failing.evaluations = 51
    with pytest.raises(DataError, match="cannot evaluate the start structure: SCF not converged"):
        run_dynamics(ethanol, failing, quick(), tmp_path / "early")


def test_structures_that_cannot_move_are_refused(ethanol, springs, tmp_path) -> None:
    with pytest.raises(DataError, match="at least two atoms"):
        run_dynamics(Atoms("Ar"), springs(ethanol), quick(), tmp_path / "1")
    fixed = ethanol.copy()
    fixed.set_constraint(FixAtoms([0]))
    with pytest.raises(DataError, match="constraints"):
        run_dynamics(fixed, springs(ethanol), quick(), tmp_path / "2")


def test_periodic_cell(tmp_path) -> None:
    from ase.calculators.emt import EMT

    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    result = run_dynamics(atoms, EMT(), quick(steps=40, timestep=2.0), tmp_path)
    assert result.degrees_of_freedom == 3 * 32 - 3
    assert result.stopped_because is None
    energies = table(tmp_path)["total_eV"]
    assert np.ptp(energies) < 1e-3


def test_ethanol_with_gfn2_xtb_conserves_energy(ethanol, tmp_path) -> None:
    from tblite.ase import TBLite

    calculator = TBLite(method="GFN2-xTB", verbosity=0)
    result = run_dynamics(ethanol, calculator, quick(steps=100), tmp_path)
    assert result.stopped_because is None
    columns = table(tmp_path)
    assert columns["total_eV"].std() < 0.05 * columns["kinetic_eV"].std()
