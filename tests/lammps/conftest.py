"""A small model of H, C, O and Si, structures, and LAMMPS runs of them."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.calculators.lammps_build import build
from mdaug.deployment import export_model
from mdaug.models import SchNet, SchNetOptions

BIN = Path(sys.executable).parent
# more ranks than cores: one that waits for a message sleeps instead of spinning
RANKS = {"MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT": "16"}
ELEMENTS = ["H", "C", "O", "Si"]
PAIR = "pair_style mdaug\npair_coeff * * {model} H C O Si"


@pytest.fixture(scope="session", autouse=True)
def plugin() -> Path:
    """Compile the plugin if need be."""
    return build()


@pytest.fixture(scope="session")
def model_path(tmp_path_factory) -> Path:
    """A model.pt with random weights, three blocks, and a cutoff of 4 Å, run in float64."""
    torch.manual_seed(3)
    options = SchNetOptions(
        n_atom_basis=16,
        n_filters=16,
        n_gaussians=8,
        n_interactions=3,
        cutoff=4.0,
        n_knots=64,
        prior="none",
    )
    model = SchNet(options, [1, 6, 8, 14], [-13.0, -1030.0, -2040.0, -7800.0], 0.7).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.5, 0.5)
    return export_model(
        model.eval(), tmp_path_factory.mktemp("model") / "model.pt", training={"data": "none"}
    )


@pytest.fixture(scope="session")
def structures() -> dict[str, Atoms]:
    """A molecule, periodic silicon, a triclinic cell of molecules, and a cell smaller than the cutoff."""
    ethanol = molecule("CH3CH2OH", cell=[30.0, 30.0, 30.0])
    ethanol.center()
    ethanol.pbc = False
    silicon = bulk("Si", cubic=True).repeat(2)
    triclinic = molecule("CH3CH2OH")
    triclinic.set_cell([[6.1, 0.0, 0.0], [1.2, 5.9, 0.0], [-1.5, 0.8, 6.4]])
    triclinic.pbc = True
    triclinic = triclinic.repeat((2, 2, 1))
    tiny = Atoms(
        "COH",
        [[0.1, 0.2, 0.1], [1.2, 1.5, 1.4], [2.0, 0.4, 2.2]],
        cell=[[3.1, 0.0, 0.0], [0.6, 3.3, 0.0], [-0.4, 0.5, 3.6]],
        pbc=True,
    )
    result = {"molecule": ethanol, "silicon": silicon, "triclinic": triclinic, "tiny": tiny}
    for seed, atoms in enumerate(result.values()):
        atoms.rattle(0.08, seed=seed)
    return result


@dataclass(frozen=True)
class Answer:
    """Results of LAMMPS for a structure, in LAMMPS' units, atoms in the order of the structure."""

    energy: float
    forces: np.ndarray
    energies: np.ndarray
    pressure: np.ndarray  # xx, yy, zz, xy, xz, yz
    virials: np.ndarray  # stress/atom


def write_data(path: Path, atoms: Atoms, ids: np.ndarray) -> None:
    """Write a LAMMPS data file; the cell must be lower triangular already."""
    (xx, _, _), (xy, yy, _), (xz, yz, zz) = atoms.cell.array
    lines = ["structure", "", f"{len(atoms)} atoms", f"{len(ELEMENTS)} atom types", ""]
    lines += [f"0 {length:.17g} {axis}lo {axis}hi" for axis, length in zip("xyz", (xx, yy, zz), strict=True)]
    if atoms.pbc.any():
        lines.append(f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz")
    lines += ["", "Masses", "", "1 1.008", "2 12.011", "3 15.999", "4 28.085", "", "Atoms # atomic", ""]
    for number, symbol, position in zip(ids, atoms.symbols, atoms.positions, strict=True):
        x, y, z = (f"{value:.17g}" for value in position)
        lines.append(f"{number} {ELEMENTS.index(symbol) + 1} {x} {y} {z}")
    path.write_text("\n".join([*lines, ""]))


def single_point(name: str, atoms: Atoms, pair: str, *, units: str = "metal", before: str = "") -> str:
    """Return the input that evaluates ``NAME.data`` and writes ``NAME.dump``."""
    boundary = "p p p" if atoms.pbc.any() else "f f f"
    stress = " ".join(f"c_s[{k}]" for k in range(1, 7))
    values = " ".join(f"$({key}:%.17g)" for key in ("pe", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz"))
    return f"""
clear
units {units}
atom_style atomic
boundary {boundary}
box tilt large
{before}
read_data {name}.data
{pair}
compute e all pe/atom
compute s all stress/atom NULL virial
compute sum_e all reduce sum c_e
compute sum_s all reduce sum {stress}
thermo_style custom step pe pxx pyy pzz pxy pxz pyz c_sum_e c_sum_s[1]
thermo_modify norm no
run 0
print "RESULT {name} {values}"
write_dump all custom {name}.dump id fx fy fz c_e {stress} modify sort id format float %.17g
"""


class Lab:
    """A folder in which LAMMPS runs on a model."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model

    def run(self, script: str, *, ranks: int = 1, fails: bool = False) -> str:
        """Run `lmp` of this environment on `script` and return what it prints."""
        (self.folder / "in.test").write_text(script)
        command = [str(BIN / "lmp"), "-in", "in.test", "-log", "none"]
        if ranks > 1:
            command = [str(BIN / "mpirun"), "-np", str(ranks), *command]
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | RANKS,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        printed = ended.stdout + ended.stderr
        assert (ended.returncode != 0) == fails, printed[-2000:]
        return printed

    def prepare(
        self,
        name: str,
        atoms: Atoms,
        pair: str = PAIR,
        *,
        ids: Callable[[int], np.ndarray] = lambda n: np.arange(1, n + 1),
        **settings: str,
    ) -> str:
        """Write the structure and return the input that evaluates it; ``{model}`` in `pair` is the model."""
        write_data(self.folder / f"{name}.data", atoms, ids(len(atoms)))
        return single_point(name, atoms, pair.format(model=self.model), **settings)

    def evaluate(
        self, structures: dict[str, Atoms], pair: str = PAIR, *, ranks: int = 1, **settings: Any
    ) -> dict[str, Answer]:
        """Evaluate structures one after another in one run."""
        script = "".join(self.prepare(name, atoms, pair, **settings) for name, atoms in structures.items())
        printed = self.run(script, ranks=ranks)
        return {name: self.answer(name, printed) for name in structures}

    def answer(self, name: str, printed: str) -> Answer:
        """Return what the input of `single_point` has printed and written."""
        line = next(line for line in printed.splitlines() if line.startswith(f"RESULT {name} "))
        energy, *pressure = map(float, line.split()[2:])
        table = np.loadtxt(self.folder / f"{name}.dump", skiprows=9, ndmin=2)
        return Answer(energy, table[:, 1:4], table[:, 4], np.array(pressure), table[:, 5:])


@pytest.fixture
def lab(tmp_path, model_path) -> Lab:
    """Return an empty folder to run LAMMPS in."""
    return Lab(tmp_path, model_path)


@pytest.fixture(scope="session")
def alone(structures, model_path, tmp_path_factory) -> dict[str, Answer]:
    """Return the results of one rank for all structures."""
    return Lab(tmp_path_factory.mktemp("alone"), model_path).evaluate(structures)
