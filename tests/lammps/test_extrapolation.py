"""Extrapolation in LAMMPS: that of the calculator on any number of ranks, and `fix halt` stops on it."""

import numpy as np
import pytest

from mdaug import MDAugCalculator
from mdaug.deployment import export_model, last_layer_statistics
from mdaug.frames import FrameSet
from mdaug.models import SchNet, SchNetOptions
from tests.lammps.conftest import PAIR, Lab, write_data

FIX = """
fix x all pair 1 mdaug extrapolation 1
compute largest all reduce max f_x
variable largest equal c_largest
"""


@pytest.fixture
def statistics_lab(make_model, structures, tmp_path) -> Lab:
    import torch

    torch.manual_seed(5)
    sizes = {"n_atom_basis": 16, "n_filters": 16, "n_vectors": 4, "n_interactions": 3, "cutoff": 4.0}
    options = SchNetOptions(**sizes, n_gaussians=8, n_knots=64, prior="none")
    model = SchNet(options, [1, 6, 8, 14], [-13.0, -1030.0, -2040.0, -7800.0], 0.7).double()
    frames = []
    for name in ("molecule", "silicon"):
        atoms = structures[name]
        positions = atoms.positions + 0.05 * np.random.default_rng(1).standard_normal((10, len(atoms), 3))
        cells = np.repeat(atoms.cell.array[None], 10, axis=0) if atoms.pbc.any() else None
        zeros = np.zeros_like(positions)
        frames.append(
            FrameSet(atoms.numbers, positions, np.zeros(10), zeros, cells=cells, pbc=tuple(atoms.pbc))
        )
    statistics = last_layer_statistics(model, frames)
    return Lab(tmp_path, export_model(model, tmp_path / "s.pt", training={}, statistics=statistics))


@pytest.mark.parametrize("ranks", [1, 3, 8])
def test_values_are_those_of_the_calculator(structures, statistics_lab, ranks) -> None:
    lab, script = statistics_lab, ""
    for name, atoms in structures.items():
        script += lab.prepare(name, atoms, PAIR + FIX)
        script += f"write_dump all custom {name}.x id f_x modify sort id format float %.17g\n"
        script += f'print "LARGEST {name} ${{largest}}"\n'
    printed = lab.run(script, ranks=ranks)
    for name, atoms in structures.items():
        alone = atoms.copy()
        alone.calc = MDAugCalculator(lab.model, strict=None)
        alone.get_potential_energy()
        expected = alone.calc.extrapolation
        found = np.loadtxt(lab.folder / f"{name}.x", skiprows=9, ndmin=2)[:, 1]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        line = next(line for line in printed.splitlines() if line.startswith(f"LARGEST {name} "))
        assert float(line.split()[2]) == pytest.approx(expected.max(), rel=1e-6)


@pytest.mark.parametrize("ranks", [1, 4])
def test_fix_halt_stops_on_the_largest(structures, statistics_lab, ranks) -> None:
    """Atoms migrate between ranks while the silicon heats up; the values of each step are computed in it."""
    lab = statistics_lab
    write_data(lab.folder / "silicon.data", structures["silicon"], np.arange(1, 65))
    script = f"""
units metal
boundary p p p
read_data silicon.data
{PAIR.format(model=lab.model)}
{FIX.replace("pair 1", "pair 5")}
velocity all create 6000 7 loop geom
fix move all nve
timestep 0.001
thermo 5
thermo_style custom step c_largest
fix stop all halt 5 v_largest > 2.0 error continue
run 1000
print "STOPPED $(step) $(v_largest)"
"""
    printed = lab.run(script, ranks=ranks)
    lines = printed.splitlines()
    step, largest = next(line for line in lines if line.startswith("STOPPED ")).split()[1:]
    assert 0 < int(step) < 1000
    assert float(largest) > 2.0
    table = [line.split() for line in lines if len(line.split()) == 2 and line.split()[0].isdigit()]
    assert all(float(value) <= 2.0 for at, value in table if int(at) < int(step))


def test_a_model_without_statistics_is_refused(structures, lab) -> None:
    printed = lab.run(lab.prepare("molecule", structures["molecule"], PAIR + FIX), fails=True)
    assert "the model has no statistics of its training frames" in printed
