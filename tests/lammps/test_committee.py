"""A committee in LAMMPS: deviations of forces as those of `MDAugCommittee`, on any number of ranks."""

import numpy as np
import pytest

from mdaug import MDAugCommittee
from mdaug.deployment import export_model
from mdaug.models import SchNet, SchNetOptions
from tests.force_fields import random_templates
from tests.lammps.conftest import PAIR, Lab

FIX = """
fix x all pair 1 mdaug force_deviation 1
compute largest all reduce max f_x
variable largest equal c_largest
"""


def exported(folder, name, seed, **changes):
    import torch

    torch.manual_seed(seed)
    sizes = {"n_atom_basis": 16, "n_filters": 16, "n_vectors": 4, "n_interactions": 3, "cutoff": 4.0}
    options = SchNetOptions(**sizes | changes.pop("options", {}), n_gaussians=8, n_knots=64, prior="none")
    model = SchNet(options, [1, 6, 8, 14], [-13.0, -1030.0, -2040.0, -7800.0], 0.7).double()
    return export_model(model, folder / name, training={}, **changes)


def committee_of(paths) -> str:
    others = ",".join(path.name for path in paths[1:])
    return PAIR.replace("pair_style mdaug", f"pair_style mdaug committee {others}")


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("units", ["metal", "real"])
def test_deviations_are_those_of_the_calculator(structures, tmp_path, ranks, units) -> None:
    paths = [exported(tmp_path, f"m{seed}.pt", seed) for seed in range(3)]
    lab, script = Lab(tmp_path, paths[0]), ""
    for name, atoms in structures.items():
        script += lab.prepare(name, atoms, committee_of(paths) + FIX, units=units)
        script += f"write_dump all custom {name}.x id f_x modify sort id format float %.17g\n"
        script += f'print "LARGEST {name} ${{largest}}"\n'
    printed = lab.run(script, ranks=ranks)
    unit = {"metal": 1.0, "real": 23.060549}[units]
    for name, atoms in structures.items():
        alone = atoms.copy()
        alone.calc = MDAugCommittee(paths, strict=None)
        forces = alone.get_forces()
        expected = alone.calc.results["force_deviation"]
        found = np.loadtxt(lab.folder / f"{name}.x", skiprows=9, ndmin=2)[:, 1]
        np.testing.assert_allclose(found, unit * expected, rtol=1e-6)
        assert expected.max() > 0.01
        np.testing.assert_allclose(lab.answer(name, printed).forces, unit * forces, rtol=1e-6, atol=1e-8)
        line = next(line for line in printed.splitlines() if line.startswith(f"LARGEST {name} "))
        assert float(line.split()[2]) == pytest.approx(unit * expected.max(), rel=1e-5)


@pytest.mark.parametrize("ranks", [1, 3])
def test_models_with_a_baseline(structures, tmp_path, ranks) -> None:
    templates = {"templates": random_templates("CH3CH2OH")}
    paths = [exported(tmp_path, f"b{seed}.pt", seed, **templates) for seed in range(2)]
    lab, ethanol = Lab(tmp_path, paths[0]), structures["molecule"]
    before = {"before": "atom_modify map array"}
    script = lab.prepare("molecule", ethanol, committee_of(paths) + FIX, **before)
    lab.run(script + "write_dump all custom x id f_x modify sort id format float %.17g\n", ranks=ranks)
    alone = ethanol.copy()
    alone.calc = MDAugCommittee(paths, strict=None)
    alone.get_forces()
    found = np.loadtxt(lab.folder / "x", skiprows=9)[:, 1]
    np.testing.assert_allclose(found, alone.calc.results["force_deviation"], rtol=1e-9)


def test_other_models_and_none_are_refused(structures, tmp_path) -> None:
    paths = [exported(tmp_path, "a.pt", 0), exported(tmp_path, "long.pt", 1, options={"cutoff": 4.5})]
    lab = Lab(tmp_path, paths[0])
    printed = lab.run(lab.prepare("molecule", structures["molecule"], committee_of(paths)), fails=True)
    assert "committee long.pt: its elements, cutoff or molecules are not those of" in printed
    printed = lab.run(lab.prepare("molecule", structures["molecule"], PAIR + FIX), fails=True)
    assert "force_deviation needs other models; name them with the option committee" in printed
