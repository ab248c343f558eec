"""A model with a baseline: molecules by atom IDs, on any number of ranks; wrong IDs refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.io import write

from mdaug import MDAugCalculator
from mdaug.cli.app import main
from mdaug.deployment import export_model, read_manifest
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.lammps_integrator import LammpsIntegrator, lammps_integrators
from mdaug.md.restart import read_restart, write_restart
from mdaug.models import SchNet, SchNetOptions
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.workflows.lammps_data import write_data_file
from mdaug.workflows.settings.inputs import inputs_folder
from tests.force_fields import typed_templates
from tests.lammps.conftest import Lab, single_point

BAR_PER_EV_A3 = 1.6021765e6
VOIGT = [0, 1, 2, 5, 4, 3]  # LAMMPS' xx, yy, zz, xy, xz, yz from ASE's order
PAIR = "pair_style mdaug\npair_coeff * * {model} H C O NULL"
MAP = "atom_modify map array"
SHORT = {"steps": 20, "every": 10, "temperature": 20, "timestep": 0.1}
R_KCAL_MOL_K = 0.0019872067
CUTOFF = 4.0


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    """A model of ethanol and water with a baseline of random terms, cutoff 4 Å, float64."""
    torch.manual_seed(3)
    options = SchNetOptions(
        n_atom_basis=16,
        n_filters=16,
        n_gaussians=8,
        n_interactions=3,
        cutoff=CUTOFF,
        n_knots=64,
        prior="none",
    )
    templates = typed_templates("CH3CH2OH", "H2O", "trans-butane")
    references = [-13.0, -1030.0, -2040.0]
    model = SchNet(options, [1, 6, 8], references, 0.7, n_atom_types=6 + 2 + 4).double().eval()
    path = tmp_path_factory.mktemp("model") / "model.pt"
    return export_model(model, path, training={"data": "none"}, templates=templates)


def box(kinds, cell, seed=0):
    """Return molecules at random orientations on a grid in a cell, some of them across its faces."""
    rng, atoms = np.random.default_rng(seed), Atoms(cell=cell, pbc=True)
    n = int(np.ceil(len(kinds) ** (1 / 3)))
    for number, kind in enumerate(kinds):
        one = molecule(kind)
        one.rattle(0.05, seed=number)
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        place = np.array([number % n, number // n % n, number // n**2]) / n - 0.05
        one.positions += place @ np.array(cell) - one.positions.mean(axis=0)
        atoms += one
    return atoms


@pytest.fixture(scope="session")
def structures():
    """Ethanol in vacuum, eight in a cell, a mixture in a triclinic cell, one in a cell as long as itself."""
    ethanol = molecule("CH3CH2OH", cell=[30.0, 30.0, 30.0])
    ethanol.center()
    ethanol.rattle(0.05, seed=1)
    triclinic = [[11.0, 0, 0], [2.0, 10.5, 0], [-3.0, 1.5, 11.5]]
    return {
        "molecule": ethanol,
        "cell": box(["CH3CH2OH"] * 8, np.eye(3) * 10.0),
        "mixture": box(["H2O", "CH3CH2OH", "H2O"] * 3, triclinic, seed=2),
        "tiny": box(["CH3CH2OH"], [[5.0, 0, 0], [0.6, 5.2, 0], [-0.4, 0.5, 5.1]], seed=3),
    }


@pytest.fixture(scope="session")
def alone(structures, model_path, tmp_path_factory):
    """Return the results of one rank for all structures."""
    return Lab(tmp_path_factory.mktemp("alone"), model_path).evaluate(structures, PAIR, before=MAP)


def assert_close(result, expected, tolerance=1e-9):
    """Relative to the largest of the values."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def assert_same(result, expected, tolerance=1e-9):
    assert result.energy == pytest.approx(expected.energy, rel=1e-12)
    for name in ("forces", "energies", "pressure", "virials"):
        assert_close(getattr(result, name), getattr(expected, name), tolerance)


def test_one_rank_gives_what_the_calculator_gives(structures, alone, model_path):
    for name, atoms in structures.items():
        calculator = MDAugCalculator(model_path, evaluator="core")
        calculator.calculate(atoms, ["energy", "forces"])
        expected, result = calculator.results, alone[name]
        assert result.energy == pytest.approx(expected["energy"], rel=1e-12)
        assert_close(result.forces, expected["forces"])
        assert_close(result.energies, expected["energies"])
        if atoms.pbc.any():
            assert_close(result.pressure, -expected["stress"][VOIGT] * BAR_PER_EV_A3)
        assert_close(-result.virials.sum(0) / atoms.get_volume(), result.pressure)


@pytest.fixture(scope="session")
def without_water(tmp_path_factory):
    """A model of ethanol with a baseline and of water without, in float64."""
    torch.manual_seed(3)
    options = SchNetOptions(
        n_atom_basis=16, n_filters=16, n_gaussians=8, cutoff=CUTOFF, n_knots=64, prior="none"
    )
    ethanol, water = typed_templates("CH3CH2OH", "H2O")
    known = MoleculeTemplate.without_energy(water.atomic_numbers, water.bonds, np.array([0.96, 0.96]))
    references, scales = [-13.0, -1030.0, -2040.0], [2.0] * 3 + [0.5] * 6
    model = SchNet(options, [1, 6, 8], references, 0.7, n_atom_types=6, output_scales=scales)
    path = tmp_path_factory.mktemp("without_water") / "model.pt"
    return export_model(model.double().eval(), path, training={"data": "none"}, templates=[ethanol, known])


@pytest.mark.parametrize("ranks", [1, 3])
def test_molecules_with_and_without_baseline(structures, without_water, tmp_path, ranks):
    atoms = structures["mixture"]
    calculator = MDAugCalculator(without_water, dtype="float64", evaluator="torchscript", strict=None)
    calculator.calculate(atoms, ["energy", "forces"])
    lab = Lab(tmp_path, without_water)
    result = lab.evaluate({"mixture": atoms}, PAIR, before=MAP, ranks=ranks)["mixture"]
    assert result.energy == pytest.approx(calculator.results["energy"], rel=1e-12)
    assert_close(result.forces, calculator.results["forces"])


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_ranks_agree(structures, lab, alone, ranks):
    for name, answer in lab.evaluate(structures, PAIR, ranks=ranks, before=MAP).items():
        assert_same(answer, alone[name])


@pytest.mark.parametrize(
    ("before", "pair", "stride"),
    [
        ("atom_modify map hash\nnewton off", PAIR, 7),
        ("atom_modify map yes", PAIR.replace("mdaug\n", "mdaug threads 2\n", 1), 1),
        (MAP, "comm_style tiled\nbalance 1.0 rcb\n" + PAIR, 1),
    ],
    ids=["hash and gaps", "threads", "tiled"],
)
def test_settings_that_make_no_difference(request, lab, before, pair, stride):
    structures, alone = (request.getfixturevalue(name) for name in ("structures", "alone"))
    selected = {name: structures[name] for name in ("cell", "mixture")}
    result = lab.evaluate(selected, pair, ranks=4, before=before, ids=lambda n: 5 + stride * np.arange(n))
    for name, answer in result.items():
        assert_same(answer, alone[name])


def test_hybrid_overlay_adds_another_style(structures, lab, alone):
    only = "pair_style lj/cut 4.0\npair_coeff * * 0.001 2.0"
    both = "pair_style hybrid/overlay mdaug lj/cut 4.0\npair_coeff * * mdaug {model} H C O NULL\n"
    selected = {"mixture": structures["mixture"]}
    other = lab.evaluate(selected, only, before=MAP)["mixture"]
    answer = lab.evaluate(selected, both + "pair_coeff * * lj/cut 0.001 2.0", ranks=2, before=MAP)["mixture"]
    assert answer.energy == pytest.approx(alone["mixture"].energy + other.energy, rel=1e-10)
    assert_close(answer.forces, alone["mixture"].forces + other.forces)
    assert_close(answer.virials, alone["mixture"].virials + other.virials)


def test_reference_no(structures, lab, model_path):
    pair = PAIR.replace("mdaug\n", "mdaug reference no\n", 1)
    result = lab.evaluate({"mixture": structures["mixture"]}, pair, before=MAP)["mixture"]
    calculator = MDAugCalculator(model_path, reference=False, evaluator="core")
    assert result.energy == pytest.approx(calculator.get_potential_energy(structures["mixture"]), abs=1e-9)


RUN = """
velocity all create 600 4 loop geom
fix move all {fix}
timestep 0.0005
thermo_style custom step pe pxx pyy pzz pxy pxz pyz vol
thermo 20
thermo_modify norm no format float %.14g
"""


def thermo(printed):
    """Return the rows of all runs that LAMMPS printed."""
    rows = [line.split() for line in printed.splitlines()]
    return np.array([row for row in rows if len(row) == 9 and row[0].isdigit()], dtype=float)


@pytest.mark.parametrize("fix", ["nve", "npt temp 600 600 0.1 tri 0 0 1"])
def test_runs_on_several_ranks_are_the_same_run(structures, lab, fix):
    """Atoms change ranks and cross faces, the cell changes; a run without preparation, a minimization."""
    script = lab.prepare("mixture", structures["mixture"], PAIR, before=MAP)
    script += RUN.format(fix=fix) + "run 60\nrun 20 pre no\nminimize 0 0 5 20\n"
    expected = thermo(lab.run(script))
    assert len(expected) > 6 and np.ptp(expected[:, 1]) > 0.01
    for ranks in (2, 8):
        assert_close(thermo(lab.run(script, ranks=ranks))[:6], expected[:6], 1e-7)


def test_a_molecule_breaks_the_same_way_on_several_ranks(lab, model_path):
    """A hydrogen leaves at high speed; the next run and a restarted one go on with the broken bond."""
    atoms = molecule("CH3CH2OH", cell=[24.0, 24.0, 24.0], pbc=True)
    atoms.positions += 12.0 - atoms.positions[2]
    away = atoms.positions[3] - atoms.positions[2]
    speed = " ".join(f"{component:.12g}" for component in 400.0 * away / np.linalg.norm(away))
    script = lab.prepare("one", atoms, PAIR, before=MAP) + RUN.format(fix="nve")
    kick = "group proton id 4\nvelocity proton set {} {} {}\n".format(*speed.split())
    first = script + kick + "run 40\nwrite_restart broken.restart\nrun 40\n"
    expected = thermo(lab.run(first))
    restarted = (
        "read_restart broken.restart\n" + RUN.format(fix="nve").replace("velocity all", "#") + "run 40\n"
    )
    assert_close(thermo(lab.run(restarted))[-1], expected[-1], 1e-7)
    for ranks in (2, 4, 8):
        assert_close(thermo(lab.run(first, ranks=ranks)), expected, 1e-7)
        assert_close(thermo(lab.run(restarted, ranks=ranks))[-1], expected[-1], 1e-7)
    reordered = restarted.replace("broken.restart", "broken.restart\nset atom 1 type 2\nset atom 9 type 2")
    assert "where a molecule of the model" in lab.run(reordered, fails=True)


@pytest.mark.parametrize("ranks", [3, 8])
def test_a_molecule_longer_than_the_ghosts_reach(lab, ranks):
    """Butane is 7 Å long; ghosts are up to 4.1 Å away."""
    atoms = molecule("trans-butane", cell=[9.0, 9.5, 10.0], pbc=True)
    atoms.rattle(0.05, seed=1)
    short = MAP + "\nneighbor 0.1 bin\nprocessors * * 1"
    expected = lab.evaluate({"one": atoms}, PAIR, before=MAP)["one"]
    assert_same(lab.evaluate({"one": atoms}, PAIR, ranks=ranks, before=short)["one"], expected)


def test_a_bond_that_may_be_intact_beyond_the_ghosts_is_an_error(lab):
    """The O-H bond is stretched to 1.9 Å; the rank of the methyl carbon does not see the hydrogen."""
    atoms = molecule("CH3CH2OH", cell=[20.0, 20.0, 20.0], pbc=True)
    atoms.rotate(atoms.positions[2] - atoms.positions[0], "x")
    atoms.positions[3] = atoms.positions[2] + [0.9, 0, 0]
    atoms.positions += [10.0 - atoms.positions[0, 0] - 0.1, 5, 5]  # the first carbon is left of the middle
    stretch = f"set atom 4 x {atoms.positions[3, 0] + 1.0:.10f}\n"
    short = MAP + "\nneighbor 0.0 bin\nprocessors 2 1 1\n"
    error = refused(lab, atoms, before=short, after=stretch + "run 0\n", ranks=2)
    assert "atom ID 4, bonded to atom ID 3 of this rank or near it, is not among the ghosts" in error
    remedy = error[error.index("comm_modify") :].split("'")[0]
    assert remedy == "comm_modify cutoff 6.0"
    atoms.positions[3, 0] += 1.0
    stretched = PAIR + f"\nset atom 4 x {atoms.positions[2, 0] + 0.9:.10f}\nrun 0\n" + stretch
    expected = lab.evaluate({"it": atoms}, stretched, before=MAP)["it"]
    assert_same(lab.evaluate({"it": atoms}, remedy + "\n" + stretched, ranks=2, before=short)["it"], expected)


def shuffled(atoms):
    return atoms[np.random.default_rng(1).permutation(len(atoms))]


@pytest.mark.parametrize("name", ["mixture", "molecule"])
def test_a_data_file_of_a_structure_in_any_order(structures, lab, model_path, name):
    atoms = shuffled(structures[name])
    atoms.rotate(30, "z", rotate_cell=True)
    start, data = lab.folder / "start.json", lab.folder / "it.data"
    write(start, atoms)
    command = ["lammps", "data", str(start), "--model", str(model_path), "--out", str(data)]
    assert main(command) == 0
    assert main(command) == 1  # it exists
    assert main([*command, "--overwrite"]) == 0
    pair = PAIR.replace("NULL", "").format(model=model_path)
    printed = lab.run(single_point("it", atoms, pair, before=MAP))
    expected = MDAugCalculator(model_path).get_potential_energy(atoms)
    assert lab.answer("it", printed).energy == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("name", ["ethanol", "ethanol_box", "overlay_zbl", "minimize"])
def test_shipped_inputs_read_a_data_file(structures, lab, model_path, name):
    """Their own ethanol has its hydroxyl hydrogen at the end, and this model in the fourth place."""
    write_data_file(lab.folder / "it.data", shuffled(structures["molecule"]), read_manifest(model_path))
    settings = {"model": model_path, "steps": 5, "nvt": 5, "nve": 5, "n": 2, "temperature": 10}
    given = "".join(f"variable {key} string {value}\n" for key, value in settings.items())
    text = given + (inputs_folder() / f"{name}.in").read_text()
    error = lab.run(text, fails=True)
    assert "bonded" in error and "'mdaug lammps data' writes such files" in error
    ranks = 2 if name == "ethanol_box" else 1
    assert "Loop time of" in lab.run(f"variable data string it.data\n{text}", ranks=ranks)


@pytest.mark.parametrize("name", ["molecule", "mixture"])
def test_the_written_input_runs_nve_of_any_structure(structures, lab, model_path, name):
    """Elements, boundary and number of rigid motions are those of the model and the structure."""
    atoms = shuffled(structures[name])
    start = lab.folder / "start.json"
    write(start, atoms)
    data = lab.folder / "own.data"
    assert main(["lammps", "data", str(start), "--model", str(model_path), "--out", str(data)]) == 0
    short = "".join(f"variable {key} string {value}\n" for key, value in SHORT.items())
    printed = lab.run(short + data.with_suffix(".in").read_text())
    table = printed.rsplit("TotEng", 1)[1].split("Loop time")[0].split()
    _, _, kelvin, _, kinetic, total = np.array(table, dtype=float).reshape(-1, 6).T
    assert len(total) == 3
    n_rigid = 3 if name == "mixture" else 6
    assert kinetic[0] == pytest.approx(0.5 * R_KCAL_MOL_K * kelvin[0] * (3 * len(atoms) - n_rigid), rel=1e-5)
    assert name == "mixture" or np.ptp(total) < 0.02 * kinetic[0]  # between molecules the model is random


def test_without_a_structure_it_is_that_of_the_training_frames(lab, model_path, capsys):
    data = lab.folder / "trained.data"
    assert main(["lammps", "data", "--model", str(model_path), "--out", str(data)]) == 1
    assert "no reference structure" in capsys.readouterr().err  # this model was exported without frames


def test_a_data_file_needs_molecules_of_the_model(lab, model_path, capsys):
    write(lab.folder / "start.xyz", molecule("CH3OCH3"))
    command = ["lammps", "data", str(lab.folder / "start.xyz"), "--model", str(model_path)]
    assert main(command) == 1
    assert "is not made of such molecules" in capsys.readouterr().err
    existing = lab.folder / "it.in"
    existing.write_text("mine")
    assert main([*command, "--out", str(lab.folder / "it.data")]) == 1
    assert "it.in exists" in capsys.readouterr().err and not (lab.folder / "it.data").exists()
    assert main([*command, "--out", str(existing)]) == 1
    assert "expected another ending, such as .data" in capsys.readouterr().err
    assert existing.read_text() == "mine"
    assert main([*command, "--out", str(lab.folder / "a$b.data")]) == 1
    assert "LAMMPS cannot read a name with" in capsys.readouterr().err
    assert main(["lammps", "check", "--model", str(model_path)]) == 2
    assert "--model: no effect with mdaug lammps check" in capsys.readouterr().err


def test_a_slab_gets_a_box(lab, model_path):
    atoms = structure_of_waters()
    path = lab.folder / "slab.data"
    ordered = write_data_file(path, shuffled(atoms), read_manifest(model_path))
    assert ordered.cell[2, 2] > np.ptp(ordered.positions[:, 2]) + 19.9
    printed = lab.run(
        single_point("slab", ordered, PAIR.replace("NULL", "").format(model=model_path), before=MAP).replace(
            "boundary p p p", "boundary p p f"
        )
    )
    expected = MDAugCalculator(model_path).get_potential_energy(atoms)
    assert lab.answer("slab", printed).energy == pytest.approx(expected, rel=1e-11)


def structure_of_waters():
    """Return two waters with a period along x and y only."""
    atoms = molecule("H2O") + molecule("H2O")
    atoms.positions[3:] += [1.0, 2.0, 3.0]
    atoms.rattle(0.05, seed=1)
    atoms.set_cell([7.0, 7.5, 0.0])
    atoms.pbc = [True, True, False]
    return atoms


def test_dynamics_of_atoms_in_any_order(structures, model_path):
    """`mdaug nve --engine lammps` numbers the atoms as the pair style needs it."""
    for name in ("molecule", "mixture"):
        atoms = shuffled(structures[name])
        atoms.pbc = name == "mixture"
        atoms.set_momenta(np.random.default_rng(2).normal(scale=0.1, size=(len(atoms), 3)))
        calculator = MDAugCalculator(model_path)
        calculator.get_potential_energy(atoms)  # remembers the molecules
        integrator = LammpsIntegrator(atoms, 0.2, model_path)
        integrator.advance(5)
        assert integrator.potential_eV == pytest.approx(calculator.get_potential_energy(atoms), rel=1e-11)
        assert_close(integrator.forces, calculator.get_forces(atoms))


@pytest.mark.parametrize("name", ["molecule", "mixture"])
def test_a_resumed_run_keeps_the_molecules_of_its_start(structures, model_path, tmp_path, name):
    """Atoms in any order, a broken bond in the restart file; LAMMPS moves them as ASE does."""
    atoms = shuffled(structures[name])
    atoms.pbc = name == "mixture"
    whole = MDAugCalculator(model_path)
    whole.find_molecules(atoms)
    options = DynamicsOptions(steps=4, timestep=0.05, temperature=20.0, equilibration=0.001, guard=False)
    longer = options.model_copy(update={"steps": 12})
    oxygen = int(np.flatnonzero(atoms.numbers == 8)[0])
    distances = atoms.get_distances(oxygen, range(len(atoms)), mic=True)
    hydrogen = min(np.flatnonzero(atoms.numbers == 1), key=lambda k: distances[k])
    ends = []
    for engine, make in {"ase": None, "lammps": lammps_integrators(model_path, None, atoms)}.items():
        run_dynamics(atoms, MDAugCalculator(model_path), options, tmp_path / engine, make_integrator=make)
        restart = read_restart(tmp_path / engine, len(atoms))
        bond = atoms.get_distance(oxygen, hydrogen, mic=True, vector=True)
        restart.positions[hydrogen] += 1.2 * bond
        moved = atoms.copy()
        moved.positions = restart.positions
        moved.calc = whole
        write_restart(tmp_path / engine, replace(restart, forces=moved.get_forces()))
        result = run_dynamics(
            atoms,
            MDAugCalculator(model_path),
            longer,
            tmp_path / engine,
            make_integrator=make,
            resume=True,
        )
        assert (result.completed_steps, result.stopped_because) == (12, None)
        ends.append(read_restart(tmp_path / engine, len(atoms)))
    assert_close(ends[1].positions, ends[0].positions)
    assert_close(ends[1].forces, ends[0].forces, 1e-7)


# ---- refused inputs ------------------------------------------------------------------------------------


def refused(lab, atoms, pair=PAIR, *, before=MAP, after="", ranks=1, ids=None):
    order = {} if ids is None else {"ids": ids}
    script = lab.prepare("it", atoms, pair, before=before, **order) + after
    printed = ""
    for _ in range(3):  # mpirun may end before it has passed on what a rank has printed
        if "ERROR" not in printed:
            printed = lab.run(script, ranks=ranks, fails=True)
    assert "ERROR" in printed, printed[-2000:]
    return printed[printed.index("ERROR") :]


def test_a_map_is_needed(structures, lab):
    assert "put 'atom_modify map array' before the box" in refused(lab, structures["cell"], before="")


@pytest.mark.parametrize("ranks", [1, 3])
def test_ids_in_another_order_are_refused(structures, lab, ranks):
    swapped = [1, 2, 3, 9, 5, 6, 7, 8, 4]  # two hydrogens, of O and of C
    error = refused(lab, structures["molecule"], ids=lambda n: np.array(swapped), ranks=ranks)
    assert "atom IDs 3 and 4 are" in error or "atom IDs 1 and 9 are" in error
    assert "bonded" in error and "'mdaug lammps data' writes such files" in error
    elements = [4, 1, 2, 3, 5, 6, 7, 8, 9]
    error = refused(lab, structures["molecule"], ids=lambda n: np.array(elements), ranks=ranks)
    assert (
        "atom ID 2 is O, where a molecule of the model (C C O H H H H H H) has C" in error
        or "atom ID" in error
    )


def test_other_molecules_are_refused(lab):
    methanol = molecule("CH3OH", cell=[20.0] * 3, pbc=True)
    assert "atom ID 2 is O, where a molecule of the model (C C O H H H H H H) has C" in refused(lab, methanol)
    part = molecule("CH3CH2OH", cell=[20.0] * 3, pbc=True)[:7]
    assert "the molecule that begins at atom ID 1 ends too early" in refused(lab, part)


@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_of_the_model_that_come_or_go_are_refused(structures, lab, ranks):
    evaporate = "region all block EDGE EDGE EDGE EDGE EDGE EDGE\nfix go all evaporate 1 1 all 4\nrun 5\n"
    error = refused(lab, structures["cell"], after=evaporate, ranks=ranks)
    assert "had 72 when the run was prepared" in error
    for fix in ("widom 1 5 1 1 300", "gcmc 1 5 0 1 1 300 -1 0.1"):
        error = refused(lab, structures["cell"], after=f"fix change all {fix}\nrun 2\n", ranks=ranks)
        assert f"fix {fix.split()[0]} cannot insert or delete atoms of a model with a baseline" in error
    deleted = "group one id 5\ndelete_atoms group one compress no\nrun 1\n"
    assert "where a molecule of the model" in refused(lab, structures["cell"], after=deleted, ranks=ranks)


def test_an_element_that_changes_is_refused(structures, lab):
    change = "run 0\nset atom 9 type 3\nrun 1 pre no\n"
    assert "atom ID 9 has another element than when the run" in refused(lab, structures["cell"], after=change)


def test_atoms_of_other_types_are_between_the_molecules(structures, lab, alone):
    """Atoms of type NULL may have any ID, and be inserted and deleted."""
    atoms = structures["molecule"].copy()
    argon = Atoms("Si2", [[2.0, 2, 2], [2.0, 2, 28]])
    mixed = argon[:1] + atoms + argon[1:]
    mixed.set_cell(atoms.cell)
    answer = lab.evaluate({"mixed": mixed}, PAIR, ranks=2, before=MAP)["mixed"]
    np.testing.assert_allclose(answer.forces[1:-1], alone["molecule"].forces, atol=1e-9)
    script = lab.prepare("mixed", mixed, PAIR, before=MAP)
    gcmc = "group gas type 4\nfix gas gas gcmc 1 20 0 4 1 300 0.3 0.1 full_energy\nrun 5\n"
    assert "ERROR" not in lab.run(script.replace("boundary f f f", "boundary p p p") + gcmc)
