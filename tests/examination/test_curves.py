"""Bonds, bends, torsions, contacts, minimum and extensivity: a right force field, and ones that are wrong."""

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.calculator import CalculationFailed, all_changes

from mdaug.examination.bonds import examine_bonds
from mdaug.examination.curves import follow
from mdaug.examination.extensivity import examine_extensivity
from mdaug.examination.minimum import examine_minimum
from mdaug.examination.shapes import coordinates, examine_shapes
from mdaug.geometry.bonds import find_bonds
from mdaug.quantum.scan_motions import Motion
from tests.examination import analytic
from tests.examination.test_parts import LITTLE, examined_of, failing


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, set()),
        (analytic.Pocket, {"extrema"}),
        (analytic.Stepped, {"jumps"}),
        (analytic.Sunken, {"walls"}),
        (analytic.Endless, {"force after dissociation"}),
        (analytic.Unbound, {"extrema", "energy of dissociation"}),
    ],
)
def test_bonds(tmp_path, calculator, wrong):
    result = examine_bonds(examined_of(calculator(), tmp_path), LITTLE)
    assert set(failing(result)) >= wrong
    if not wrong:
        assert failing(result) == []
        assert len(result.figures["curves"]) == 8


def test_bonds_are_scanned_while_the_time_lasts(tmp_path):
    examined = examined_of(analytic.Right(), tmp_path)
    short = examine_bonds(examined, replace(LITTLE, seconds_of_all=0.0))
    assert (short.verdict, short.is_complete) == ("cannot tell", False)
    assert "1 of 8 bonds were scanned in the time" in short.why
    assert [curve["name"] for curve in short.figures["curves"]] == ["bond C0-C1"]

    class Counted(analytic.Right):
        n = 0

        def calculate(self, *arguments):
            Counted.n += 1
            super().calculate(*arguments)

    continued = replace(examined, calculator=Counted())
    continued.minimum  # noqa: B018
    n_relaxation = Counted.n
    rest = examine_bonds(continued, LITTLE)
    assert (rest.verdict, rest.is_complete, len(rest.figures["curves"])) == ("passes", True, 8)
    n_rest = Counted.n - n_relaxation
    assert examine_bonds(continued, LITTLE).figures == rest.figures
    n_all = Counted.n - n_relaxation - n_rest
    assert n_rest <= 7 * n_all / 8


class Limp(analytic.Right):
    """A hundredth of the energy."""

    def one_molecule(self, r):
        return 0.01 * super().one_molecule(r)


def test_scans_of_another_force_field_are_not_continued(tmp_path):
    examine_bonds(examined_of(Limp(), tmp_path), replace(LITTLE, seconds_of_all=0.0))
    assert examine_bonds(examined_of(analytic.Right(), tmp_path), LITTLE).verdict == "passes"


def test_a_soft_bond_fails_by_its_curvature(tmp_path):
    assert "curvature" in failing(examine_bonds(examined_of(Limp(), tmp_path), LITTLE))


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, set()),
        (analytic.Folded, {"bends"}),
        (analytic.Sticky, {"contacts", "below the minimum"}),
        (analytic.Frizzy, {"torsions"}),
    ],
)
def test_bends_torsions_and_contacts(tmp_path, calculator, wrong):
    from mdaug.examination.force_field import Budget

    result = examine_shapes(examined_of(calculator(), tmp_path), Budget(1.0, 1e-3))
    assert set(failing(result)) >= wrong
    if not wrong:
        assert failing(result) == []
        assert {curve["kind"] for curve in result.figures["curves"]} == {"angle", "torsion", "approach"}


def test_coordinates_of_ethanol():
    one = analytic.ethanol()
    found = coordinates(one.numbers, find_bonds(one), one.get_all_distances())
    assert {kind: len(motions) for kind, motions in found.items()} == {
        "angle": 6 + 6 + 1,
        "torsion": 2,
        "approach": 36 - 8 - 13,
    }


@pytest.mark.parametrize(
    ("calculator", "wrong"),
    [
        (analytic.Right, []),
        (analytic.Steely, ["highest frequency"]),
        (analytic.Loose, ["relaxation"]),
    ],
)
def test_minimum_and_frequencies(tmp_path, calculator, wrong):
    result = examine_minimum(examined_of(calculator(), tmp_path), LITTLE)
    assert failing(result) == wrong
    if not wrong:
        assert len(result.figures["frequencies_cm1"]) == 21


def test_a_saddle_point_fails_by_its_imaginary_frequency(tmp_path):
    class Flat(analytic.Right):
        """Forces within the plane of symmetry only, so that a relaxation stops at a saddle point."""

        def fault(self, r):
            return -0.6 * ((r[:, 2] - r[:, 2].mean()) ** 2).sum()

    result = examine_minimum(examined_of(Flat(), tmp_path), LITTLE)
    assert result.verdict == "fails"


@pytest.mark.parametrize(
    ("calculator", "verdict"),
    [(analytic.Right, "passes"), (analytic.Crowded, "fails"), (analytic.Distant, "fails")],
)
def test_extensivity(tmp_path, calculator, verdict):
    assert examine_extensivity(examined_of(calculator(), tmp_path), LITTLE).verdict == verdict


@pytest.mark.parametrize(("examine", "highest_eV"), [(examine_bonds, 4.0), (examine_shapes, 0.3)])
def test_curves_on_which_the_calculator_fails_do_not_pass(tmp_path, examine, highest_eV):
    class Fails(analytic.Right):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.lowest = min(self.results["energy"], getattr(self, "lowest", np.inf))
            if self.results["energy"] > self.lowest + highest_eV:
                raise CalculationFailed("no convergence")

    result = examine(examined_of(Fails(), tmp_path), LITTLE)
    (check,) = [check for check in result.checks if check.name == "failed points"]
    assert check.verdict == "cannot tell" and "fails at" in check.text
    assert failing(result) == []
    assert max(curve["n_failed"] for curve in result.figures["curves"]) > 0


@pytest.mark.parametrize(("calculator", "jumps"), [(analytic.Right, False), (analytic.Stepped, True)])
def test_work_is_computed_finer_before_forces_are_said_not_to_explain_the_energy(
    tmp_path, calculator, jumps, monkeypatch
):
    examined = examined_of(calculator(), tmp_path)
    numbers = examined.start.numbers
    pairs = find_bonds(examined.start)
    (bond,) = [tuple(pair) for pair in pairs.tolist() if sorted(numbers[pair].tolist()) == [1, 8]]
    motion, values = Motion("bond", bond), [0.75, 0.97, 1.2]
    assert (follow(examined, motion, values).largest_jump > 1.0) == jumps
    monkeypatch.setattr("mdaug.examination.curves.FINER", 1)
    assert follow(examined, motion, values).largest_jump > 1.0
