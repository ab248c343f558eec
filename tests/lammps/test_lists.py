"""What takes pairs out of neighbour lists: refused where the model needs them, right where it does not."""

import pytest

PAIR = "pair_style mdaug\npair_coeff * * {model} H C O Si\n"
OVERLAY = """pair_style hybrid/overlay mdaug zero 4.0
pair_coeff * * mdaug {model} H C O Si
pair_coeff * * zero
"""
BONDS = "bond_style zero\nbond_coeff *\ncreate_bonds single/bond 1 1 2\n"
SPECIAL = "pair_modify pair mdaug special lj/coul 1 1 1\n"


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
    assert "ERROR: pair_style mdaug: special_bonds would scale or drop bonded pairs" in printed
