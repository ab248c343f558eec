"""A committee in LAMMPS: deviations of forces as those of `MDAugCommittee`, on any number of ranks."""

import zipfile
from pathlib import Path

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
compute virial all pair mdaug
variable largest_v equal c_virial[1]
variable least_v equal c_virial[2]
variable mean_v equal c_virial[3]
"""


def exported(folder, name, seed, **changes):
    import torch

    torch.manual_seed(seed)
    sizes = {"n_atom_basis": 16, "n_filters": 16, "n_vectors": 4, "n_interactions": 3, "cutoff": 4.0}
    options = SchNetOptions(**sizes | changes.pop("options", {}), n_gaussians=8, n_knots=64, prior="none")
    model = SchNet(options, [1, 6, 8, 14], [-13.0, -1030.0, -2040.0, -7800.0], 0.7).double()
    return export_model(model, folder / name, training={}, **changes)


def in_one_file(paths, folder, **changes):
    """The networks of the files, whose seeds begin with 0, in one file."""
    others = [path.read_bytes() for path in paths[1:]]
    return exported(folder, "committee.pt", 0, committee=others, **changes)


def committee_of(paths) -> str:
    others = ",".join(path.name for path in paths[1:])
    return PAIR.replace("pair_style mdaug", f"pair_style mdaug committee {others}")


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize(("units", "one_file"), [("metal", True), ("real", True), ("metal", False)])
def test_deviations_are_those_of_the_calculator(structures, tmp_path, ranks, units, one_file) -> None:
    paths = [exported(tmp_path, f"m{seed}.pt", seed) for seed in range(3)]
    lab = Lab(tmp_path, in_one_file(paths, tmp_path) if one_file else paths[0])
    pair, script = PAIR if one_file else committee_of(paths), ""
    for name, atoms in structures.items():
        script += lab.prepare(name, atoms, pair + FIX, units=units)
        script += f"write_dump all custom {name}.x id f_x modify sort id format float %.17g\n"
        script += f'print "LARGEST {name} ${{largest}}"\n'
        script += f'print "VIRIAL {name} ${{largest_v}} ${{least_v}} ${{mean_v}}"\n'
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
        of_virial = alone.calc.results["virial_deviation"]
        line = next(line for line in printed.splitlines() if line.startswith(f"VIRIAL {name} "))
        three = [of_virial.max(), of_virial.min(), np.sqrt(np.mean(of_virial**2))]
        np.testing.assert_allclose(
            [float(word) for word in line.split()[2:]], unit * np.array(three), rtol=1e-5
        )


@pytest.mark.parametrize(("ranks", "one_file"), [(1, False), (3, False), (3, True)])
def test_models_with_a_baseline(structures, tmp_path, ranks, one_file) -> None:
    templates = {"templates": random_templates("CH3CH2OH")}
    paths = [exported(tmp_path, f"b{seed}.pt", seed, **templates) for seed in range(2)]
    lab = Lab(tmp_path, in_one_file(paths, tmp_path, **templates) if one_file else paths[0])
    ethanol, before = structures["molecule"], {"before": "atom_modify map array"}
    script = lab.prepare("molecule", ethanol, (PAIR if one_file else committee_of(paths)) + FIX, **before)
    lab.run(script + "write_dump all custom x id f_x modify sort id format float %.17g\n", ranks=ranks)
    alone = ethanol.copy()
    alone.calc = MDAugCommittee(paths, strict=None)
    alone.get_forces()
    found = np.loadtxt(lab.folder / "x", skiprows=9)[:, 1]
    np.testing.assert_allclose(found, alone.calc.results["force_deviation"], rtol=1e-9)


def test_a_restart_file_keeps_the_committee_of_the_model_file(structures, tmp_path) -> None:
    paths = [exported(tmp_path, f"m{seed}.pt", seed) for seed in range(2)]
    lab = Lab(tmp_path, in_one_file(paths, tmp_path))
    script = lab.prepare("molecule", structures["molecule"], PAIR + FIX)
    script += 'write_restart a.restart\nprint "BEFORE ${largest}"\n'
    script += "clear\nread_restart a.restart\n" + FIX
    script += 'thermo_style custom step c_largest\nrun 0\nprint "AFTER ${largest}"\n'
    words = [line.split() for line in lab.run(script).splitlines()]
    (before,), (after,) = ([word[1] for word in words if word[:1] == [name]] for name in ("BEFORE", "AFTER"))
    assert float(after) == pytest.approx(float(before), rel=1e-6)
    assert float(before) > 0.01


def test_networks_are_loaded_only_where_a_fix_reads_the_deviation(structures, tmp_path) -> None:
    """Without such a fix a damaged one is not found."""
    paths = [exported(tmp_path, f"m{seed}.pt", seed) for seed in range(2)]
    lab = Lab(tmp_path, damaged(in_one_file(paths, tmp_path), tmp_path / "damaged.pt"))
    energy = lab.evaluate({"molecule": structures["molecule"]})["molecule"].energy
    sound = Lab(tmp_path, paths[0]).evaluate({"molecule": structures["molecule"]})["molecule"].energy
    assert energy == pytest.approx(sound)
    for ranks in (1, 3):
        printed = lab.run(
            lab.prepare("molecule", structures["molecule"], PAIR + FIX), ranks=ranks, fails=True
        )
        line = next(line for line in printed.splitlines() if "ERROR" in line)
        assert f"{lab.model}, network 1 of its committee: not a model.pt, or damaged (" in line


def damaged(path: Path, target: Path) -> Path:
    """Copy a model.pt with other bytes in a network of its committee, and the sums of the zip made right."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as changed:
        for name in source.namelist():
            content = source.read(name)
            changed.writestr(
                name, content[:1000] + content[2000:] if name.endswith("network-1.pt") else content
            )
    return target


def test_other_models_and_none_are_refused(structures, tmp_path) -> None:
    paths = [exported(tmp_path, "a.pt", 0), exported(tmp_path, "long.pt", 1, options={"cutoff": 4.5})]
    lab = Lab(tmp_path, paths[0])
    printed = lab.run(lab.prepare("molecule", structures["molecule"], committee_of(paths)), fails=True)
    assert "committee long.pt: its elements, cutoff or molecules are not those of" in printed
    whole = Lab(tmp_path, in_one_file(paths, tmp_path))
    printed = whole.run(whole.prepare("molecule", structures["molecule"], PAIR + FIX), fails=True)
    assert (
        f"committee {whole.model}, network 1: its elements, cutoff or molecules are not those of" in printed
    )
    printed = lab.run(lab.prepare("molecule", structures["molecule"], PAIR + FIX), fails=True)
    assert "force_deviation needs a model of 'mdaug train --committee N', or other models by the" in printed
