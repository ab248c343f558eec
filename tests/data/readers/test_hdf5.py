"""HDF5 files as those of SPICE, ANI-1x and Transition1x."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from ase import units as ase_units

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.units import EV_PER_ENERGY_UNIT
from tests.data.readers.one_system import read_contents

pytestmark = pytest.mark.h5py

RNG = np.random.default_rng(0)
R, E, F = RNG.normal(size=(5, 3, 3)), RNG.normal(size=5), RNG.normal(size=(5, 3, 3))
BOHR = 0.529177


def save(path: Path, groups: dict[str, dict], units: dict[str, str] | None = None) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, arrays in groups.items():
            for key, values in arrays.items():
                file.create_dataset(f"{name}/{key}", data=values)
                if key in (units or {}):
                    file[f"{name}/{key}"].attrs["units"] = units[key]
    return path


SPICE = {
    "atomic_numbers": np.array([8, 1, 1], dtype=np.int16),
    "conformations": R.astype(np.float32),
    "dft_total_energy": E,
    "dft_total_gradient": F.astype(np.float32),
    "formation_energy": E + 75.0,
    "smiles": np.array([b"[O:1]([H:2])[H:3]"]),
    "mbis_charges": np.zeros((5, 3, 1)),
}
SPICE_UNITS = {
    "conformations": "bohr",
    "dft_total_energy": "hartree",
    "dft_total_gradient": "hartree/bohr",
    "formation_energy": "hartree",
}


@pytest.mark.parametrize("units", [SPICE_UNITS, None])
def test_spice(tmp_path: Path, units: dict | None) -> None:
    contents = read_contents(save(tmp_path / "spice.hdf5", {"water": SPICE}, units))
    assert contents.units == StatedUnits("Hartree", "Hartree", "Bohr", "Bohr")
    assert contents.frames.forces == pytest.approx(-F, abs=1e-6)
    assert contents.frames.energies.tolist() == E.tolist()
    frames = read_frames(tmp_path / "spice.hdf5").frames
    assert frames.positions == pytest.approx(R * BOHR, abs=1e-5)
    assert frames.forces == pytest.approx(-F * EV_PER_ENERGY_UNIT["Hartree"] / BOHR, rel=1e-5)


def test_names_without_the_quantity_can_be_stated(tmp_path: Path) -> None:
    arrays = {"atomic_numbers": np.array([8, 1, 1]), "positions": R, "U0": E, "F": F}
    contents = read_contents(save(tmp_path / "a.h5", {"water": arrays}), energy_key="U0", forces_key="F")
    assert contents.frames.energies.tolist() == E.tolist()
    assert contents.frames.forces == pytest.approx(F)


def test_a_molecule_of_a_compressed_file(tmp_path: Path) -> None:
    path = save(tmp_path / "spice.hdf5", {"water": SPICE, "other": SPICE})
    packed = tmp_path / "spice.hdf5.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_contents(tmp_path / "spice.hdf5.gz#water").frames.energies.tolist() == E.tolist()
    with pytest.raises(DataError, match=r"spice.hdf5.gz: no group 'wat'"):
        read_contents(tmp_path / "spice.hdf5.gz#wat")


def test_ani_1x_takes_the_level_with_forces(tmp_path: Path) -> None:
    coupled_cluster = np.where(np.arange(5) == 2, -76.0, np.nan)
    energies, forces = E.copy(), F.copy()
    energies[4] = np.nan
    arrays = {
        "atomic_numbers": np.array([8, 1, 1]),
        "coordinates": R,
        "ccsd(t)_cbs.energy": coupled_cluster,
        "wb97x_dz.energy": energies,
        "wb97x_dz.forces": forces,
    }
    contents = read_contents(save(tmp_path / "ani1x.h5", {"H2O1": arrays}))
    assert contents.units == StatedUnits.of_energy("Hartree")
    assert contents.frames.energies.tolist() == E[:4].tolist()
    assert contents.frames.forces == pytest.approx(F[:4])
    assert any("1 of 5 conformations are left out" in note for note in contents.notes)
    only = read_contents(tmp_path / "ani1x.h5", energy_key="ccsd(t)_cbs.energy", forces_optional=True).frames
    assert only.energies.tolist() == [-76.0] and not only.has_forces


def test_transition1x_is_in_ev(tmp_path: Path) -> None:
    arrays = {
        "atomic_numbers": np.array([8, 1, 1]),
        "positions": R,
        "wB97x_6-31G(d).energy": E,
        "wB97x_6-31G(d).forces": F,
    }
    contents = read_contents(save(tmp_path / "t1x.h5", {"data/H2O/rxn0": arrays}))
    assert contents.units == StatedUnits.of_energy("eV")
    assert contents.frames.forces == pytest.approx(F)


def test_one_of_several_molecules_is_stated(tmp_path: Path) -> None:
    ani = {"species": np.array([b"O", b"H", b"H"]), "coordinates": R, "energies": E, "forces": F}
    path = save(tmp_path / "two.h5", {"set/a": ani, "set/b": ani | {"energies": E + 1}})
    with pytest.raises(DataError, match=r"holds 2 molecules \(set/a, set/b\); state one as '.*two.h5#set/a'"):
        read_contents(path)
    frames = read_frames(f"{path}#set/b").frames
    assert frames.atomic_numbers.tolist() == [8, 1, 1]
    assert frames.energies == pytest.approx((E + 1) * EV_PER_ENERGY_UNIT["Hartree"])
    assert frames.name == "two.h5#set/b"
    with pytest.raises(DataError, match="no group 'set/c'"):
        read_frames(f"{path}#set/c")


CRYSTAL = {
    "atomic_numbers": np.array([8, 1, 1]),
    "positions": R,
    "energy": E,
    "forces": F,
    "cell": 10.0 * np.eye(3),
}
S = RNG.normal(size=(5, 3, 3))
S = S + S.swapaxes(1, 2)


@pytest.mark.parametrize(
    ("more", "units", "factor"),
    [
        ({"stress": S}, {}, 1.0),
        ({"stress": S.reshape(5, 9)}, {"stress": "GPa"}, ase_units.GPa),
        ({"virials": S}, {}, -1 / 1000.0),
        ({"virials": S}, {"virials": "Hartree"}, -ase_units.Hartree / 1000.0),
        ({"stress": S, "REF_stress": 2 * S, "dft_stress": 3 * S, "virials": 4 * S}, {}, 1.0),
        ({"REF_stress": S[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]}, {}, 1.0),
    ],
)
def test_cells_and_stresses(tmp_path: Path, more: dict, units: dict, factor: float) -> None:
    frames = read_frames(save(tmp_path / "crystal.h5", {"a": CRYSTAL | more}, units)).frames
    assert frames.pbc == (True, True, True)
    np.testing.assert_allclose(frames.cells, np.tile(10.0 * np.eye(3), (5, 1, 1)))
    np.testing.assert_allclose(frames.stresses, factor * S, rtol=1e-6)


@pytest.mark.parametrize("more", [{"cell": np.zeros((3, 3))}, {"pbc": np.zeros(3, dtype=bool)}])
def test_molecules_with_an_empty_cell(tmp_path: Path, more: dict) -> None:
    frames = read_frames(save(tmp_path / "molecule.h5", {"a": CRYSTAL | {"stress": S} | more})).frames
    assert frames.cells is None and frames.stresses is None and not any(frames.pbc)


@pytest.mark.parametrize("pbc", [[True, True, False], [[1, 1, 0]] * 5])
def test_a_slab_is_periodic_in_two_directions(tmp_path: Path, pbc: list) -> None:
    frames = read_frames(save(tmp_path / "slab.h5", {"a": CRYSTAL | {"pbc": np.array(pbc)}})).frames
    assert frames.pbc == (True, True, False)


@pytest.mark.parametrize("pbc", [[[1, 1, 0]] * 4 + [[1, 1, 1]], np.zeros((0, 3))])
def test_conformations_with_other_periodic_directions(tmp_path: Path, pbc: list) -> None:
    with pytest.raises(DataError, match="pbc is not the same for all conformations"):
        read_frames(save(tmp_path / "slab.h5", {"a": CRYSTAL | {"pbc": np.array(pbc)}}))


def test_cells_of_each_frame_in_bohr(tmp_path: Path) -> None:
    cells = (10 + RNG.uniform(size=(5, 1, 1))) * np.eye(3)
    arrays = CRYSTAL | {"cell": cells, "stress": S}
    units = {"positions": "Bohr", "energy": "Hartree", "forces": "Hartree/Bohr"}
    frames = read_frames(save(tmp_path / "crystal.h5", {"a": arrays}, units)).frames
    np.testing.assert_allclose(frames.cells, cells * ase_units.Bohr)
    np.testing.assert_allclose(frames.stresses, S * ase_units.Hartree / ase_units.Bohr**3)


def test_arrays_of_other_files_are_refused(tmp_path: Path) -> None:
    import h5py

    path = save(tmp_path / "spice.hdf5", {"water": SPICE})
    layout = h5py.VirtualLayout(shape=(5,), dtype="f8")
    layout[:] = h5py.VirtualSource(
        save(tmp_path / "other.h5", {"x": {"energies": E}}), "x/energies", shape=(5,)
    )
    with h5py.File(path, "a") as file:
        del file["water/dft_total_energy"]
        file.create_virtual_dataset("water/dft_total_energy", layout)
    with pytest.raises(DataError, match="dft_total_energy is stored in other files"):
        read_contents(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"conformations": R[:, :2]}, r"conformations has shape \(5, 2, 3\); expected \(n_frames, 3, 3\)"),
        ({"dft_total_energy": np.full(5, np.nan)}, "dft_total_energy is not given"),
        (
            {"dft_total_energy": E[:3], "formation_energy": E[:3]},
            r"_energy has shape \(3,\); expected \(5,\)",
        ),
        ({"dft_total_gradient": F[:, :2]}, r"dft_total_gradient has shape \(5, 2, 3\); expected \(5, 3, 3\)"),
        ({"atomic_numbers": np.array([b"O", b"H", b"Qq"])}, "'Qq' is no element"),
        ({"cell": np.ones((4, 3, 3))}, r"cell has shape \(4, 3, 3\); expected \(3, 3\) or \(5, 3, 3\)"),
        ({"cell": np.eye(3), "stress": np.zeros((5, 4))}, r"stress has shape \(5, 4\); expected nine or six"),
    ],
)
def test_bad_groups(tmp_path: Path, arrays: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_contents(save(tmp_path / "bad.h5", {"water": SPICE | arrays}))


def test_no_molecule(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no group with atomic numbers"):
        read_contents(save(tmp_path / "bad.h5", {"water": {"x": R}}))
