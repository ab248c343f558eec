from importlib.util import find_spec

import numpy as np
import pytest
from ase.units import Hartree

from mdaug.errors import DataError
from mdaug.quantum.level import Level
from mdaug.quantum.single_point import composite_energy, core_correlation, single_point

if find_spec("pyscf"):
    from pyscf import cc, gto, mp, scf

pytestmark = pytest.mark.pyscf


def pyscf_water(water, basis):
    atoms = [(s, p) for s, p in zip(water.get_chemical_symbols(), water.positions, strict=True)]
    return scf.RHF(gto.M(atom=atoms, basis=basis, verbose=0)).run(conv_tol=1e-11)


def test_composite_is_the_sum_of_pyscfs_parts(water):
    level = Level(basis="6-31g*", correction_basis="sto-3g")
    found = single_point(water, level, unrestricted=False)
    small, large = pyscf_water(water, "sto-3g"), pyscf_water(water, "6-31g*")
    coupled = cc.CCSD(small, frozen=1).run()
    correction = coupled.e_tot + coupled.ccsd_t() - mp.MP2(small, frozen=1).run().e_tot
    by_hand = mp.MP2(large, frozen=1).run().e_tot + correction
    # density fitting of the large basis
    assert found["energy_Eh"] == pytest.approx(by_hand, abs=3e-4)
    assert found["energy_Eh"] == pytest.approx(composite_energy(found["parts_Eh"]), abs=1e-12)
    assert found["parts_Eh"]["ccsd(t)_small"] == pytest.approx(coupled.e_tot + coupled.ccsd_t(), abs=1e-6)


@pytest.mark.parametrize("method", ["hf", "mp2", "df-mp2", "ccsd", "ccsd(t)"])
def test_each_method_is_pyscfs(water, method):
    found = single_point(water, Level(method=method, basis="6-31g"), unrestricted=False)
    field = pyscf_water(water, "6-31g")
    expected = {"hf": lambda: field.e_tot}.get(method)
    if expected is None:
        coupled = (cc.CCSD if "cc" in method else mp.MP2)(field, frozen=1).run()
        triples = coupled.ccsd_t() if method == "ccsd(t)" else 0.0
        energy = coupled.e_tot + triples
    else:
        energy = expected()
    assert found["energy_Eh"] == pytest.approx(energy, abs=3e-4 if method == "df-mp2" else 1e-6)


def test_all_electrons_are_correlated_on_request(water):
    core, all_electrons = (
        single_point(water, Level(method="mp2", basis="6-31g", frozen_core=frozen), unrestricted=False)
        for frozen in (True, False)
    )
    assert all_electrons["energy_Eh"] < core["energy_Eh"] - 1e-4


def test_core_correlation_is_what_the_frozen_core_leaves_out(water):
    level = Level(basis="6-31g*", correction_basis="sto-3g")
    field = pyscf_water(water, "6-31g*")
    by_hand = mp.MP2(field).run().e_tot - mp.MP2(field, frozen=1).run().e_tot
    assert core_correlation(water, level)["energy_Eh"] == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("method", ["hf", "mp2", "df-mp2", "pbe"])
def test_forces_are_the_slope_of_the_energy(water, method):
    level = Level(method=method, basis="sto-3g", forces=True)
    water.positions[1, 1] += 0.1
    forces = np.array(single_point(water, level, unrestricted=False)["forces_eV_A"])
    step, energies = 0.002, []
    for sign in (1, -1):
        moved = water.copy()
        moved.positions[1, 1] += sign * step
        energies.append(single_point(moved, level, unrestricted=False)["energy_Eh"] * Hartree)
    tolerance = 0.01 if method == "pbe" else 1e-3  # the grid of the functional moves with the atoms
    assert forces[1, 1] == pytest.approx((energies[1] - energies[0]) / (2 * step), abs=tolerance)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (Level(method="hf", basis="no-such-basis"), "basis 'no-such-basis', charge 0, multiplicity 1 of H2O"),
        (Level(method="hf", basis="sto-3g", charge=1), "charge 1, multiplicity 1 of H2O"),
        (Level(method="pbf", basis="sto-3g"), "method 'pbf': expected composite, hf"),
    ],
)
def test_what_pyscf_does_not_know_is_told(water, level, message):
    with pytest.raises(DataError, match=message):
        single_point(water, level, unrestricted=False)
