"""NeuralForceField's data sets: the real file, a periodic one, and broken ones."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

RNG = np.random.default_rng(0)
POSITIONS, GRADIENTS, ENERGIES = RNG.normal(size=(3, 2, 3)), RNG.normal(size=(3, 2, 3)), RNG.normal(size=3)


def _props(**more: Any) -> dict[str, Any]:
    nxyz = np.concatenate([np.broadcast_to([[8.0], [1.0]], (3, 2, 1)), POSITIONS], axis=2)
    return {
        "nxyz": [torch.tensor(frame) for frame in nxyz],
        "energy": torch.tensor(ENERGIES),
        "energy_grad": [torch.tensor(gradient) for gradient in GRADIENTS],
        **more,
    }


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a pickled nff Dataset, as NeuralForceField does, without having it."""
    package, data, module = (ModuleType(name) for name in ("nff", "nff.data", "nff.data.dataset"))
    dataset_class = type("Dataset", (), {"__module__": "nff.data.dataset"})
    module.Dataset = dataset_class
    for made in (package, data, module):
        monkeypatch.setitem(sys.modules, made.__name__, made)

    def write(props: dict[str, Any], unit: str = "kcal/mol") -> Path:
        dataset = dataset_class()
        dataset.__dict__ = {"props": props, "units": unit}
        torch.save(dataset, tmp_path / "dataset.pth.tar")
        return tmp_path / "dataset.pth.tar"

    return write


@pytest.mark.reference_sets("ethanol_nff_dataset.pth.tar", "ethanol_ccsd_t_1000.npz")
def test_the_real_file_holds_the_reference_frames(reference_set: Callable[[str], Path]) -> None:
    found = read_contents(reference_set("ethanol_nff_dataset.pth.tar"))
    expected = read_contents(reference_set("ethanol_ccsd_t_1000.npz"))
    assert found.units == expected.units == StatedUnits.of_energy("kcal/mol")
    assert found.frames.positions == pytest.approx(expected.frames.positions, abs=1e-6)
    assert found.frames.forces == pytest.approx(expected.frames.forces, abs=1e-4)
    offset = expected.frames.energies.mean()
    assert found.frames.energies == pytest.approx(expected.frames.energies - offset, abs=1e-4)
    assert (found.frames.charge, found.frames.multiplicity) == (0.0, 1)


def test_forces_are_minus_the_gradient(save) -> None:
    frames = read_contents(save(_props())).frames
    assert frames.forces == pytest.approx(-GRADIENTS)
    assert frames.positions == pytest.approx(POSITIONS)
    assert frames.atomic_numbers.tolist() == [8, 1]
    assert frames.cells is None


def test_lattice_makes_it_periodic(save) -> None:
    lattice = [torch.tensor(np.eye(3) * (5.0 + i)) for i in range(3)]
    frames = read_contents(save(_props(lattice=lattice))).frames
    assert frames.pbc == (True, True, True)
    assert frames.cells is not None
    assert frames.cells[2].tolist() == (np.eye(3) * 7.0).tolist()


def test_atomic_units_are_hartree_and_bohr(save) -> None:
    contents = read_contents(save(_props(), unit="atomic"))
    assert contents.units == StatedUnits("Hartree", "Hartree", "Bohr")
    assert contents.frames.forces == pytest.approx(-GRADIENTS)


def test_charge_is_kept_and_must_be_one(save) -> None:
    assert read_contents(save(_props(charge=torch.full((3,), -1.0)))).frames.charge == -1.0
    with pytest.raises(DataError, match="frames differ in charge"):
        read_contents(save(_props(charge=torch.tensor([0.0, 1.0, 0.0]))))
    with pytest.raises(DataError, match="charge is NaN or infinite; expected a finite number"):
        read_contents(save(_props(charge=torch.tensor([0.0, torch.nan, torch.nan]))))


@pytest.mark.parametrize("missing", ["nxyz", "energy", "energy_grad"])
def test_missing_props_are_named(save, missing: str) -> None:
    props = _props()
    del props[missing]
    with pytest.raises(DataError, match=f"no {missing} in props"):
        read_contents(save(props))


def test_another_order_of_atoms(save) -> None:
    props = _props()
    for frame in props["nxyz"]:
        frame[1, 1:] = frame[0, 1:] + torch.tensor([0.0, 0.6, 0.8])
    expected = [frame[:, 1:].tolist() for frame in props["nxyz"]]
    for name in ("nxyz", "energy_grad"):
        props[name][1] = props[name][1].flip(0)
    path = save(props)
    with pytest.raises(DataError, match=r"frame 1 has the atoms in another order than frame 0; .* --reorder"):
        read_contents(path)
    frames = read_frames(path, reorder=True, units="eV").frames
    assert frames.atomic_numbers.tolist() == [8, 1]
    assert frames.positions.tolist() == expected
    assert frames.forces == pytest.approx(-GRADIENTS)


def test_a_model_is_no_data_set(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.pt")
    with pytest.raises(DataError, match="no nxyz in props"):
        read_contents(tmp_path / "model.pt")
