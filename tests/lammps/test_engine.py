"""`mdaug nve --engine lammps`: the same trajectory and the same files as ASE's velocity Verlet."""

import subprocess
import sys
from shutil import copyfile

import numpy as np
import pytest
from ase.build import molecule

from mdaug.analysis.thermo_log import read_thermo

SCRIPT = """
import sys
from functools import partial
import numpy as np
from ase import Atoms
from mdaug import MDAugCalculator
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.lammps_integrator import lammps_integrators

model = sys.argv[1]
positions, numbers = np.load("positions.npy"), np.load("numbers.npy")
options = DynamicsOptions(steps=40, timestep=0.1, temperature=20.0, equilibration=0.002, guard=False)
for name, make in {"ase": None, "lammps": lammps_integrators(model, None)}.items():
    atoms = Atoms(numbers, positions)
    run_dynamics(atoms, MDAugCalculator(model), options, name, make_integrator=make)
"""


@pytest.mark.parametrize(
    ("name", "folder"), [("ethanol", "plain"), ("water", """the "best" one's $x ${y} & #3; * [0]""")]
)
def test_engines_give_the_same_trajectory_and_files(structures, lab, name, folder):
    """Three atoms that do not turn stay in their plane; LAMMPS takes the path of a model as it is."""
    atoms = {"ethanol": structures["molecule"], "water": molecule("H2O")}[name]
    model = lab.folder / folder / "model.pt"
    model.parent.mkdir()
    copyfile(lab.model, model)
    np.save(lab.folder / "positions.npy", atoms.positions)
    np.save(lab.folder / "numbers.npy", atoms.numbers)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(model)],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    ours, theirs = (read_thermo(lab.folder / name) for name in ("ase", "lammps"))
    assert theirs.n_atoms == len(atoms)
    assert len(theirs.time_ps) == 5
    assert theirs.total_eV == pytest.approx(ours.total_eV, rel=0, abs=1e-9)
    ends = [np.load(lab.folder / name / "restart.npz") for name in ("ase", "lammps")]
    np.testing.assert_allclose(ends[1]["positions"], ends[0]["positions"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(ends[1]["momenta"], ends[0]["momenta"], rtol=0, atol=1e-11)
    sizes = {(lab.folder / name / "trajectory.dcd").stat().st_size for name in ("ase", "lammps")}
    assert len(sizes) == 1
