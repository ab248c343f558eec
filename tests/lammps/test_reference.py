"""`reference no`: energies relative to lone atoms, and the fixes that insert and delete atoms with it."""

import numpy as np
import pytest

from mdaug import MDAugCalculator

PAIR = "pair_style mdaug reference no\npair_coeff * * {model} H C O Si"
GAS = """units metal
atom_style charge
atom_modify map array
region box block 0 30 0 30 0 30
create_box 3 box
mass 1 1.008
mass 2 12.011
mass 3 39.95
create_atoms 1 single 5 5 5
create_atoms 2 single 15 15 15
pair_style mdaug {options}
pair_coeff * * {model} H C {third}
thermo_modify format float %.12g norm no
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_energies_are_relative_to_lone_atoms(structures, alone, lab, model_path, ranks):
    result = lab.evaluate(structures, PAIR, ranks=ranks)
    for name, atoms in structures.items():
        calculator = MDAugCalculator(model_path, reference=False)
        expected = calculator.get_potential_energy(atoms)
        assert result[name].energy == pytest.approx(expected, abs=1e-9)
        assert abs(result[name].energy - alone[name].energy) > 1.0
        np.testing.assert_allclose(result[name].forces, alone[name].forces, atol=1e-12)
        np.testing.assert_allclose(result[name].energies.sum(), expected, atol=1e-8)


def test_it_is_kept_in_a_restart_file(structures, lab):
    printed = lab.run(lab.prepare("tiny", structures["tiny"], PAIR) + "write_restart now.restart\n")
    energy = lab.answer("tiny", printed).energy
    thermo = "thermo_style custom step pe\nthermo_modify norm no format float %.12g\n"
    rows = lab.run(f"read_restart now.restart\n{thermo}run 0\n").splitlines()
    assert float(rows[rows.index(next(r for r in rows if r.split()[:1] == ["Step"])) + 1].split()[1]) == (
        pytest.approx(energy, abs=1e-9)
    )


def gas(lab, more, *, options="", third="NULL", fails=False):
    script = GAS.format(options=options, model=lab.model, third=third)
    return lab.run(script + more, fails=fails)


def test_an_insertion_far_from_all_atoms_costs_nothing(lab):
    widom = "fix mu all widom 1 50 1 1 300 full_energy\nthermo_style custom step f_mu[1]\nrun 1\n"
    printed = gas(lab, widom + "print 'MU $(f_mu[1])'\n", options="reference no")
    line = next(line for line in printed.splitlines() if line.startswith("MU"))
    assert abs(float(line.split()[1])) < 0.01


EXCHANGE = """group gas type {type}
fix gas gas gcmc 1 {moves} 0 {type} 1 300 {mu} 0.1 full_energy
thermo_style custom step atoms pe
run 3
"""


def test_atoms_that_the_model_ignores_may_be_exchanged(lab):
    """Under gcmc, widom and charge/regulation; with and without reference energies."""
    printed = gas(lab, EXCHANGE.format(moves=20, type=3, mu=0.3))
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith("3 ")]
    assert int(rows[-1][1]) > 2
    gas(lab, "fix mu all widom 1 5 3 1 300 full_energy\nrun 2\n")


def test_atoms_of_the_model_are_exchanged_without_reference_energies_only(lab):
    exchange = EXCHANGE.format(moves=20, type=1, mu=0.1)
    printed = gas(lab, exchange, fails=True)
    assert "fix gcmc counts the energies of lone atoms" in printed
    assert "Step" in printed  # types of the fix are not known before its first move
    printed = gas(lab, exchange, options="reference no")
    assert "ERROR" not in printed
    printed = gas(lab, EXCHANGE.format(moves=50, type=1, mu=-9.0), fails=True)  # deletes the hydrogen atom
    assert "fix gcmc counts the energies of lone atoms" in printed
