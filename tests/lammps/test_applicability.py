"""The pair style compares the structure with the training frames, as the calculator does."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.calculators.applicability import bond_limits_A, mismatches, molecule_record
from mdaug.deployment import export_model, read_manifest
from mdaug.frames import FrameSet
from mdaug.workflows.training.summary import summarize_systems

ETHANOL, DIMETHYL_ETHER = molecule("CH3CH2OH"), molecule("CH3OCH3")
NUMBERS = (1, 6, 8)
PAIR = "pair_style mdaug{options}\npair_coeff * * {model} H C O NULL"


def box_of(atoms, length=9.0):
    box = atoms.copy()
    box.set_cell([length] * 3)
    box.pbc = True
    box.positions += [0.3, 0.2, 4.4]
    return box.repeat((2, 2, 1))


def close_pair():
    atoms = ETHANOL.copy()
    atoms.set_distance(2, 3, 0.75, fix=0)
    return centered(atoms)


def centered(atoms):
    one = atoms.copy()
    one.set_cell([20] * 3)
    one.center()
    return one


@pytest.fixture
def model(make_model, tmp_path):
    """Return a model of H, C and O that was trained on ethanol."""
    positions = np.stack([ETHANOL.positions] * 2)
    frames = FrameSet(ETHANOL.numbers, positions, np.zeros(2), np.zeros_like(positions))
    record = {"molecules": molecule_record(frames), "bond_limits_A": bond_limits_A(NUMBERS)}
    record["distance_range_A"] = {"H-O": [0.93, 3.9]}
    return export_model(make_model(), tmp_path / "trained.pt", training=record)


@pytest.fixture
def model_of_three(make_model, tmp_path):
    """Return a model of H, C and O that was trained on ethanol, acetone and a box of water."""
    systems = []
    for atoms in (ETHANOL, molecule("CH3COCH3"), box_of(molecule("H2O"))):
        positions = np.stack([atoms.positions] * 2)
        cells = np.stack([atoms.cell.array] * 2) if atoms.pbc.any() else None
        given = np.zeros(2), np.zeros_like(positions), cells, tuple(map(bool, atoms.pbc))
        systems.append(FrameSet(atoms.numbers, positions, *given))
    record = summarize_systems(systems, ["ethanol", "acetone", "water"], 4.0)
    return export_model(make_model(), tmp_path / "three.pt", training=record)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "atoms",
    [centered(ETHANOL), centered(molecule("CH3COCH3")), box_of(molecule("H2O")), box_of(ETHANOL)],
    ids=["ethanol", "acetone", "water", "box of ethanol"],
)
def test_each_of_several_trained_molecules_gives_no_warning(lab, model_of_three, atoms, ranks):
    assert mismatches(atoms, read_manifest(model_of_three)) == []
    assert warnings_of(lab, model_of_three, atoms, ranks=ranks, options=" strict yes") == []


def test_a_molecule_that_is_none_of_several_is_named(lab, model_of_three):
    (expected,) = mismatches(centered(DIMETHYL_ETHER), read_manifest(model_of_three))
    assert expected.startswith("trained on C2H6O with")
    assert warnings_of(lab, model_of_three, centered(DIMETHYL_ETHER)) == [expected]
    (expected,) = mismatches(centered(Atoms("C")), read_manifest(model_of_three))
    assert expected.startswith("trained on C2H6O, C3H6O and H2O; this is C: a model describes only the ")
    assert warnings_of(lab, model_of_three, centered(Atoms("C"))) == [expected]


def warnings_of(lab, model, atoms, *, ranks=1, options="", fails=False):
    pair = PAIR.format(options=options, model=model)
    printed = lab.run(lab.prepare("structure", atoms, pair), ranks=ranks, fails=fails)
    return [
        line.split("pair_style mdaug: ")[1].split(" (pair_mdaug")[0]
        for line in printed.splitlines()
        if ("WARNING" in line or "ERROR" in line) and "pair_style mdaug" in line
    ]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "atoms", [centered(ETHANOL), box_of(ETHANOL), centered(ETHANOL[::-1])], ids=["molecule", "box", "order"]
)
def test_the_same_molecules_give_no_warning(lab, model, atoms, ranks):
    assert warnings_of(lab, model, atoms, ranks=ranks, options=" strict yes") == []


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "atoms",
    [centered(molecule("CH3COCH3")), centered(DIMETHYL_ETHER), box_of(molecule("H2O")), centered(Atoms("C"))],
    ids=["acetone", "ether", "water", "atom"],
)
def test_another_molecule_gives_the_warning_of_the_calculator(lab, model, atoms, ranks):
    expected = mismatches(atoms, read_manifest(model))
    assert len(expected) == 1
    assert warnings_of(lab, model, atoms, ranks=ranks) == expected


@pytest.mark.parametrize("ranks", [1, 2])
def test_strict_refuses(lab, model, ranks):
    options = {"options": " strict yes", "fails": True, "ranks": ranks}
    (error,) = warnings_of(lab, model, centered(DIMETHYL_ETHER), **options)
    assert error.startswith("trained on C2H6O with")
    assert "refused by 'strict yes'" in error


def test_atoms_closer_than_in_training_are_named(lab, model):
    (text,) = warnings_of(lab, model, close_pair())
    assert text == "two atoms (H-O) are 0.75 Å apart; the shortest H-O distance in training is 0.93 Å"


def test_a_crystal_may_be_larger(lab, make_model, tmp_path):
    cell = bulk("C", "diamond", a=3.57, cubic=True)
    positions, cells = cell.positions[None], cell.cell.array[None]
    frames = FrameSet(cell.numbers, positions, np.zeros(1), np.zeros_like(positions), cells, (True,) * 3)
    record = {"molecules": molecule_record(frames), "bond_limits_A": bond_limits_A([6])}
    path = export_model(make_model(), tmp_path / "diamond.pt", training=record)
    assert warnings_of(lab, path, cell.repeat((2, 2, 3))) == []
    (text,) = warnings_of(lab, path, box_of(ETHANOL))
    assert text.startswith("trained on C; this is C2H6O")


@pytest.mark.parametrize(
    "record",
    [
        {"distance_range_A": {"H-O": ["near", "far"]}},
        {"distance_range_A": {"H-O": [None]}},
        {"bond_limits_A": {"H-O": "1"}},
        {"bond_limits_A": {"H-O": True}},
    ],
)
def test_records_that_are_no_numbers_are_refused(lab, make_model, tmp_path, record):
    model = export_model(make_model(), tmp_path / "odd.pt", training=record)
    (error,) = warnings_of(lab, model, centered(ETHANOL), fails=True)
    assert "the record of the training frames in its manifest cannot be read" in error


def test_text_of_a_manifest_reaches_the_terminal_without_escape_sequences(lab, model, make_model, tmp_path):
    record = read_manifest(model)["training"]
    record["molecules"][0]["formula"] = "\x1b[2J\x9bC2H6O"
    forged = export_model(make_model(), tmp_path / "forged.pt", training=record)
    (text,) = warnings_of(lab, forged, centered(molecule("CH3COCH3")))
    assert text.startswith("trained on ?[2J??C2H6O; this is C3H6O")
