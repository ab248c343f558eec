"""Structures that are and are not like the training frames of a model."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.calculators.applicability import check_applicability, mismatches, molecule_record
from mdaug.calculators.structures import StructureError
from mdaug.frames import FrameSet
from mdaug.geometry.graph_hash import graph_hash

ETHANOL = molecule("CH3CH2OH")
WATER = Atoms("H2O", molecule("H2O").positions[[1, 2, 0]] + [4.5, 4.5, 4.5])


def frames_of(atoms, n=5, rattle=0.03):
    rng = np.random.default_rng(1)
    positions = atoms.positions + rattle * rng.standard_normal((n, len(atoms), 3))
    cells = np.tile(atoms.cell.array, (n, 1, 1)) if atoms.pbc.any() else None
    pbc = tuple(atoms.pbc.tolist())
    return FrameSet(atoms.numbers, positions, np.zeros(n), np.zeros_like(positions), cells, pbc)


def trained_on(*structures, **more):
    """Return a manifest with the record of frames of these structures."""
    record = [entry for atoms in structures for entry in molecule_record(frames_of(atoms))]
    return {"training": {"molecules": record, **more}}


def boxed(atoms, length=9.0, n=2):
    box = atoms.copy()
    box.set_cell([length] * 3)
    box.pbc = True
    return box.repeat((n, n, 1))


@pytest.mark.parametrize(
    "atoms",
    [
        ETHANOL,
        ETHANOL[[8, 2, 0, 5, 1, 3, 4, 6, 7]],  # in another order of atoms
        boxed(ETHANOL),
        Atoms(ETHANOL.symbols, ETHANOL.positions @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    ],
)
def test_the_same_molecule_is_no_difference(atoms):
    assert mismatches(atoms, trained_on(ETHANOL)) == []


def test_a_molecule_across_the_faces_of_its_cell_is_the_same():
    box = boxed(ETHANOL, n=1)
    box.positions += [4.4, 8.8, 8.9]
    box.wrap()
    assert mismatches(box, trained_on(ETHANOL)) == []


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (
            molecule("CH3COCH3"),
            "trained on C2H6O; this is C3H6O: a model of one molecule describes only that molecule",
        ),
        (molecule("H2O"), "trained on C2H6O; this is H2O: "),
        (
            molecule("CH3OCH3"),
            "trained on C2H6O with 1 C-C, 1 C-O, 5 H-C and 1 H-O; this C2H6O has 2 C-O and 6 H-C",
        ),
        (boxed(ETHANOL) + WATER, "trained on C2H6O; this is H2O: "),
    ],
)
def test_another_molecule_is_named(atoms, expected):
    result = mismatches(atoms, trained_on(ETHANOL))
    assert len(result) == 1
    assert result[0].startswith(expected)


def test_isomers_with_the_same_bonds_differ():
    """1-chloropropane and 2-chloropropane, without their hydrogen atoms."""
    chain = Atoms("C3Cl", [[0, 0, 0], [1.5, 0, 0], [2.1, 1.4, 0], [3.8, 1.4, 0]])
    branch = Atoms("C3Cl", [[0, 0, 0], [1.5, 0, 0], [2.1, 1.4, 0], [2.4, -1.4, 0]])
    (result,) = mismatches(branch, trained_on(chain))
    assert "this C3Cl has the same bonds in another arrangement" in result


def test_a_model_of_several_molecules_knows_them_all():
    manifest = trained_on(ETHANOL, molecule("H2O"))
    assert mismatches(boxed(ETHANOL) + WATER, manifest) == []
    (result,) = mismatches(molecule("NH3"), manifest)
    assert result.startswith(
        "trained on C2H6O and H2O; this is H3N: a model describes only the molecules of its"
    )


def test_of_crystals_only_the_empirical_formula_counts():
    manifest = trained_on(bulk("Si", cubic=True).repeat(2))
    assert mismatches(bulk("Si", cubic=True), manifest) == []
    larger = bulk("Si", cubic=True).repeat(3)
    larger.rattle(0.2, seed=1)
    assert mismatches(larger, manifest) == []
    (result,) = mismatches(bulk("NaCl", "rocksalt", a=5.6), manifest)
    assert result.startswith("trained on Si; this is ClNa")


def test_a_proton_that_moves_in_the_frames_may_move():
    """Both sides of the transfer are in the record, by their share of the frames."""
    shared = Atoms("OHN", [[0, 0, 0], [1.0, 0, 0], [2.5, 0, 0]])
    moved = Atoms("OHN", [[0, 0, 0], [1.5, 0, 0], [2.5, 0, 0]])
    positions = np.stack([shared.positions, moved.positions, shared.positions])
    frames = FrameSet(shared.numbers, positions, np.zeros(3), np.zeros_like(positions))
    manifest = {"training": {"molecules": molecule_record(frames)}}
    assert mismatches(moved, manifest) == mismatches(shared, manifest) == []
    assert mismatches(Atoms("OHN", [[0, 0, 0], [1.1, 0, 0], [2.3, 0, 0]]), manifest)


def test_atoms_closer_than_in_training_are_named():
    manifest = trained_on(ETHANOL, distance_range_A={"H-O": [0.93, 4.0], "C-C": [1.4, 1.7]})
    close = ETHANOL.copy()
    close.set_distance(2, 3, 0.75, fix=0)
    assert mismatches(close, manifest) == [
        "atoms 2 and 3 (H-O) are 0.75 Å apart; the shortest H-O distance in training is 0.93 Å"
    ]
    close.set_distance(2, 3, 0.88, fix=0)
    assert mismatches(close, manifest) == []


def test_an_older_manifest_is_read_by_its_reference_structure():
    structure = {"atomic_numbers": ETHANOL.numbers.tolist(), "positions": ETHANOL.positions.tolist()}
    manifest = {"training": {"reference_structure": structure, "bonds": [{"atoms": [0, 1]}]}}
    assert mismatches(ETHANOL, manifest) == []
    assert mismatches(molecule("CH3OCH3"), manifest)


@pytest.mark.parametrize("manifest", [{}, {"training": None}, {"training": {"data": "none"}}])
def test_nothing_recorded_is_nothing_compared(manifest):
    assert mismatches(molecule("CH3COCH3"), manifest) == []


def test_a_difference_is_a_warning_or_refused():
    manifest = trained_on(ETHANOL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_applicability(ETHANOL, manifest, strict=True) == []
    with pytest.warns(UserWarning, match="this is C3H6O"):
        check_applicability(molecule("CH3COCH3"), manifest)
    with pytest.raises(StructureError, match=r"this is C3H6O.*strict"):
        check_applicability(molecule("CH3COCH3"), manifest, strict=True)


def test_it_needs_no_torch():
    code = "import sys, mdaug.calculators.applicability; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def _chain(symbols):
    return Atoms(symbols, [[1.3 * n, 0.4 * (n % 2), 0] for n in range(len(Atoms(symbols)))])


def test_molecules_that_differ_far_from_each_other_differ():
    """Chains with the same ends and the same surroundings of each atom, four bonds deep."""
    one, other = _chain("NC9OC9SC9F"), _chain("FC9OC9SC9N")
    assert mismatches(one, trained_on(one)) == []
    (result,) = mismatches(other, trained_on(one))
    assert "the same bonds in another arrangement" in result


def test_the_hash_of_a_graph_is_that_of_its_isomorphism_class():
    """Decalin and bicyclopentyl differ though Weisfeiler and Lehman's refinement finds no difference."""
    decalin = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (4, 6), (6, 7), (7, 8), (8, 9), (9, 5)]
    bicyclopentyl = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 5)]
    rng = np.random.default_rng(0)
    hashes = []
    for bonds in (decalin, bicyclopentyl):
        orders = [rng.permutation(10) for _ in range(5)]
        (hash_,) = {graph_hash(np.full(10, 6), order[np.array(bonds)]) for order in orders}
        hashes.append(hash_)
    assert hashes[0] != hashes[1]
    assert graph_hash(np.array([6]), np.empty((0, 2))) != graph_hash(np.array([7]), np.empty((0, 2)))


def test_records_with_another_hash_are_compared_by_their_bonds():
    manifest = trained_on(ETHANOL)
    for entry in manifest["training"]["molecules"]:
        entry["graph"] = entry["graph"][:16]
    assert mismatches(ETHANOL, manifest) == []
    assert mismatches(molecule("CH3OCH3"), manifest)
