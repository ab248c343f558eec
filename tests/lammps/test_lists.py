"""What takes pairs out of neighbor lists: refused where the model needs them, right where it does not."""

import numpy as np
import pytest

from mdaug import MDAugCalculator

PAIR = "pair_style mdaug\npair_coeff * * {model} H C O Si\n"
OVERLAY = """pair_style hybrid/overlay mdaug zero 4.0
pair_coeff * * mdaug {model} H C O Si
pair_coeff * * zero
"""
BONDS = "bond_style zero\nbond_coeff *\ncreate_bonds single/bond 1 1 2\n"
SPECIAL = "pair_modify pair mdaug special lj/coul 1 1 1\n"
MOLECULES = "atom_modify map yes\nfix mol all property/atom mol ghost yes"


def write_ethanol(lab, atoms, pair):
    """Return the input for ethanol with an atom style of bonds."""
    script = "units metal\natom_style bond\nboundary f f f\nregion box block 0 30 0 30 0 30\n"
    script += "create_box 4 box bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 4\nmass * 1.0\n"
    for number, (x, y, z) in zip(atoms.numbers, atoms.positions, strict=True):
        script += f"create_atoms {[1, 6, 8, 14].index(number) + 1} single {x:.17g} {y:.17g} {z:.17g}\n"
    return script + pair.format(model=lab.model) + 'run 0\nprint "RESULT $(pe:%.17g)"\n'


def energy_of(printed):
    return float(next(line for line in printed.splitlines() if line.startswith("RESULT ")).split()[-1])


@pytest.mark.parametrize(
    "pair", [OVERLAY + BONDS + "special_bonds lj/coul 1e-10 1e-10 0.5\n" + SPECIAL, PAIR]
)
def test_bonds_whose_pairs_stay_in_the_list_are_no_obstacle(structures, lab, alone, pair):
    """Weights above 0, as LAMMPS wants them for pair_modify special; no bonds at all."""
    printed = lab.run(write_ethanol(lab, structures["molecule"], pair))
    assert energy_of(printed) == pytest.approx(alone["molecule"].energy, rel=1e-12)


@pytest.mark.parametrize(
    "pair",
    [
        OVERLAY + BONDS + "special_bonds lj/coul 0 1 1\n",
        PAIR + BONDS + "special_bonds lj/coul 0.5 1 1\n",
        PAIR + BONDS + "special_bonds lj/coul 1 1 1\nrun 0\nspecial_bonds lj/coul 0 0 0\n",
    ],
)
def test_bonded_pairs_that_are_dropped_or_scaled_are_refused(structures, lab, pair):
    printed = lab.run(write_ethanol(lab, structures["molecule"], pair), fails=True)
    assert "ERROR: pair_style mdaug: special_bonds scales or drops bonded pairs" in printed


@pytest.mark.parametrize(
    "exclude",
    [
        "neigh_modify exclude type 2 2",
        "group few id 1 2 3\nneigh_modify exclude group few few",
        "group few id 1 2 3\nneigh_modify exclude group few all",
        "group few id 1 2 3\ngroup others id 5 6\nneigh_modify exclude group few others",
        "neigh_modify exclude molecule/intra all",
        "group few id 1 2 3\nneigh_modify exclude molecule/inter few",
        "run 0\nneigh_modify exclude type 2 2",
    ],
)
def test_exclusions_that_drop_pairs_are_refused(structures, lab, exclude):
    script = lab.prepare("molecule", structures["molecule"], PAIR + exclude, before=MOLECULES)
    errors = [line for line in lab.run(script, ranks=2, fails=True).splitlines() if "ERROR" in line]
    assert len(errors) == 1
    assert "neigh_modify exclude drops pairs that the model needs" in errors[0]


def test_excluded_groups_do_not_see_each_other(structures, lab, model_path):
    atoms = structures["molecule"]
    exclude = "group few id 1 2 3\ngroup many subtract all few\nneigh_modify exclude group few many"
    result = lab.evaluate({"parts": atoms}, PAIR + exclude)["parts"]
    calculator = MDAugCalculator(model_path)
    energies = [calculator.get_potential_energy(atoms[part]) for part in (slice(0, 3), slice(3, None))]
    assert result.energy == pytest.approx(sum(energies), rel=1e-12)


def test_excluded_molecules_do_not_see_each_other(structures, lab, model_path):
    """Four ethanol molecules in a cell, each of which sees its own images."""
    atoms = structures["triclinic"]
    molecules = "\n".join(f"set atom {9 * k + 1}*{9 * k + 9} mol {k + 1}" for k in range(4))
    pair = f"{molecules}\n{PAIR}neigh_modify exclude molecule/inter all"
    result = lab.evaluate({"parts": atoms}, pair, before=MOLECULES, ranks=2)["parts"]
    forces, calculator = [], MDAugCalculator(model_path)
    for k in range(4):
        part = atoms[9 * k : 9 * k + 9]
        part.calc = calculator
        forces.append(part.get_forces())
    expected = np.concatenate(forces)
    np.testing.assert_allclose(result.forces, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_exclusions_of_atoms_that_the_model_does_not_see_are_free(structures, lab):
    atoms = structures["triclinic"].copy()
    atoms.symbols[::5] = "Si"
    pair = "pair_style mdaug\npair_coeff * * {model} H C O NULL\n"
    exclude = "group frozen type 4\nneigh_modify exclude group frozen frozen exclude type 1 4"
    free, excluded = (lab.evaluate({"part": atoms}, pair + more)["part"] for more in ("", exclude))
    assert excluded.energy == pytest.approx(free.energy, rel=1e-14)


def test_pairs_that_hybrid_gives_to_another_style_are_refused(structures, lab):
    pair = "pair_style hybrid mdaug zero 3.0\npair_coeff * * mdaug {model} H C O Si\npair_coeff 1 2 zero"
    printed = lab.run(lab.prepare("molecule", structures["molecule"], pair), fails=True)
    assert "a pair_coeff gives atom types 1 and 2 to another style" in printed
