"""The C++ core gives what TorchScript and the eager model give, whole and in stages."""

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mdaug.calculators import MDAugCalculator
from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError, load_library
from mdaug.calculators.structures import elements_of
from mdaug.deployment import export_model, load_model, read_manifest
from mdaug.errors import DataError
from mdaug.native.compiler import find_compiler
from tests.staged_evaluation import pairs_of, staged

TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


@pytest.fixture(
    params=[
        (12, 16, 0, 2, "none"),
        (40, 70, 0, 3, "none"),
        (7, 5, 0, 1, "pair"),
        (9, 4, 0, 4, "pair"),
        (1, 1, 1, 2, "none"),
        (9, 4, 5, 4, "pair"),
        (40, 20, 70, 3, "none"),
    ],
    ids=str,
)
def path(request, make_model, tmp_path):
    """Return models with widths that no vector divides, with filters of several blocks, with a prior."""
    names = "n_atom_basis", "n_filters", "n_vectors", "n_interactions", "prior"
    options = dict(zip(names, request.param, strict=True))
    return export_model(make_model(**options), tmp_path / "model.pt", training={})


def structures():
    """Return systems with something special each."""
    rng = np.random.default_rng(3)
    shaken = molecule("CH3CH2OH")
    shaken.rattle(0.2, seed=1)
    cell = [[2.5, 0.0, 0.0], [0.6, 2.7, 0.0], [-0.4, 0.5, 2.9]]
    return {
        "molecule": shaken,
        "near the cutoff": Atoms("OHC", [[0, 0, 0], [4.0 - 1e-7, 0, 0], [0, 4.0 + 1e-7, 0]]),
        "short distances": Atoms("OHC", [[0, 0, 0], [1e-3, 0, 0], [0, 0.04, 0.03]]),
        "isolated atoms": molecule("H2O") + Atoms("CO", [[20, 0, 0], [0, 30, 0]]),
        "one atom": Atoms("C"),
        "self-images": Atoms("CO", [[0.1, 0.2, 0.0], [1.2, 1.5, 1.4]], cell=cell, pbc=True),
        "many": Atoms("OCHH" * 40, 9.0 * rng.random((160, 3)), cell=np.eye(3) * 9.0, pbc=True),
    }


def torchscript(path, dtype, species, atoms, pairs):
    with torch.inference_mode():
        out = load_model(path, dtype).evaluate(
            torch.from_numpy(species), torch.from_numpy(atoms.positions), *map(torch.as_tensor, pairs)
        )
    return {name: tensor.numpy() for name, tensor in out.items()}


def species_in(path, atoms):
    return elements_of(atoms.numbers, read_manifest(path)["elements"])


def assert_equal(result, expected, dtype, n_atoms):
    """Relative to what is large: the largest force (for energies times 1 Å), and reference energies.

    Where atoms nearly touch, activations pass 20, from where on TorchScript takes softplus for linear.
    """
    tolerance, largest = TOLERANCE[dtype], max(1.0, np.abs(expected["forces"]).max())
    for name in ("forces", "strain_derivative"):
        scale = max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(result[name], expected[name], rtol=0, atol=tolerance * scale, err_msg=name)
    for name in ("energy", "atomic_energies"):
        np.testing.assert_allclose(
            result[name], expected[name], rtol=0, atol=tolerance * n_atoms * largest, err_msg=name
        )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("threads", [1, 2])
def test_whole_systems_equal_torchscript(path, dtype, threads):
    core = Core(path, dtype, threads)
    for name, atoms in structures().items():
        species, pairs = species_in(path, atoms), pairs_of(atoms)
        expected = torchscript(path, dtype, species, atoms, pairs)
        result = core.evaluate(species, atoms.positions, *pairs)
        try:
            assert_equal(result, expected, dtype, len(atoms))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_float32_conserves_momentum_exactly_to_float64(path, dtype):
    atoms = structures()["many"]
    for threads in (1, 2):
        core = Core(path, dtype, threads)
        forces = core.evaluate(species_in(path, atoms), atoms.positions, *pairs_of(atoms))["forces"]
        assert np.abs(forces.sum(axis=0)).max() < 1e-12 * np.abs(forces).sum()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_stages_on_several_ranks_equal_the_whole(path, dtype, n_ranks):
    """Three ranks: two of them own nothing."""
    for name in ("molecule", "self-images", "isolated atoms", "many"):
        atoms = structures()[name]
        species = species_in(path, atoms)
        expected = Core(path, dtype).evaluate(species, atoms.positions, *pairs_of(atoms))
        result = staged(path, dtype, species, atoms, n_ranks)
        assert_equal(result, expected, dtype, len(atoms))


def test_molecules_in_a_batch_are_each_alone_bit_for_bit(path):
    atoms, rng = structures()["molecule"], np.random.default_rng(2)
    positions = atoms.positions + 0.1 * rng.standard_normal((17, len(atoms), 3))
    species = species_in(path, atoms)
    core = Core(path, "float32")
    energies, forces = core.evaluate_molecules(species, positions)
    for n in (0, 7, 16):
        alone = core.evaluate_molecules(species, positions[n : n + 1])
        assert alone[0][0] == energies[n]
        np.testing.assert_array_equal(alone[1][0], forces[n])
        whole = core.evaluate(species, positions[n], *pairs_of(atoms))
        assert whole["energy"] == pytest.approx(energies[n], abs=1e-11)
        np.testing.assert_array_equal(whole["forces"], forces[n])


def test_atoms_at_one_place_and_nan_show_in_the_results(path):
    core, pairs = Core(path), (np.array([0]), np.array([1]), np.zeros((1, 3)))
    species = np.array([0, 0])
    for second in ([0.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [np.inf, np.inf, -np.inf]):
        result = core.evaluate(species, np.array([[0.0, 0.0, 0.0], second]), *pairs)
        assert not np.isfinite(result["forces"]).all() or second[0] == np.inf
    fine = core.evaluate(species, np.array([[0.0, 0.0, 0.0], [0.9, 0.0, 0.0]]), *pairs)
    assert np.isfinite(fine["forces"]).all()


def test_buffers_grow_and_serve_smaller_systems_again(path):
    core, systems = Core(path), structures()
    first = core.evaluate(
        species_in(path, systems["molecule"]), systems["molecule"].positions, *pairs_of(systems["molecule"])
    )
    before = core.memory_bytes
    core.evaluate(species_in(path, systems["many"]), systems["many"].positions, *pairs_of(systems["many"]))
    grown = core.memory_bytes
    again = core.evaluate(
        species_in(path, systems["molecule"]), systems["molecule"].positions, *pairs_of(systems["molecule"])
    )
    assert before < grown == core.memory_bytes
    np.testing.assert_array_equal(first["forces"], again["forces"])


def test_verlet_is_velocity_verlet(path):
    core, atoms = Core(path, "float64"), molecule("CH3CH2OH")
    species, masses, timestep = species_in(path, atoms), atoms.get_masses(), 0.02
    rng = np.random.default_rng(0)
    positions = np.stack([atoms.positions, atoms.positions + 0.05])
    momenta = rng.standard_normal(positions.shape)
    _, forces = core.evaluate_molecules(species, positions)
    r, p, f = positions.copy(), momenta.copy(), forces.copy()
    for _ in range(7):
        p += 0.5 * timestep * f
        r += timestep * p / masses[:, None]
        energies, f = core.evaluate_molecules(species, r)
        p += 0.5 * timestep * f
    done, result = core.verlet(species, masses, timestep, 7, (positions, momenta, forces))
    assert done == 7
    for ours, theirs in ((positions, r), (momenta, p), (forces, f), (result, energies)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_verlet_stops_when_forces_are_no_numbers(path):
    core, species = Core(path), np.array([0, 0])
    positions, momenta = np.array([[[0.0, 0, 0], [1.0, 0, 0]]]), np.zeros((1, 2, 3))
    momenta[0, 1, 0] = -1.0
    forces = np.zeros((1, 2, 3))
    forces[0, 0, 0] = np.nan
    done, energies = core.verlet(species, np.ones(2), 0.1, 9, (positions, momenta, forces))
    assert done == 1
    assert not np.isfinite(energies).all()


def test_wrong_input_is_refused_in_words(path):
    core, two = Core(path), np.zeros((2, 3))
    none = np.array([0]), np.array([1]), np.zeros((1, 3))
    with pytest.raises(DataError, match="species of atom 1 is 9, expected 0 to 2"):
        core.evaluate(np.array([0, 9]), two, *none)
    with pytest.raises(DataError, match="an atom of pair 0 is 2, expected 0 to n_atoms - 1"):
        core.evaluate(np.array([0, 0]), two, np.array([0]), np.array([2]), np.zeros((1, 3)))
    result = core.evaluate(np.array([0, 0]), np.array([[0.0, 0, 0], [1.0, 0, 0]]), *none)
    assert np.isfinite(result["forces"]).all()


def test_models_that_the_core_cannot_evaluate_are_refused(make_model, tmp_path):
    direct = export_model(make_model(filters="direct"), tmp_path / "direct.pt", training={})
    with pytest.raises(CoreUnavailableError, match="filters are no splines"):
        Core(direct)
    (tmp_path / "text.pt").write_text("no model")
    with pytest.raises(CoreUnavailableError, match=r"text\.pt: not a model\.pt, or damaged"):
        Core(tmp_path / "text.pt")
    with pytest.raises(CoreUnavailableError, match=r"none\.pt: no such file"):
        Core(tmp_path / "none.pt")
    fine = export_model(make_model(), tmp_path / "fine.pt", training={})
    with pytest.raises(CoreUnavailableError, match="dtype 'float16': expected"):
        Core(fine, "float16")


def test_weights_that_are_not_the_manifests_are_refused(path, flip_a_weight, tmp_path):
    with pytest.raises(CoreUnavailableError, match="weights are not those of its manifest"):
        Core(flip_a_weight(path, tmp_path / "flipped.pt"))


@pytest.fixture
def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(target, members):
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def test_an_archive_that_another_program_packed_is_read(path, members, tmp_path):
    repacked = Core(write_archive(tmp_path / "repacked.pt", members))
    pair = np.array([0, 0]), np.eye(2, 3), np.array([0]), np.array([1]), np.zeros((1, 3))
    assert repacked.evaluate(*pair)["energy"] == Core(path).evaluate(*pair)["energy"]


def test_a_tensor_whose_bytes_are_missing_is_refused(members, tmp_path):
    for empty in (name for name in members if "/data/" in name):
        broken = write_archive(tmp_path / f"{Path(empty).name}.pt", members | {empty: b""})
        with pytest.raises(CoreUnavailableError, match="its tensors have other sizes than the bytes stored"):
            Core(broken)


@pytest.mark.parametrize("member", ["data.pkl", "data/2", "extra/manifest.json"])
def test_a_flipped_bit_anywhere_is_refused(path, members, member, tmp_path):
    content = bytearray(path.read_bytes())
    result = next(inside for name, inside in members.items() if name.endswith("/" + member))
    content[content.index(result) + len(result) // 2] ^= 1
    (tmp_path / "flipped.pt").write_bytes(content)
    with pytest.raises(CoreUnavailableError, match=f"wrong checksum of .*{member}"):
        Core(tmp_path / "flipped.pt")


@pytest.mark.parametrize("kept", [0, 0.3, 0.9, 0.999])
def test_a_model_cut_short_is_refused(path, kept, tmp_path):
    content = path.read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CoreUnavailableError, match=r"cut\.pt: not a model\.pt, or damaged"):
        Core(tmp_path / "cut.pt")


@pytest.fixture
def forget():
    """Load the library of the core anew, and forget it afterwards."""
    load_library.cache_clear()
    yield
    load_library.cache_clear()


def test_a_library_of_something_else_ends_in_torchscript_with_a_warning(
    forget, make_model, tmp_path, monkeypatch
):
    source, library = tmp_path / "other.c", tmp_path / "core-0.so"
    source.write_text("int nothing(void) { return 0; }\n")
    command = [find_compiler(), "-x", "c", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    monkeypatch.setattr("mdaug.calculators.core_library.build_core", lambda: library)
    model = export_model(make_model(), tmp_path / "model.pt", training={})
    with pytest.warns(UserWarning, match=r"using TorchScript.*core-0\.so lacks functions of mdaug's core"):
        calculator = MDAugCalculator(model)
    assert np.isfinite(calculator.get_potential_energy(molecule("H2O")))


def test_a_core_that_others_may_have_written_ends_in_torchscript_with_a_warning(
    forget, make_model, tmp_path, monkeypatch
):
    monkeypatch.setenv("MDAUG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "native").mkdir(parents=True)
    (tmp_path / "cache" / "native").chmod(0o777)
    model = export_model(make_model(), tmp_path / "model.pt", training={})
    with pytest.warns(UserWarning, match=r"using TorchScript.*native can be written by other users"):
        calculator = MDAugCalculator(model)
    assert np.isfinite(calculator.get_potential_energy(molecule("H2O")))
