"""Each part passes a right force field and fails one that is wrong in what the part measures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import CalculationFailed, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from mdaug.examination.accuracy import examine_accuracy
from mdaug.examination.bonds import examine_bonds
from mdaug.examination.conservation import examine_conservation
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.parts import PARTS, _examined, examine
from mdaug.examination.symmetry import equivalent_atoms, examine_symmetry
from mdaug.frames import FrameSet
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.prepare import make_ase_integrator
from mdaug.quantum.calculators import calculate_frames
from tests.examination import analytic

LITTLE = Budget(0.0, 1e-3)
"""Time for the fewest evaluations only."""


def examined_of(calculator, folder, atoms=None, frames=None):
    atoms = analytic.ethanol() if atoms is None else atoms
    return ExaminedForceField(calculator.__class__.__name__, calculator, atoms, folder, {}, frames=frames)


def held_out(n_frames=6):
    one = analytic.ethanol()
    noise = np.random.default_rng(3).normal(scale=0.05, size=(n_frames, len(one), 3))
    empty = FrameSet(one.numbers, one.positions + noise, np.zeros(n_frames), np.zeros_like(noise))
    energies, forces = calculate_frames(analytic.Right(), empty)
    return FrameSet(one.numbers, empty.positions, energies, forces, temperature_K=300.0, name="held out")


def failing(result):
    return [check.name for check in result.checks if check.verdict in ("error", "warning")]


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, []),
        (analytic.Shifted, []),
        (analytic.Stiff, ["forces", "centered energies"]),
    ],
)
def test_accuracy_is_of_centered_energies_and_forces(tmp_path, calculator, wrong):
    result = examine_accuracy(examined_of(calculator(), tmp_path, frames=held_out()), LITTLE)
    assert failing(result) == wrong
    assert result.verdict == ("fails" if wrong else "passes")


def test_accuracy_is_not_run_without_frames(tmp_path):
    result = examine_accuracy(examined_of(analytic.Right(), tmp_path), LITTLE)
    assert (result.verdict, result.why) == (
        "not run",
        "There are no held-out frames; name some as DATA.",
    )


def test_accuracy_is_not_run_where_the_calculator_fails(tmp_path):
    class Fails(analytic.Right):
        """Fails with the error of ASE on all but the first frame."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            if np.abs(atoms.positions - frames.positions[0]).max() > 1e-6:
                raise CalculationFailed("no convergence")
            super().calculate(atoms, properties, system_changes)

    frames = held_out()
    examined = examined_of(Fails(), tmp_path, frames=frames)
    result = _examined(next(part for part in PARTS if part.name == "accuracy"), examined, LITTLE)
    assert result.verdict == "not run"
    assert "Fails fails on frame 1 (no convergence)" in result.why


def test_frames_of_the_training_and_one_frame_do_not_show_accuracy(tmp_path):
    seen = replace(examined_of(analytic.Right(), tmp_path, frames=held_out()), may_be_trained_on=True)
    result = examine_accuracy(seen, LITTLE)
    assert result.verdict == "cannot tell"
    assert "trained on these frames" in result.why
    one = examine_accuracy(examined_of(analytic.Right(), tmp_path, frames=held_out(1)), LITTLE)
    assert {check.name: check.verdict for check in one.checks} == {
        "forces": "ok",
        "centered energies": "cannot tell",
    }


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, []),
        (analytic.Placed, ["translation"]),
        (analytic.Oriented, ["rotation"]),
        (analytic.Numbered, ["exchange of equal atoms"]),
    ],
)
def test_symmetry(tmp_path, calculator, wrong):
    result = examine_symmetry(examined_of(calculator(), tmp_path), LITTLE)
    assert failing(result) == wrong
    assert len(result.checks) == 3


@pytest.mark.parametrize("pair", equivalent_atoms(analytic.ethanol()))
def test_each_exchange_of_equal_atoms_is_tried(tmp_path, pair):
    class Favors(analytic.Right):
        """An energy that depends on which of two equal atoms is which."""

        def fault(self, r):
            return 0.1 * (r[pair[0]] - r[0]).norm() + 0.1 * (r[pair[1]] - r[0]).norm() ** 2

    assert failing(examine_symmetry(examined_of(Favors(), tmp_path), LITTLE)) == ["exchange of equal atoms"]


@pytest.mark.parametrize("what", ["energy", "forces"])
def test_numbers_that_are_not_finite_fail_and_are_written(tmp_path, what):
    class Unknown(analytic.Right):
        """Gives NaN."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results[what] = np.nan * self.results[what]

    names = ["symmetry", "gradient", "extensivity", "minimum", "bonds", "shapes", "conservation", "dynamics"]
    results = examine(examined_of(Unknown(), tmp_path), names, 60.0, {}, lambda *_: None)
    assert [results[name].verdict for name in names] == ["fails"] * 4 + ["not run"] * 4
    json.dumps([result.to_json() for result in results.values()], allow_nan=False)


def test_equal_atoms_are_those_on_one_neighbor():
    one = analytic.ethanol()
    hydrogens = {tuple(sorted(one.numbers[[i, j]])) for i, j in equivalent_atoms(one)}
    assert hydrogens == {(1, 1)}
    assert len(equivalent_atoms(one)) == 3 + 1  # of CH3 and of CH2


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, []),
        (analytic.Turning, ["energy drift at 0.5 fs", "time step"]),
        (analytic.Stepped, ["energy drift at 0.5 fs", "time step"]),
    ],
)
def test_energy_is_conserved_with_the_law_of_the_time_step(tmp_path, calculator, wrong):
    result = examine_conservation(examined_of(calculator(), tmp_path), LITTLE)
    if wrong:
        assert set(failing(result)) & set(wrong)
    else:
        assert failing(result) == []
    drifts = [check.name for check in result.checks if check.name.startswith("energy drift")]
    assert drifts == ["energy drift at 0.5 fs", "energy drift at 0.25 fs"]
    if calculator is analytic.Right:
        assert result.figures["timestep_scaling"]["exponent"] == pytest.approx(2.0, abs=0.1)


def test_a_part_without_time_is_not_run_and_may_be_run_later(tmp_path):
    examined = examined_of(analytic.Right(), tmp_path)
    told = []
    results = examine(examined, ["symmetry", "conservation"], 0.0, {}, lambda name, _: told.append(name))
    assert {result.verdict for result in results.values()} == {"not run"}
    assert "were left" in results["symmetry"].why
    assert told == ["symmetry", "conservation"]
    later = examine(examined, ["symmetry"], 60.0, {}, lambda *_: None)
    assert later["symmetry"].verdict == "passes"
    again = examine(examined, ["symmetry"], 0.0, later, lambda name, _: told.append(name))
    assert again == later
    assert told == ["symmetry", "conservation"]  # what is finished is not examined again


def test_a_part_in_which_the_calculator_raises_is_not_run(tmp_path):
    class Moody(analytic.Right):
        """Fails where the molecule has been moved by more than 5 Å."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            if np.abs(atoms.positions).max() > 5.0:
                raise RuntimeError("too far out")
            super().calculate(atoms, properties, system_changes)

    results = examine(examined_of(Moody(), tmp_path), ["gradient", "symmetry"], 60.0, {}, lambda *_: None)
    assert results["symmetry"].verdict == "not run"
    assert results["symmetry"].why == "The calculator failed (RuntimeError: too far out)."
    assert results["gradient"].verdict == "passes"


def test_an_error_in_our_own_code_is_not_the_calculators(tmp_path, monkeypatch):
    def broken(examined, budget):
        examined.evaluate(examined.start)
        return {}["missing"]

    parts = [replace(part, examine=broken) if part.name == "gradient" else part for part in PARTS]
    monkeypatch.setattr("mdaug.examination.parts.PARTS", tuple(parts))
    with pytest.raises(KeyError, match="missing"):
        examine(examined_of(analytic.Right(), tmp_path), ["gradient"], 60.0, {}, lambda *_: None)


def test_a_calculator_that_fails_at_the_start_is_examined_in_no_part(tmp_path):
    class Broken(analytic.Right):
        """Raises what it likes."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            raise ValueError("no parameters for carbon")

    seen = []
    examined = examined_of(Broken(), tmp_path)
    results = examine(examined, ["gradient", "symmetry"], 60.0, {}, lambda name, _: seen.append(name))
    assert seen == ["symmetry", "gradient"]
    reasons = {result.why for result in results.values()}
    assert reasons == {"The calculator failed (ValueError: no parameters for carbon)."}


def test_equal_atoms_without_a_common_neighbor_are_exchanged(tmp_path):
    class Benzene(EMT):
        """A C-H bond of benzene is unlike the five others."""

        stiff = 0.0

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] += self.stiff * (atoms.get_distance(0, 6) - 1.08) ** 2

    class Indexed(Benzene):
        stiff = 2.0

    for calculator, wrong in ((Benzene, []), (Indexed, ["exchange of equal atoms"])):
        examined = examined_of(calculator(), tmp_path, molecule("C6H6"))
        vars(examined)["minimum"] = examined.start  # with forces of another energy nothing relaxes
        result = examine_symmetry(examined, LITTLE)
        assert failing(result) == wrong and len(result.checks) == 3
        assert len(result.figures["exchange of equal atoms"]) == 11  # of a hexagon, without the identity


def test_the_value_beside_a_limit_is_the_one_that_is_beyond_it(tmp_path):
    """The forces of Turning change in a rotation, its energy does not."""
    result = examine_symmetry(examined_of(analytic.Turning(), tmp_path), LITTLE)
    (wrong,) = [check for check in result.checks if check.verdict == "error"]
    assert wrong.name == "rotation" and wrong.value > wrong.limit


@pytest.mark.parametrize("one", [0, 1, 3])
def test_a_calculator_that_fails_once_at_the_start_is_examined(tmp_path, one):
    class FailsOnce(analytic.Right):
        """Does not converge in one evaluation."""

        n_evaluations = 0

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            self.n_evaluations += 1
            if self.n_evaluations == 1 + one:
                raise RuntimeError("no convergence")
            super().calculate(atoms, properties, system_changes)

    results = examine(examined_of(FailsOnce(), tmp_path), ["gradient"], 60.0, {}, lambda *_: None)
    assert results["gradient"].verdict == "passes"


class FailsWhereStretched(analytic.Right):
    """Raises an error of no class of ASE where an atom has lost its neighbors."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if (atoms.get_all_distances() + 9.0 * np.eye(len(atoms))).min(axis=0).max() > 1.9:
            raise RuntimeError("an atom without neighbors")
        super().calculate(atoms, properties, system_changes)


def test_points_at_which_any_calculator_fails_are_left_out(tmp_path):
    examined = examined_of(FailsWhereStretched(), tmp_path)
    result = examine_bonds(examined, LITTLE)
    undecided = {check.name for check in result.checks if check.verdict == "cannot tell"}
    assert undecided == {"last distance", "failed points"}
    assert failing(result) == []


@pytest.mark.parametrize(
    ("low", "high", "undecided"),
    [(0.0, 0.6, {"first distance"}), (1.0, 2.0, set()), (2.7, 9.0, {"last distance"})],
)
def test_points_that_are_left_out_are_not_judged(tmp_path, low, high, undecided):
    class Fails(analytic.Right):
        """Fails at some lengths of the O-H bond."""

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            if low < atoms.get_distance(*self.hydroxyl) < high:
                raise RuntimeError("no convergence")
            super().calculate(atoms, properties, system_changes)

    result = examine_bonds(examined_of(Fails(), tmp_path), LITTLE)
    assert failing(result) == []
    assert {check.name for check in result.checks if check.verdict == "cannot tell"} - {
        "failed points"
    } == undecided


def test_only_what_the_calculator_raises_ends_a_run(tmp_path):
    hot = DynamicsOptions(ensemble="nvt", temperature=30_000.0, steps=400, equilibration=0.0, guard=False)
    start = analytic.ethanol()
    result = run_dynamics(start, FailsWhereStretched(), hot, tmp_path / "run")
    assert result.stopped_because.endswith("an atom without neighbors")
    assert 0 < result.completed_steps < 400

    def make(*given):
        integrator = make_ase_integrator(*given)
        integrator.advance = lambda n_steps: {}["missing"]
        return integrator

    with pytest.raises(KeyError, match="missing"):
        run_dynamics(start, analytic.Right(), hot, tmp_path / "bug", make_integrator=make)


def test_atoms_without_bonds_have_no_dynamics_to_judge(tmp_path):
    argon = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]])
    examined = examined_of(LennardJones(sigma=3.4, epsilon=0.01, rc=20.0), tmp_path, argon)
    names = ["symmetry", "extensivity", "bonds", "shapes", "distributions"]
    results = examine(examined, names, 60.0, {}, lambda *_: None)
    assert {name: result.verdict for name, result in results.items()} == {
        "symmetry": "passes",
        "extensivity": "passes",
        "bonds": "not run",
        "shapes": "not run",
        "distributions": "not run",
    }
