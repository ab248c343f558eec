"""Angular features in LAMMPS: rows of two widths, on any number of ranks, with and without baseline."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mdaug import MDAugCalculator
from mdaug.deployment import export_model
from mdaug.models import SchNet, SchNetOptions
from tests.force_fields import random_templates
from tests.lammps.conftest import Answer, Lab

BAR_PER_EV_A3 = 1.6021765e6
VOIGT = [0, 1, 2, 5, 4, 3]  # LAMMPS' xx, yy, zz, xy, xz, yz from ASE's order
PAIR = "pair_style mdaug\npair_coeff * * {model} H C O NULL"
MAP = "atom_modify map array"


@dataclass(frozen=True)
class Case:
    """A model, structures, and their results on one rank."""

    model: Path
    structures: dict[str, Atoms]
    alone: dict[str, Answer]


def network(n_vectors: int = 12) -> SchNet:
    torch.manual_seed(4)
    options = SchNetOptions(
        n_atom_basis=16,
        n_filters=20,
        n_vectors=n_vectors,
        n_gaussians=8,
        n_interactions=3,
        cutoff=4.0,
        n_knots=64,
        prior="none",
    )
    return SchNet(options, [1, 6, 8], [-13.0, -1030.0, -2040.0], 0.7).double().eval()


def make_structures() -> dict[str, Atoms]:
    """A molecule, and a triclinic cell of four, of which each crosses faces of the cell."""
    ethanol = molecule("CH3CH2OH", cell=[30.0, 30.0, 30.0])
    ethanol.center()
    triclinic = molecule("CH3CH2OH")
    triclinic.set_cell([[6.1, 0.0, 0.0], [1.2, 5.9, 0.0], [-1.5, 0.8, 6.4]])
    triclinic.pbc = True
    triclinic = triclinic.repeat((2, 2, 1))
    for seed, atoms in enumerate((ethanol, triclinic)):
        atoms.rattle(0.08, seed=seed)
    return {"molecule": ethanol, "triclinic": triclinic}


@pytest.fixture(scope="module", params=["network", "baseline"])
def case(request, tmp_path_factory) -> Case:
    """Models with vectors; the second has a baseline, too."""
    folder = tmp_path_factory.mktemp("vectors")
    templates = random_templates("CH3CH2OH") if request.param == "baseline" else ()
    model = export_model(network(), folder / "model.pt", training={"data": "none"}, templates=templates)
    structures = make_structures()
    return Case(model, structures, Lab(folder, model).evaluate(structures, PAIR, before=MAP))


def assert_close(result, expected, tolerance=1e-9):
    """Relative to the largest of the values."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def assert_same(result, expected):
    assert result.energy == pytest.approx(expected.energy, rel=1e-12)
    for name in ("forces", "energies", "pressure", "virials"):
        assert_close(getattr(result, name), getattr(expected, name))


@pytest.mark.parametrize("evaluator", ["core", "torchscript"])
def test_one_rank_gives_what_the_calculator_gives(case, evaluator):
    for name, structure in case.structures.items():
        atoms = structure.copy()
        atoms.calc = MDAugCalculator(case.model, evaluator=evaluator)
        result = case.alone[name]
        assert result.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
        assert_close(result.forces, atoms.get_forces())
        assert_close(result.energies, atoms.calc.results["energies"])
        if atoms.pbc.any():
            assert_close(result.pressure, -atoms.get_stress()[VOIGT] * BAR_PER_EV_A3)
        assert_close(-result.virials.sum(0) / atoms.get_volume(), result.pressure)


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_agree(case, tmp_path, ranks):
    answers = Lab(tmp_path, case.model).evaluate(case.structures, PAIR, ranks=ranks, before=MAP)
    for name, answer in answers.items():
        assert_same(answer, case.alone[name])


def test_tiled_communication_and_threads_agree(case, tmp_path):
    pair = "comm_style tiled\nbalance 1.0 rcb\n" + PAIR.replace("mdaug\n", "mdaug threads 2\n", 1)
    answers = Lab(tmp_path, case.model).evaluate(case.structures, pair, ranks=3, before=MAP)
    for name, answer in answers.items():
        assert_same(answer, case.alone[name])


def test_float32_agrees_with_float64(case, tmp_path):
    pair = PAIR.replace("mdaug\n", "mdaug precision float32\n", 1)
    answers = Lab(tmp_path, case.model).evaluate(case.structures, pair, ranks=2, before=MAP)
    for name, answer in answers.items():
        assert_close(answer.forces, case.alone[name].forces, 1e-5)


def test_a_model_without_vectors_beside_it_sends_rows_of_its_own_width(case, tmp_path, make_model):
    """In both orders: the communication buffers have room for the wider rows."""
    plain = export_model(make_model(n_filters=40), tmp_path / "plain.pt", training={"data": "none"})
    atoms = case.structures["triclinic"].copy()
    atoms.calc = MDAugCalculator(plain)
    for first, second in ((plain, "{model}"), ("{model}", plain)):
        pair = f"""pair_style hybrid/overlay mdaug precision float64 mdaug precision float64 zero 4.0
pair_coeff * * zero
pair_coeff * * mdaug 1 {first} H C O NULL
pair_coeff * * mdaug 2 {second} H C O NULL"""
        lab = Lab(tmp_path, case.model)
        result = lab.evaluate({"triclinic": atoms}, pair, ranks=2, before=MAP)["triclinic"]
        assert_close(result.forces - case.alone["triclinic"].forces, atoms.get_forces())


def test_in_a_box_that_changes_the_virial_is_the_calculators(case, tmp_path):
    lab = Lab(tmp_path, case.model)
    script = lab.prepare("triclinic", case.structures["triclinic"], PAIR, before=MAP)
    stress = " ".join(f"$(c_p[{k}]:%.17g)" for k in range(1, 7))
    cell = " ".join(f"$({key}:%.17g)" for key in ("lx", "ly", "lz", "xy", "xz", "yz"))
    script += f"""
velocity all create 100 1
timestep 0.0002
fix npt all npt temp 100 100 0.02 tri 0 0 0.1
compute p all pressure NULL virial
thermo_style custom step c_p[1]
run 20
print "RESULT {stress} {cell}"
write_dump all custom end id fx fy fz xu yu zu modify sort id format float %.17g
"""
    printed = lab.run(script, ranks=2)
    numbers = [line.split()[1:] for line in printed.splitlines() if line.startswith("RESULT ")][-1]
    stress, (lx, ly, lz, xy, xz, yz) = np.array(numbers[:6], float), map(float, numbers[6:])
    table = np.loadtxt(tmp_path / "end", skiprows=9)
    atoms = case.structures["triclinic"].copy()
    atoms.set_cell([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    atoms.positions = table[:, 4:]
    atoms.calc = MDAugCalculator(case.model)
    assert abs(atoms.get_volume() / case.structures["triclinic"].get_volume() - 1) > 1e-5
    assert_close(table[:, 1:4], atoms.get_forces())
    assert_close(stress, -atoms.get_stress()[VOIGT] * BAR_PER_EV_A3)


OVERLAY = """pair_style hybrid/overlay mdaug lj/cut 5.0
pair_coeff * * mdaug {model} H C O NULL
pair_coeff * * lj/cut 0.003 0.9"""
NPT = """
velocity all create 100 1 loop geom
timestep 0.0005
fix npt all npt temp 100 100 0.05 tri 0 0 0.5
neigh_modify every 1 delay 0 check yes
run 40
print "RESULT $(pe:%.17g) $(vol:%.17g) $(pxx:%.17g) $(pyz:%.17g)"
write_dump all custom end id xu yu zu fx fy fz modify sort id format float %.17g
"""


@pytest.mark.parametrize("pair", [PAIR, OVERLAY], ids=["alone", "overlay"])
def test_eight_ranks_run_a_box_as_one_rank_does(pair, tmp_path):
    """64 vectors, constant pressure: 16 molecules, of which every rank has parts."""
    model = export_model(network(64), tmp_path / "model.pt", training={"data": "none"})
    box = make_structures()["triclinic"].repeat((1, 1, 4))
    answers, runs = {}, {}
    for ranks in (1, 8):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        lab = Lab(folder, model)
        printed = lab.run(lab.prepare("box", box, pair) + NPT, ranks=ranks)
        answers[ranks] = lab.answer("box", printed)
        numbers = next(
            line for line in printed.splitlines() if line.startswith("RESULT") and "box" not in line
        )
        runs[ranks] = np.array(numbers.split()[1:], float), np.loadtxt(folder / "end", skiprows=9)[:, 1:]
    assert_same(answers[8], answers[1])
    (numbers, atoms), (expected, expected_atoms) = runs[8], runs[1]
    assert np.abs(expected_atoms[:, :3] - box.positions).max() > 0.02
    np.testing.assert_allclose(numbers, expected, rtol=1e-8)
    np.testing.assert_allclose(atoms[:, :3], expected_atoms[:, :3], rtol=0, atol=1e-9)
    assert_close(atoms[:, 3:], expected_atoms[:, 3:], 1e-8)
