"""A model with a prior: LAMMPS gives what the calculator gives, on one rank and on two."""

import numpy as np
import pytest

from mdaug import MDAugCalculator
from mdaug.deployment import export_model

BAR_PER_EV_A3 = 1.6021765e6
VOIGT = [0, 1, 2, 5, 4, 3]  # LAMMPS' xx, yy, zz, xy, xz, yz from ASE's order


def assert_close(result, expected, tolerance=1e-9):
    """Relative to the largest of the values."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_prior_is_the_calculators(structures, lab, make_model, tmp_path, ranks):
    path = export_model(make_model(prior="pair"), tmp_path / "prior.pt", training={"data": "none"})
    plain = export_model(make_model(), tmp_path / "plain.pt", training={"data": "none"})
    selected = {name: structures[name] for name in ("molecule", "triclinic", "tiny")}
    pair = f"pair_style mdaug\npair_coeff * * {path} H C O NULL"
    for name, result in lab.evaluate(selected, pair, ranks=ranks).items():
        atoms = structures[name].copy()
        atoms.calc = MDAugCalculator(plain)
        without = atoms.get_potential_energy()
        atoms.calc = MDAugCalculator(path)
        expected = atoms.get_potential_energy()
        assert abs(expected - without) > 1.0
        assert result.energy == pytest.approx(expected, rel=1e-12)
        assert_close(result.forces, atoms.get_forces())
        assert_close(result.energies, atoms.calc.results["energies"])
        if atoms.pbc.any():
            assert_close(result.pressure, -atoms.get_stress()[VOIGT] * BAR_PER_EV_A3)
            assert_close(-result.virials.sum(0) / atoms.get_volume(), result.pressure)
