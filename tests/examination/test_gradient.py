"""Forces and stress of a right force field are the slope of its energy, those of wrong ones are not."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mdaug.examination.gradient import examine_gradient
from mdaug.units import KCAL_MOL_PER_EV
from tests.examination import analytic
from tests.examination.test_parts import LITTLE, examined_of, failing


@pytest.mark.parametrize(
    ("calculator", "wrong"), [(analytic.Right, []), (analytic.Turning, ["force = −gradient"])]
)
def test_forces_are_the_gradient(tmp_path, calculator, wrong):
    assert failing(examine_gradient(examined_of(calculator(), tmp_path), LITTLE)) == wrong


@pytest.mark.parametrize("turns", [False, True])
def test_a_net_force_or_torque_is_beyond_the_limit_of_the_gradient(tmp_path, turns):
    class Net(analytic.Right):
        """A net force or torque of 0.3 kcal/mol/Å on unit displacements of all atoms, 0.1 on each."""

        def extra_forces(self, r):
            motion = np.cross([1.0, 0.0, 0.0], r - r.mean(axis=0)) if turns else np.eye(3)[0] + 0 * r
            return 0.3 / KCAL_MOL_PER_EV * motion / np.linalg.norm(motion)

    examined = examined_of(Net(), tmp_path)
    vars(examined)["minimum"] = examined.start  # with a net force nothing relaxes
    result = examine_gradient(examined, LITTLE)
    assert failing(result) == ["force = −gradient"]
    assert max(result.figures["force_minus_gradient_kcal_mol_A"]) == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(("calculator", "wrong"), [(EMT, []), (analytic.WrongStress, ["stress by strain"])])
def test_stress_is_the_slope_of_the_energy_along_strains(tmp_path, calculator, wrong):
    copper = bulk("Cu", cubic=True) * (2, 2, 2)
    copper.set_cell(copper.cell.array * 1.02, scale_atoms=True)
    result = examine_gradient(examined_of(calculator(), tmp_path, copper), LITTLE)
    assert [check.name for check in result.checks] == ["force = −gradient", "stress by strain"]
    assert failing(result) == wrong
