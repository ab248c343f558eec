"""A label study on water whose truth is a Morse potential: exact, with a slope that is not the data's,
from a file."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.calculators.morse import MorsePotential

from mdaug.data import write_extxyz
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames
from mdaug.workflows.label_reference import calculated_reference, read_reference
from mdaug.workflows.label_study import draw_study
from mdaug.workflows.labels import make_rules, reference_floor, study_labels, true_labels
from mdaug.workflows.settings.workflow_options import LabelStudyOptions

OPTIONS = LabelStudyOptions(rules=("isotropic", "gradient"), epsilons=(0.05,), n_frames=11)


def morse(**changes):
    return MorsePotential(**{"epsilon": 5.0, "r0": 1.0, "rho0": 2.0, "rcut1": 8.0, "rcut2": 9.0} | changes)


@pytest.fixture(scope="module")
def water():
    rng = np.random.default_rng(0)
    molecule = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = molecule + 0.04 * rng.standard_normal((80, 3, 3))
    empty = FrameSet(np.array([8, 1, 1]), positions, np.zeros(80), np.zeros((80, 3, 3)), temperature_K=300.0)
    energies, forces = calculate_frames(morse(), empty, positions)
    return replace(empty, energies=energies, forces=forces, level_of_theory="Morse")


def test_parents_are_test_frames_only_each_as_often(water):
    study = draw_study(water, OPTIONS, stretched=True)
    assert {len(study.train), len(study.test)} == {68, 8}
    assert not {p.tobytes() for p in study.train.positions} & {p.tobytes() for p in study.test.positions}
    for batch in study.batches:
        counts = np.bincount(batch.parent, minlength=8)
        assert counts.sum() == 11
        assert np.ptp(counts) <= 1
        np.testing.assert_array_equal(batch.displaced.parents.positions, study.test.positions[batch.parent])
    assert [(b.kind, b.n_displaced) for b in study.batches] == [
        ("displacement", 1),
        ("displacement", 3),
        ("stretch", None),
    ]


def test_the_datas_own_level_is_the_exact_truth(water):
    study = draw_study(water, OPTIONS, stretched=True)
    reference = calculated_reference(study, morse(), "Morse")
    assert reference_floor(study.test, reference) < 1e-9
    for batch in study.batches:
        labels = true_labels(batch, study, reference)
        energies, forces = calculate_frames(morse(), study.test, batch.positions)
        np.testing.assert_allclose(labels.energy_change, energies - batch.displaced.parents.energies)
        np.testing.assert_allclose(labels.forces, forces, atol=1e-9)


def test_another_level_gets_the_datas_slope_and_a_floor(water):
    options = OPTIONS.model_copy(update={"epsilons": (1e-3,)})
    study = draw_study(water, options, stretched=False)
    other = calculated_reference(study, morse(epsilon=5.5, r0=1.02), "Morse")
    labels = true_labels(study.batches[1], study, other)
    parents, shift = study.batches[1].displaced.parents, study.batches[1].displaced.displacements
    slope = -np.sum(parents.forces * shift, axis=(1, 2))
    np.testing.assert_allclose(labels.energy_change, slope, atol=2e-4)
    assert np.abs(slope).max() > 2e-3
    stiffer = reference_floor(study.test, calculated_reference(study, morse(epsilon=5.5), "Morse"))
    assert stiffer == pytest.approx(0.1, abs=0.04)  # a tenth too stiff: a tenth of what is beyond first order


def test_cells_need_a_reference_of_their_own_level(water):
    study = draw_study(water, OPTIONS, stretched=False)
    cells = np.tile(np.eye(3) * 12.0, (len(study.test), 1, 1))
    periodic = replace(study.test, cells=cells, pbc=(True,) * 3)
    with pytest.raises(DataError, match="periodic and the reference is not of their own level"):
        reference_floor(periodic, calculated_reference(study, morse(), "Morse"))


def test_gradient_labels_are_better_than_isotropic_ones(water):
    study = draw_study(water, OPTIONS, stretched=False)
    rules = make_rules(study.train, OPTIONS.rules)
    found = study_labels(study, rules, calculated_reference(study, morse(), "Morse"), exact=True)
    for cell in found.cells:
        rms = {rule: errors.to_json()["rms_kcal_mol"] for rule, errors in cell.rules.items()}
        assert rms["gradient"] < 0.5 * rms["isotropic"]
        assert cell.floor_kcal_mol == 0


def test_look_ups_are_part_of_a_rules_name(water):
    rules = make_rules(water, ("gradient", "gradient:linear", "isotropic:responsibility"))
    assert list(rules) == ["gradient", "gradient:linear", "isotropic:responsibility"]
    with pytest.raises(ValueError, match="no label rule 'gradiant'"):
        LabelStudyOptions(rules=("gradiant",))


def write_reference(path, study, reference, *, forces_of):
    """Write all geometries with energies, and forces of the first `forces_of`."""
    write_extxyz(study.as_frames(reference.energies, reference.forces), path)
    images = ase.io.read(path, ":")
    images[0].info["level_of_theory"] = reference.name
    for atoms in images[forces_of:]:
        del atoms.calc.results["forces"]
    ase.io.write(path, images, format="extxyz")


def test_a_reference_file_says_the_same_as_its_calculator(water, tmp_path):
    study = draw_study(water, OPTIONS, stretched=True)
    reference = calculated_reference(study, morse(), "Morse")
    write_reference(tmp_path / "reference.xyz", study, reference, forces_of=100)
    again = read_reference(tmp_path / "reference.xyz", study)
    np.testing.assert_allclose(again.energies, reference.energies, atol=1e-6)
    np.testing.assert_allclose(again.forces, reference.forces, atol=1e-6)
    assert again.name == "Morse"


def test_forces_of_the_parents_are_enough_for_energies(water, tmp_path):
    study = draw_study(water, OPTIONS.model_copy(update={"n_parents": 4}), stretched=False)
    assert len(study.test) == 4
    reference = calculated_reference(study, morse(r0=1.02), "Morse")
    write_reference(tmp_path / "reference.xyz", study, reference, forces_of=4)
    lines = (tmp_path / "reference.xyz").read_text().splitlines()
    (tmp_path / "short.xyz").write_text(
        "\n".join(lines[: 5 * (4 + 2 * 10)]) + "\n"
    )  # the last copies missing
    rules = make_rules(study.train, OPTIONS.rules)
    whole, short = (
        study_labels(study, rules, read_reference(tmp_path / name, study), exact=False)
        for name in ("reference.xyz", "short.xyz")
    )
    known = study_labels(study, rules, reference, exact=False)
    assert known.has_forces and not whole.has_forces
    for cell, same, fewer in zip(known.cells, whole.cells, short.cells, strict=True):
        for rule, errors in cell.rules.items():
            np.testing.assert_allclose(same.rules[rule].error, errors.error, atol=1e-6)
            np.testing.assert_allclose(fewer.rules[rule].error, errors.error[:10], atol=1e-6)
            assert same.rules[rule].to_json()["force_rms_kcal_mol_A"] is None


def test_reference_files_of_other_geometries_are_refused(water, tmp_path):
    study = draw_study(water, OPTIONS, stretched=True)
    reference = calculated_reference(study, morse(), "Morse")
    write_reference(tmp_path / "reference.xyz", study, reference, forces_of=100)
    other = draw_study(water, OPTIONS.model_copy(update={"seed": 1}), stretched=True)
    with pytest.raises(DataError, match=r"geometry \d+ differs by .* Å from"):
        read_reference(tmp_path / "reference.xyz", other)
    write_reference(tmp_path / "few.xyz", study, reference, forces_of=3)
    with pytest.raises(DataError, match=r"no energy and forces of 5 of the 8 parents"):
        read_reference(tmp_path / "few.xyz", study)
    (tmp_path / "bad.xyz").write_text("3\n\nO 0 0 0\nH 0 0 1\nH 1 0 0\n")
    with pytest.raises(DataError, match=r"bad.xyz: cannot be read as a reference .*--forces"):
        read_reference(tmp_path / "bad.xyz", study)
