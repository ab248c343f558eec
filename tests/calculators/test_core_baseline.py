"""The baseline in the C++ core: equal to TorchScript, an exact gradient, smooth, wrong input refused."""

import ctypes
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError, Rows, load_library
from mdaug.calculators.structures import elements_of
from mdaug.deployment import DeployedModel, export_model, load_model, read_manifest
from mdaug.deployment.manifest import NAME, build_manifest, weights_sha256
from mdaug.errors import DataError
from mdaug.models.molecule_template import MoleculeTemplate
from tests.force_fields import random_templates
from tests.staged_evaluation import pairs_of, staged

CUTOFF = 4.0
TOLERANCE = 1e-10


@pytest.fixture
def model(make_model):
    return make_model(cutoff=CUTOFF)


@pytest.fixture
def ethanol_and_water():
    return [*random_templates("CH3CH2OH"), *random_templates("H2O", seed=1)]


@pytest.fixture
def path(model, ethanol_and_water, tmp_path):
    """A model of ethanol and water with random terms of every kind, run in float64."""
    return export_model(model, tmp_path / "model.pt", training={}, templates=ethanol_and_water)


@pytest.fixture
def network(model, tmp_path):
    """The same network without baseline."""
    return export_model(model, tmp_path / "network.pt", training={})


def species_in(path, atoms):
    return elements_of(atoms.numbers, read_manifest(path)["elements"])


def evaluate(path, atoms, molecules, offsets=None, *, dtype="float64", threads=1):
    """Return the core's results; `molecules` are pairs of template and atoms."""
    core = Core(path, dtype, threads)
    core.set_molecules(
        np.array([t for t, _ in molecules]), np.concatenate([a for _, a in molecules]), offsets
    )
    return core.evaluate(species_in(path, atoms), atoms.positions, *pairs_of(atoms))


def torchscript(path, atoms, molecules, offsets=None, *, dtype="float64"):
    """Return the results of TorchScript."""
    script = load_model(path, dtype)
    n = [len(terms.atomic_numbers) for _, terms in script.baseline.named_children()]
    by_template = [
        torch.tensor(np.array([a for t, a in molecules if t == k], dtype=int).reshape(-1, size))
        for k, size in enumerate(n)
    ]
    shifts = torch.zeros(len(atoms), 3) if offsets is None else torch.tensor(offsets)
    given = species_in(path, atoms), atoms.positions, *pairs_of(atoms)
    with torch.inference_mode():
        out = script.evaluate_molecules(*map(torch.as_tensor, given), by_template, shifts.double())
    return {name: tensor.numpy() for name, tensor in out.items()}


def assert_equal(result, expected, tolerance=TOLERANCE):
    scale = max(1.0, np.abs(expected["forces"]).max())
    for name in ("energy", "atomic_energies", "forces", "strain_derivative"):
        np.testing.assert_allclose(result[name], expected[name], rtol=0, atol=tolerance * scale, err_msg=name)


ETHANOL = [(0, np.arange(9))]
OXYGEN, HYDROXYL = 2, 3


def moved(atoms, members, by):
    atoms = atoms.copy()
    atoms.positions[members] += by
    return atoms


def geometries():
    """Return ethanol at rest, distorted, linear, with broken bonds, near the ends of the switches."""
    atoms = molecule("CH3CH2OH")
    result = {"equilibrium": atoms}
    for seed in range(6):
        rattled = atoms.copy()
        rattled.rattle(0.15 * (1 + seed), seed=seed)
        rattled.positions *= 0.8 + 0.2 * seed
        result[f"distorted {seed}"] = rattled
    bond = atoms.positions[HYDROXYL] - atoms.positions[OXYGEN]
    to_carbon = atoms.positions[OXYGEN] - atoms.positions[1]
    linear = atoms.copy()
    linear.positions[HYDROXYL] = atoms.positions[OXYGEN] + to_carbon * 0.7
    result["linear"] = linear
    almost = moved(linear, HYDROXYL, [1e-9, 0, 0])
    result["almost linear"] = almost
    for length in (1.5, 2.0, 0.8 * CUTOFF, 0.9 * CUTOFF, CUTOFF - 1e-9, CUTOFF, CUTOFF + 1e-9, 50.0):
        stretched = atoms.copy()
        stretched.positions[HYDROXYL] = atoms.positions[OXYGEN] + length * bond / np.linalg.norm(bond)
        result[f"O-H {length}"] = stretched
    for length in (0.6 * CUTOFF, 0.8 * CUTOFF, CUTOFF):
        apart = atoms.positions[8] - atoms.positions[HYDROXYL]  # not bonded
        stretched = atoms.copy()
        stretched.positions[8] = atoms.positions[HYDROXYL] + length * apart / np.linalg.norm(apart)
        result[f"H...H {length}"] = stretched
    return result


@pytest.mark.parametrize("name", geometries())
def test_ethanol_equals_torchscript(path, name):
    atoms = geometries()[name]
    result = evaluate(path, atoms, ETHANOL)
    assert np.isfinite(result["forces"]).all()
    assert_equal(result, torchscript(path, atoms, ETHANOL))


@pytest.mark.parametrize(
    "name", ["H2O", "OH", "CO2", "HCN", "C2H2", "C3H4_C3v", "cyclobutane", "H2", "CH3OH"]
)
@pytest.mark.parametrize("cutoff", [2.0, CUTOFF])
def test_other_molecules_equal_torchscript(make_model, tmp_path, name, cutoff):
    """Without torsions, without angles, linear, with rings; bonds that reach the range of the switches.

    The elements are replaced by those of the model.
    """
    templates = random_templates(name)
    numbers = np.where(templates[0].atomic_numbers > 1, 6, 1)
    templates = [replace(templates[0], atomic_numbers=numbers)]
    path = export_model(make_model(cutoff=cutoff), tmp_path / "m.pt", training={}, templates=templates)
    atoms = molecule(name)
    atoms.numbers = numbers
    for seed in range(5):
        atoms.rattle(0.15, seed=seed)
        molecules = [(0, np.arange(len(atoms)))]
        assert_equal(evaluate(path, atoms, molecules), torchscript(path, atoms, molecules))


def mixture():
    """Return 6 ethanols and 7 waters in a cell, atoms shuffled and wrapped; molecules and offsets."""
    rng = np.random.default_rng(4)
    cell = np.array([[14.0, 0, 0], [2.0, 13.0, 0], [-1.5, 2.5, 15.0]])
    atoms, members = Atoms(cell=cell, pbc=True), []
    for number in range(13):
        one = molecule("CH3CH2OH" if number % 2 else "H2O")
        one.rattle(0.1, seed=number)
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        place = np.array([number % 3, number // 3 % 3, number // 9]) + 0.4 * rng.random(3) - 0.3
        one.positions += place / [3, 3, 2] @ cell
        members.append((1 - number % 2, np.arange(len(one)) + len(atoms)))
        atoms += one
    order = rng.permutation(len(atoms))
    new_number = np.argsort(order)
    whole = atoms.positions[order]
    atoms = atoms[order]
    atoms.wrap()
    return atoms, [(t, new_number[a]) for t, a in members], whole - atoms.positions


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", TOLERANCE), ("float32", 2e-6)])
def test_molecules_across_faces_of_a_cell_equal_torchscript(path, threads, dtype, tolerance):
    atoms, molecules, offsets = mixture()
    assert np.count_nonzero(np.abs(offsets).max(axis=1) > 1.0) > 10
    result = evaluate(path, atoms, molecules, offsets, dtype=dtype, threads=threads)
    assert_equal(result, torchscript(path, atoms, molecules, offsets, dtype=dtype), tolerance)


def test_the_baseline_is_float64_in_float32(path, network):
    atoms = geometries()["distorted 2"]
    with_baseline, without = (
        [evaluate(path, atoms, ETHANOL, dtype=dtype) for dtype in ("float32", "float64")],
        [
            Core(network, dtype).evaluate(species_in(path, atoms), atoms.positions, *pairs_of(atoms))
            for dtype in ("float32", "float64")
        ],
    )
    baseline = [a["forces"] - b["forces"] for a, b in zip(with_baseline, without, strict=True)]
    np.testing.assert_allclose(*baseline, rtol=0, atol=1e-12 * np.abs(baseline[0]).max())


@pytest.mark.parametrize(
    "name", ["distorted 1", "almost linear", f"O-H {0.9 * CUTOFF}", f"H...H {0.8 * CUTOFF}"]
)
def test_forces_and_strain_are_derivatives_of_the_energy(path, name):
    atoms, step = geometries()[name], 1e-4
    core, species = Core(path, "float64"), species_in(path, atoms)
    core.set_molecules([0], np.arange(9))

    def energy(positions):
        return core.evaluate_molecules(species, positions[None])[0][0]

    def slope(displacement):
        """Central differences of fourth order."""
        at = [energy(atoms.positions + k * step * displacement) for k in (-2, -1, 1, 2)]
        return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)

    result = core.evaluate(species, atoms.positions, *pairs_of(atoms))
    numerical = [slope(unit.reshape(-1, 3)) for unit in np.eye(27)]
    np.testing.assert_allclose(result["forces"].ravel(), -np.array(numerical), rtol=1e-6, atol=1e-6)
    for a, b in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]:
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5
        strain[b, a] += 0.5
        expected = slope(atoms.positions @ strain)
        assert result["strain_derivative"][a, b] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_bond_ends_smoothly_at_the_cutoff(path, network, ethanol_and_water):
    """The force on a hydrogen that leaves goes to zero as the square of the rest of the way."""
    atoms = molecule("CH3CH2OH")
    direction = atoms.positions[HYDROXYL] - atoms.positions[OXYGEN]
    away = direction / np.linalg.norm(direction)

    def results(rest):
        stretched = atoms.copy()
        stretched.positions[HYDROXYL] = atoms.positions[OXYGEN] + (CUTOFF - rest) * away
        without = Core(network).evaluate(species_in(path, atoms), stretched.positions, *pairs_of(stretched))
        both = evaluate(path, stretched, ETHANOL)
        return both["energy"] - without["energy"], (both["forces"] - without["forces"])[HYDROXYL]

    near, nearer, at = (results(rest) for rest in (2e-3, 1e-3, 0.0))
    assert np.linalg.norm(near[1]) / np.linalg.norm(nearer[1]) == pytest.approx(4.0, rel=0.02)
    assert np.linalg.norm(at[1]) < 1e-12
    assert near[0] == pytest.approx(at[0], abs=1e-6)
    far = results(-30.0)
    assert far[0] == pytest.approx(at[0], abs=1e-10) and np.linalg.norm(far[1]) < 1e-12


def test_invariance(path):
    atoms = geometries()["distorted 2"]
    expected = evaluate(path, atoms, ETHANOL)
    turn, order = Rotation.random(random_state=1).as_matrix(), np.random.default_rng(2).permutation(9)
    turned = atoms[order]
    turned.positions = turned.positions @ turn + [3.0, -40.0, 7.0]
    result = evaluate(path, turned, [(0, np.argsort(order))])
    assert result["energy"] == pytest.approx(expected["energy"], abs=1e-9)
    np.testing.assert_allclose(result["forces"], (expected["forces"] @ turn)[order], atol=1e-9)
    strain = turn.T @ expected["strain_derivative"] @ turn
    np.testing.assert_allclose(result["strain_derivative"], strain, atol=1e-9)
    largest = np.abs(expected["forces"]).max()
    np.testing.assert_allclose(expected["forces"].sum(axis=0), 0, atol=1e-13 * largest)


def test_two_bonded_atoms_and_single_ones(model, tmp_path):
    """A template of one atom has no terms: it is as without a baseline."""
    lone = MoleculeTemplate(
        **{
            name: np.array([{"atomic_numbers": 6}.get(name, -1)])
            if name in {"atomic_numbers", "atom_types"}
            else array[:0]
            for name, array in random_templates("H2")[0].arrays()
        }
    )
    templates = [*random_templates("H2"), lone]
    path = export_model(model, tmp_path / "m.pt", training={}, templates=templates)
    without = export_model(model, tmp_path / "n.pt", training={})
    atoms = Atoms("HCH", [[0.0, 0, 0], [0, 1.9, 0], [0.8, 0, 0]])
    molecules = [(1, np.array([1])), (0, np.array([2, 0]))]
    result = evaluate(path, atoms, molecules)
    assert_equal(result, torchscript(path, atoms, molecules))
    network = Core(without).evaluate(species_in(path, atoms), atoms.positions, *pairs_of(atoms))
    np.testing.assert_array_equal(result["forces"][1], network["forces"][1])
    assert abs(result["forces"][0] - network["forces"][0]).max() > 0.1


def test_angles_without_forms_are_described_by_cosines(model, tmp_path):
    (template,) = random_templates("CH3CH2OH")
    lists = {name: array.tolist() for name, array in template.arrays() if name != "angle_forms"}
    older = MoleculeTemplate.from_lists(lists)
    assert not older.angle_forms.any() and template.angle_forms.all()
    atoms, results = geometries()["distorted 2"], []
    for n, each in enumerate((older, template)):
        path = export_model(model, tmp_path / f"{n}.pt", training={}, templates=[each])
        results.append(evaluate(path, atoms, ETHANOL))
        assert_equal(results[-1], torchscript(path, atoms, ETHANOL))
    assert abs(results[0]["energy"] - results[1]["energy"]) > 1e-3


# ---- replicas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_each_replica_is_as_alone_bit_for_bit(path, threads):
    """Of two molecules each, listed in another order than their atoms."""
    atoms = molecule("H2O") + molecule("CH3CH2OH")
    atoms.positions[:3] += 3.0
    species, templates = species_in(path, atoms), np.array([0, 1])
    members = np.concatenate([np.arange(3, 12), [0, 1, 2]])
    positions = atoms.positions + 0.1 * np.random.default_rng(2).standard_normal((17, 12, 3))
    core = Core(path, "float32", threads)
    core.set_molecules(templates, members)
    energies, forces = core.evaluate_molecules(species, positions)
    for n in (0, 7, 16):
        alone = core.evaluate_molecules(species, positions[n : n + 1])
        assert alone[0][0] == energies[n]
        np.testing.assert_array_equal(alone[1][0], forces[n])
        whole = core.evaluate(species, positions[n], *pairs_of(atoms))
        np.testing.assert_allclose(whole["forces"], forces[n], atol=1e-4 if threads > 1 else 1e-12)


def test_verlet_and_langevin_move_by_these_forces(path):
    atoms = molecule("CH3CH2OH")
    species, masses, timestep = species_in(path, atoms), atoms.get_masses(), 0.02
    core = Core(path, "float64")
    core.set_molecules([0], np.arange(9))
    start = np.stack([atoms.positions, atoms.positions + 0.05])
    momenta = np.random.default_rng(0).standard_normal(start.shape)
    _, forces = core.evaluate_molecules(species, start)
    r, p, f = start.copy(), momenta.copy(), forces.copy()
    for _ in range(5):
        p += 0.5 * timestep * f
        r += timestep * p / masses[:, None]
        energies, f = core.evaluate_molecules(species, r)
        p += 0.5 * timestep * f
    state = start.copy(), momenta.copy(), forces.copy()
    done, result = core.verlet(species, masses, timestep, 5, state)
    assert done == 5
    for ours, theirs in zip((*state, result), (r, p, f, energies), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)
    state, noise = (start.copy(), momenta.copy(), forces.copy()), np.zeros((2, 5, 9, 3))
    done, result = core.langevin(species, masses, timestep, (0.0, 0.0, noise), state)
    for ours, theirs in zip((state[0], result), (r, energies), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


# ---- in stages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_stages_on_several_ranks_equal_the_whole(path, n_ranks, dtype):
    """Two ranks: every molecule is split between them. Three ranks: two of them own nothing."""
    atoms, molecules, offsets = mixture()
    species, whole = species_in(path, atoms), atoms.positions + offsets
    expected = evaluate(path, atoms, molecules, offsets, dtype=dtype)
    result = staged(path, dtype, species, atoms, n_ranks, molecules=molecules, whole=whole)
    assert_equal(result, expected, TOLERANCE if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("name", ["distorted 1", "distorted 4", f"O-H {0.9 * CUTOFF}", "O-H 50.0"])
def test_atoms_out_of_reach_are_absent(path, name):
    """Atoms farther than the cutoff from all of a rank's atoms are no rows of it."""
    atoms = geometries()[name]
    expected = evaluate(path, atoms, ETHANOL)
    result = staged(
        path, "float64", species_in(path, atoms), atoms, 2, molecules=ETHANOL, whole=atoms.positions
    )
    assert_equal(result, expected)


class Rank:
    """A rank of one core that owns the first atoms of ethanol."""

    def __init__(self, path, n_local):
        self.core, self.library = Core(path, "float64"), load_library()
        self.n_local, self.atoms = n_local, molecule("CH3CH2OH")
        species = species_in(path, self.atoms).astype(np.int32)
        first, none = np.zeros(n_local + 1, np.int64), np.zeros((0, 3))
        self.call("begin", ctypes.c_int64(n_local), ctypes.c_int64(9), species, first, none, none)

    def call(self, name, *arguments):
        given = [ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arguments]
        self.core._check(getattr(self.library, "mdaug_" + name)(ctypes.c_void_p(self.core._handle), *given))

    def add(self, template, rows):
        self.call("add_molecule", ctypes.c_int64(template), np.array(rows), self.atoms.positions)

    def finish(self):
        for stage in range(self.library.mdaug_n_stages(self.core._handle)):
            self.library.mdaug_stage(self.core._handle, stage, ctypes.byref(Rows()))
        results = np.zeros(9), np.zeros((9, 3)), np.zeros(6)
        self.call("finish", *results, None)
        return results


def test_molecules_of_a_rank_that_do_not_fit_are_refused(path):
    rank = Rank(path, 9)
    with pytest.raises(DataError, match="9 of 9 owned rows are in no molecule"):
        rank.finish()
    with pytest.raises(DataError, match="template 2 of a molecule: the model has 2 templates"):
        Rank(path, 9).add(2, range(9))
    with pytest.raises(DataError, match=r"atom 0 has atomic number 6, but its place .* atom 0 .* has 8"):
        Rank(path, 9).add(1, range(3))
    rank = Rank(path, 9)
    rank.add(0, range(9))
    with pytest.raises(DataError, match="row 0 is in two molecules, or twice in one"):
        rank.add(0, range(9))


def test_terms_of_owned_atoms_need_their_atoms(model, ethanol_and_water, tmp_path):
    template = ethanol_and_water[0]
    path = export_model(model, tmp_path / "m.pt", training={}, templates=[template])
    rank = Rank(path, 8)
    rank.add(0, [*range(8), -1])  # the gates of its only bond switch its terms off
    energies, forces, _ = rank.finish()
    assert np.isfinite(forces).all() and np.abs(energies).max() > 0
    ungated = replace(template, gates=np.full_like(template.gates, len(template.bonds)))
    path = export_model(model, tmp_path / "m.pt", training={}, templates=[ungated])
    with pytest.raises(DataError, match="a term of template 0 needs an absent atom"):
        Rank(path, 8).add(0, [*range(8), -1])


# ---- refused -------------------------------------------------------------------------------------------


def test_molecules_that_are_missing_or_do_not_fit_are_refused(path):
    atoms = molecule("CH3CH2OH")
    core, species, pairs = Core(path), species_in(path, atoms), pairs_of(atoms)
    with pytest.raises(DataError, match=r"the model has a baseline, .* set the molecules first"):
        core.evaluate(species, atoms.positions, *pairs)
    with pytest.raises(DataError, match="set the molecules first"):
        core.evaluate_molecules(species, atoms.positions[None])
    for templates, members, message in (
        ([0], np.arange(8), "the molecules have 9 atoms, but the system has 8"),
        ([0], [*range(8), 9], "atom 9 of a molecule: expected 0 to n_atoms - 1"),
        ([0], [*range(8), 7], "atom 7 is in two molecules, or twice in one"),
        ([2], np.arange(9), "template 2 of a molecule: the model has 2 templates"),
        ([-1], np.arange(9), "template -1 of a molecule"),
    ):
        core.set_molecules([0], np.arange(9))
        with pytest.raises(DataError, match=message):
            core.set_molecules(templates, members)
        with pytest.raises(DataError, match="set the molecules first"):
            core.evaluate(species, atoms.positions, *pairs)
    core.set_molecules([1], [0, 1, 2])
    with pytest.raises(DataError, match="that were set have 3 atoms, but this system has 9"):
        core.evaluate(species, atoms.positions, *pairs)
    core.set_molecules([0], np.arange(9)[::-1])
    with pytest.raises(DataError, match=r"atom 8 has atomic number 1, but its place .* has 6; give each"):
        core.evaluate(species, atoms.positions, *pairs)
    core.set_molecules([0], np.arange(9))
    assert np.isfinite(core.evaluate(species, atoms.positions, *pairs)["energy"])


def test_no_molecules_leave_the_baseline_out(path, network):
    core, species = Core(path), np.arange(3)
    core.set_molecules([], [])
    none = np.array([], int), np.array([], int), np.zeros((0, 3))
    result = core.evaluate(species, np.zeros((3, 3)), *none)
    expected = Core(network).evaluate(species, np.zeros((3, 3)), *none)
    np.testing.assert_array_equal(result["atomic_energies"], expected["atomic_energies"])
    Core(network).set_molecules([], [])
    with pytest.raises(DataError, match="the model has 0 templates"):
        Core(network).set_molecules([0], [0])


def write_damaged(path, model, template, **tensors):
    """Write a model with these tensors in its first template, under the right hash."""
    deployed = DeployedModel(model, [template]).eval()
    for name, tensor in tensors.items():
        setattr(deployed.baseline[0], name, tensor)
    manifest = build_manifest(model, DeployedModel(model, [template]), {}, "float64")
    manifest = json.dumps(manifest | {"weights_sha256": weights_sha256(deployed)})
    content = io.BytesIO()
    torch.jit.save(torch.jit.script(deployed), content, _extra_files={NAME: manifest})
    path.write_bytes(content.getvalue())
    return path


INDICES = {
    "atomic_numbers": 119,
    "bonds": 9,
    "angles": 9,
    "torsions": 9,
    "pairs": 9,
    "factors": 58,
    "gates": 9,
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("wrong", [-1, "limit", -(2**63), 2**62])
def test_an_index_out_of_range_is_refused(model, tmp_path, name, wrong):
    (template,), limit = random_templates("CH3CH2OH"), INDICES[name]
    tensor = torch.tensor(getattr(template, name))
    tensor.view(-1)[-1] = limit if wrong == "limit" else wrong
    path = write_damaged(tmp_path / "m.pt", model, template, **{name: tensor})
    with pytest.raises(CoreUnavailableError, match=rf"m\.pt: baseline\.0\.{name} contains the index"):
        Core(path)
    tensor.view(-1)[-1] = getattr(template, name).ravel()[-1]
    assert Core(write_damaged(tmp_path / "m.pt", model, template, **{name: tensor})).n_templates == 1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("bonds", lambda t: t[:-1], "bond_parameters has a wrong shape, expected 7 rows of 9"),
        ("bonds", lambda t: t.flatten(), "bonds has a wrong shape, expected any number of rows of 2"),
        ("torsions", lambda t: t[:, :3], "torsions has a wrong shape"),
        ("gates", lambda t: t[:-1], "gates has a wrong shape"),
        ("factors", lambda t: t[:, :2], "factors has a wrong shape"),
        ("pair_parameters", lambda t: t[1:], "pair_parameters has a wrong shape"),
        ("mean_cosines", lambda t: t[1:], "mean_cosines has a wrong shape"),
        ("mean_cosines", lambda t: t - 2, "mean_cosines contains a number that is not a cosine"),
        ("angle_forms", lambda t: t[1:], "angle_forms has a wrong shape"),
        ("angle_forms", lambda t: t + 1, "angle_forms contains the index 2"),
        (
            "coefficients",
            lambda t: torch.full_like(t, np.nan),
            "coefficients contains a number that is not finite",
        ),
        ("bond_parameters", lambda t: -t, "bond_parameters has a length that is not positive"),
        ("pairs", lambda t: t[:, [0, 0]], "pairs names the same atom twice in a row"),
        ("torsions", lambda t: t[:, [0, 1, 0, 1]], "torsions names the same atom twice in a row"),
        ("factors", lambda t: torch.full_like(t, 57), "factors has a term that depends on no atom"),
        ("atomic_numbers", lambda t: t + 1, "atomic_numbers contains 7, not an element of the model"),
        ("atomic_numbers", lambda t: t[:0], "atomic_numbers is empty"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(model, tmp_path, name, change, message):
    (template,), tensors = random_templates("CH3CH2OH"), {}
    if message.startswith("factors has a term"):
        tensors["gates"] = torch.full_like(torch.tensor(template.gates), len(template.bonds))
    tensors[name] = change(torch.tensor(getattr(template, name)))
    path = write_damaged(tmp_path / "m.pt", model, template, **tensors)
    with pytest.raises(CoreUnavailableError, match=r"m\.pt: baseline\.0\." + message):
        Core(path)


@pytest.mark.parametrize("name", ["coefficients", "bond_parameters", "gates", "pairs"])
def test_templates_are_under_the_hash(path, ethanol_and_water, tmp_path, name):
    own = getattr(ethanol_and_water[0], name).tobytes()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "m.pt", "w") as changed:
        for member in archive.namelist():
            content = bytearray(archive.read(member))
            if content == own:
                content[-8] ^= 1
            changed.writestr(member, bytes(content))
    with pytest.raises(CoreUnavailableError, match="weights are not those of its manifest"):
        Core(tmp_path / "m.pt")


def test_buffers_are_counted_and_steps_allocate_nothing(path, network):
    atoms, molecules, offsets = mixture()
    core, species, pairs = Core(path), species_in(path, atoms), pairs_of(atoms)
    before = core.memory_bytes
    assert before > Core(network).memory_bytes + 364 * 4 * 4
    templates, members = np.array([t for t, _ in molecules]), np.concatenate([a for _, a in molecules])
    core.set_molecules(templates, members, offsets)
    core.evaluate(species, atoms.positions, *pairs)
    after = core.memory_bytes
    assert after > before
    core.set_molecules(templates, members, offsets)
    core.evaluate(species, atoms.positions, *pairs)
    assert core.memory_bytes == after


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_molecule_without_energy_has_the_network_alone(model, network, tmp_path, dtype):
    water = random_templates("H2O")[0]
    known = MoleculeTemplate.without_energy(water.atomic_numbers, water.bonds, np.array([0.96, 0.97]))
    templates = [*random_templates("CH3CH2OH"), known]
    path = export_model(model, tmp_path / "model.pt", training={}, templates=templates)
    atoms = molecule("H2O")
    atoms.rattle(0.1, seed=2)
    result = evaluate(path, atoms, [(1, np.arange(3))], dtype=dtype)
    alone = Core(network, dtype).evaluate(species_in(network, atoms), atoms.positions, *pairs_of(atoms))
    assert_equal(result, alone, 1e-12)
    tolerance = TOLERANCE if dtype == "float64" else 1e-4
    assert_equal(result, torchscript(path, atoms, [(1, np.arange(3))], dtype=dtype), tolerance)
