"""LAMMPS against the ASE calculator: inputs, then energies, forces and virials, then every way of running."""

from collections import Counter

import numpy as np
import pytest
import torch

from mdaug import MDAugCalculator
from mdaug.deployment import export_model
from mdaug.geometry.verlet_list import PairList

# conversions of LAMMPS
BAR_PER_EV_A3 = 1.6021765e6
ATM_PER_KCAL_MOL_A3 = 68568.415
KCAL_MOL_PER_EV = 23.060549
VOIGT = [0, 1, 2, 5, 4, 3]  # LAMMPS' xx, yy, zz, xy, xz, yz from ASE's order
FLOAT64 = 1e-9


def assert_close(result, expected, tolerance=FLOAT64):
    """Relative to the largest of the values."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def assert_same(result, expected, tolerance=FLOAT64):
    assert result.energy == pytest.approx(expected.energy, rel=1e-12)
    for name in ("forces", "energies", "pressure", "virials"):
        assert_close(getattr(result, name), getattr(expected, name), tolerance)


@pytest.fixture
def reference(model_path, structures):
    """The calculator's results, by structure."""

    def ask(name, dtype="float64"):
        atoms = structures[name].copy()
        atoms.calc = MDAugCalculator(model_path, dtype=dtype)
        atoms.get_forces()
        return atoms.calc.results

    return ask


def test_pairs_are_the_calculators(structures, lab):
    script = ""
    for name, atoms in structures.items():
        script += lab.prepare(name, atoms)
        script += f"""
compute pairs all property/local patom1 patom2
dump pairs all local 1 {name}.pairs c_pairs[1] c_pairs[2]
run 0
"""
    lab.run(script)
    for name, atoms in structures.items():
        cell = atoms.cell.array if atoms.pbc.any() else None
        search = PairList(4.0, 0.5, torch.device("cpu"))
        idx_i, idx_j, shifts = search.pairs(atoms.positions, cell, tuple(atoms.pbc))
        near = np.linalg.norm(atoms.positions[idx_j] - atoms.positions[idx_i] + shifts.numpy(), axis=1) < 4.0
        ours = np.sort(np.column_stack([idx_i, idx_j])[near], axis=1) + 1
        theirs = np.sort(np.loadtxt(lab.folder / f"{name}.pairs", skiprows=9, dtype=int), axis=1)
        assert Counter(map(tuple, ours)) == Counter(map(tuple, theirs))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", FLOAT64), ("float32", 1e-5)])
def test_energies_forces_and_virial_are_the_calculators(structures, lab, reference, dtype, tolerance):
    pair = f"pair_style mdaug precision {dtype}\npair_coeff * * {{model}} H C O Si"
    for name, result in lab.evaluate(structures, pair).items():
        expected = reference(name, dtype)
        assert result.energy == pytest.approx(expected["energy"], rel=1e-12 if dtype == "float64" else 1e-8)
        assert_close(result.forces, expected["forces"], tolerance)
        assert_close(result.energies, expected["energies"], tolerance)
        volume = structures[name].get_volume()
        if "stress" in expected:
            assert_close(result.pressure, -expected["stress"][VOIGT] * BAR_PER_EV_A3, tolerance)
        assert_close(-result.virials.sum(0) / volume, result.pressure, tolerance)


def test_units_real_are_converted(structures, lab, reference):
    name = "triclinic"
    result = lab.evaluate({name: structures[name]}, units="real")[name]
    expected = reference(name)
    assert result.energy == pytest.approx(expected["energy"] * KCAL_MOL_PER_EV, rel=1e-12)
    assert_close(result.forces, expected["forces"] * KCAL_MOL_PER_EV)
    assert_close(result.energies, expected["energies"] * KCAL_MOL_PER_EV)
    assert_close(result.pressure, -expected["stress"][VOIGT] * KCAL_MOL_PER_EV * ATM_PER_KCAL_MOL_A3)


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_ranks_agree(structures, lab, alone, ranks):
    """From 4 ranks on some own none of the smallest cell's three atoms."""
    result = lab.evaluate(structures, ranks=ranks)
    for name, answer in result.items():
        assert_same(answer, alone[name])


def test_threads_make_no_difference(structures, lab, alone):
    pair = "pair_style mdaug threads 2\npair_coeff * * {model} H C O Si"
    assert_same(lab.evaluate({"silicon": structures["silicon"]}, pair)["silicon"], alone["silicon"])


def test_a_second_pair_style_changes_the_settings(structures, lab, alone):
    pair = "pair_style mdaug precision float32\npair_coeff * * {model} H C O Si\nrun 0\npair_style mdaug"
    name = "triclinic"
    assert_same(lab.evaluate({name: structures[name]}, pair)[name], alone[name])


def test_tiled_communication_agrees(structures, lab, alone):
    pair = "comm_style tiled\nbalance 1.0 rcb\npair_style mdaug\npair_coeff * * {model} H C O Si"
    selected = {name: structures[name] for name in ("molecule", "silicon", "triclinic")}
    for name, answer in lab.evaluate(selected, pair, ranks=4).items():
        assert_same(answer, alone[name])


@pytest.mark.parametrize(
    ("before", "stride"),
    [
        ("newton on\natom_modify map array", 1),
        ("newton off", 1),
        ("newton off\natom_modify map array", 1),
        ("atom_modify map hash", 7),
    ],
)
def test_newton_map_and_atom_ids_make_no_difference(structures, lab, alone, before, stride):
    result = lab.evaluate(structures, before=before, ranks=2, ids=lambda n: 5 + stride * np.arange(n))
    for name, answer in result.items():
        assert_same(answer, alone[name])


def test_forces_are_added_to_those_of_other_styles(structures, lab, alone):
    zbl = "\n".join(
        f"pair_coeff {i + 1} {j + 1} {{zbl}} {numbers[i]} {numbers[j]}"
        for numbers in [[1, 6, 8, 14]]
        for i in range(4)
        for j in range(i, 4)
    )
    selected = {name: structures[name] for name in ("molecule", "tiny")}
    ours = "pair_coeff * * mdaug {model} H C O Si\n"
    both = "pair_style hybrid/overlay mdaug zbl 2.0 2.5\n" + ours + zbl.replace("{zbl}", "zbl")
    only = "pair_style zbl 2.0 2.5\n" + zbl.replace("{zbl}", "")
    scaled = "pair_style hybrid/scaled 0.25 mdaug 1.0 zbl 2.0 2.5\n" + ours + zbl.replace("{zbl}", "zbl")
    repulsion = lab.evaluate(selected, only)
    for name, answer in lab.evaluate(selected, both, ranks=2).items():
        assert answer.energy == pytest.approx(alone[name].energy + repulsion[name].energy, rel=1e-10)
        assert_close(answer.forces, alone[name].forces + repulsion[name].forces)
        assert_close(answer.pressure, alone[name].pressure + repulsion[name].pressure)
    for name, answer in lab.evaluate(selected, scaled).items():
        assert_close(answer.forces, 0.25 * alone[name].forces + repulsion[name].forces)


@pytest.mark.parametrize(
    "pair",
    [
        "pair_style mdaug\npair_coeff * * {model} H C O NULL",
        "pair_style hybrid mdaug zero 3.0\npair_coeff * * mdaug {model} H C O NULL\npair_coeff * 4 zero",
    ],
)
def test_types_that_are_null_are_not_seen(structures, lab, model_path, pair):
    atoms = structures["triclinic"].copy()
    unseen = np.arange(0, len(atoms), 5)
    atoms.symbols[unseen] = "Si"
    seen = np.setdiff1d(np.arange(len(atoms)), unseen)
    part = atoms[seen]
    part.calc = MDAugCalculator(model_path)
    result = lab.evaluate({"part": atoms}, pair, ranks=2)["part"]
    assert result.energy == pytest.approx(part.get_potential_energy(), rel=1e-12)
    assert_close(result.forces[seen], part.get_forces())
    assert not result.forces[unseen].any()


def test_two_models_travel_in_rows_of_their_own_widths(structures, lab, alone, make_model):
    narrow = export_model(make_model(n_filters=8), lab.folder / "narrow.pt", training={"data": "none"})
    pair = f"""pair_style hybrid/overlay mdaug precision float32 mdaug precision float64
pair_coeff * * mdaug 1 {narrow} H C O NULL
pair_coeff * * mdaug 2 {{model}} H C O Si"""
    name = "triclinic"
    atoms = structures[name].copy()
    atoms.calc = MDAugCalculator(narrow)
    result = lab.evaluate({name: atoms}, pair, ranks=2)[name]
    assert_close(result.forces - alone[name].forces, atoms.get_forces(), 1e-5)
