"""A training with a baseline: the network learns frames less the force field, the model file adds it back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation.force_matching.assessment import FieldAssessment, UnsoundFieldError
from mdaug.augmentation.generate import Augmentation
from mdaug.calculators.predictions import predict
from mdaug.deployment import read_manifest
from mdaug.errors import DataError, DivergedError
from mdaug.training.evaluation import predict as network_forces
from mdaug.training.options import TrainOptions
from mdaug.verdicts import Verdict
from mdaug.workflows.export import export_run
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training import choice as training_choice
from mdaug.workflows.training.augmented import BESIDE_BASELINE_WEIGHT, STRETCHED_WEIGHT, augmented_frames
from mdaug.workflows.training.baseline import (
    BaselineChoice,
    choose_baseline,
    make_baseline,
    network_options,
    record_baseline,
    recorded_baseline,
    with_defaults,
)
from mdaug.workflows.training.choice import choose_training
from tests.force_fields import random_field


@pytest.fixture
def baseline(tiny):
    frames = tiny.data.load_frames()
    return make_baseline(random_field(frames), tiny.model.cutoff, "sound")


@pytest.fixture
def trained(tiny, baseline, tmp_path, monkeypatch):
    """A training with that baseline, and the frames that its network was trained on."""
    monkeypatch.setattr(training_choice, "choose_baseline", lambda *given: baseline)
    return train_force_field(tiny, tmp_path / "run")


def test_a_record_restores_the_baseline_exactly(baseline, tiny, tmp_path):
    assert recorded_baseline(tmp_path) is None
    baseline.subtract(tiny.data.load_frames())  # used before it is recorded, as in a comparison
    record_baseline(baseline, tmp_path)
    restored = recorded_baseline(tmp_path)
    for ours, theirs in zip(baseline.templates, restored.templates, strict=True):
        for (name, array), (_, other) in zip(ours.arrays(), theirs.arrays(), strict=True):
            assert array.dtype == other.dtype, name
            np.testing.assert_array_equal(array, other)
    np.testing.assert_array_equal(baseline.molecules[0], restored.molecules[0])


@pytest.mark.parametrize("wrong", [{"bonds": [[0, 7]]}, {"coefficients": [1.0]}, {"factors": "x"}])
def test_a_damaged_record_is_refused(baseline, tmp_path, wrong):
    record = baseline.to_json()
    record["templates"][0] |= wrong
    (tmp_path / "baseline.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="not the record of a baseline"):
        recorded_baseline(tmp_path)


def test_the_model_is_the_network_plus_the_baseline(trained, baseline, tiny):
    frames = tiny.data.load_frames()
    energies, forces = predict(trained.model_path, frames)
    record = json.loads((trained.folder / "results.json").read_text())
    assert record["baseline"] == {"used": True, "reason": "sound", "molecules": ["H2O"]}
    assert read_manifest(trained.model_path)["baseline"][0]["formula"] == "H2O"
    network = replace(baseline, used=False)
    assert network.subtract(frames) is frames
    left = baseline.subtract(replace(frames, energies=energies, forces=forces))
    of_network = network_forces(trained.training.model, baseline.with_atom_types(frames))[1]
    np.testing.assert_allclose(of_network, left.forces, atol=1e-5)


def test_atoms_that_the_bond_graph_tells_apart_have_an_embedding_each(trained, baseline, tiny, tmp_path):
    """H and O of water are two types; with `atom_types` off, and in older run folders, none."""
    assert len(trained.training.model.network.embedding.weight) == 2 + 2
    before = network_forces(trained.training.model, baseline.with_atom_types(tiny.data.load_frames()))[1]
    assert np.abs(before - network_forces(trained.training.model, tiny.data.load_frames())[1]).max() > 1e-3

    record = baseline.to_json()
    for template in record["templates"]:
        del template["atom_types"]
    older = BaselineChoice.from_json(record)
    assert older.with_atom_types(tiny.data.load_frames()).atom_types.tolist() == [-1, -1, -1]
    config = tiny.replace({"model": {"atom_types": False, "baseline": "force-field"}})
    frames = tiny.data.load_frames()
    chosen = choose_baseline(augmentation_of(frames, random_field(frames)), frames, config)
    assert chosen.templates[0].atom_types.tolist() == [-1, -1, -1]


def test_validation_errors_are_those_of_the_whole_model(trained, tiny):
    validation = trained.sets.validation
    forces = predict(trained.model_path, validation, dtype="float64")[1]
    best = json.loads((trained.folder / "results.json").read_text())["validation"]
    mae = np.abs(forces - validation.forces).mean() * 23.060548
    assert mae == pytest.approx(best["force_mae_kcal_mol_A"], rel=1e-4)


def test_export_from_the_checkpoint_keeps_the_baseline(trained, tmp_path):
    again = export_run(trained.folder, tmp_path / "again.pt")
    digests = [read_manifest(path)["weights_sha256"] for path in (again, trained.model_path)]
    assert digests[0] == digests[1]


def test_a_resumed_training_keeps_its_baseline(trained, tiny, monkeypatch):
    def never(*given):
        raise AssertionError("decided anew")

    monkeypatch.setattr(training_choice, "choose_baseline", never)
    before = read_manifest(trained.model_path)["weights_sha256"]
    train_force_field(tiny, trained.folder, resume=True)
    assert read_manifest(trained.model_path)["weights_sha256"] == before


def test_a_run_without_atom_types_is_resumed_and_exported_without(tiny, baseline, monkeypatch, tmp_path):
    """As those of earlier versions, whose records lack the types and whose settings lack the option."""
    record = baseline.to_json()
    for template in record["templates"]:
        del template["atom_types"]
    older = BaselineChoice.from_json(record)
    monkeypatch.setattr(training_choice, "choose_baseline", lambda *given: older)
    run = train_force_field(tiny, tmp_path / "older").folder
    (run / "baseline.json").write_text(json.dumps(record))
    assert "atom_types" not in tiny.model.fingerprint()
    resumed = train_force_field(tiny, run, resume=True)
    exported = export_run(run, tmp_path / "exported.pt")
    for path in (resumed.model_path, exported):
        assert read_manifest(path)["baseline"][0]["atom_types"] == [-1, -1, -1]
    assert len(resumed.training.model.network.embedding.weight) == 2
    with pytest.raises(DataError, match="written with other options"):
        train_force_field(tiny.replace({"model": {"atom_types": False}}), run, resume=True)


def test_a_molecule_with_a_baseline_has_no_second_repulsion(trained, baseline, tiny):
    assert tiny.model.prior == "zbl"
    assert read_manifest(trained.model_path)["prior"] is None
    several = replace(baseline, molecules=(np.zeros((2, 3), dtype=np.int64),))
    assert network_options([several], tiny).prior == "zbl"  # molecules repel each other by it
    without = replace(baseline, used=False)
    assert network_options([without], tiny).prior == "zbl"
    assert network_options([baseline, without], tiny).prior == "zbl"
    assert network_options([baseline, baseline], tiny).prior == "none"


def test_few_gaussians_where_all_systems_have_a_baseline(tiny, baseline):
    unset = tiny.model_copy(update={"model": tiny.model.model_copy(update={"n_gaussians": None})})
    without = replace(baseline, used=False)
    cases = [baseline], [baseline, baseline], [baseline, without], [without]
    assert [network_options(case, unset).gaussians for case in cases] == [10, 10, 20, 20]


def test_bonds_that_change_have_no_baseline(tiny):
    field = random_field(tiny.data.load_frames())
    moving = replace(field, topology=replace(field.topology, changing=np.array([[0, 1]])))
    assert not make_baseline(moving, 5.0, "sound").used


def augmentation_of(frames, field):
    info = {
        "parent": np.arange(len(frames)),
        "kind": np.full(len(frames), "impulse"),
        "displacement": np.zeros_like(frames.positions),
    }
    made = replace(frames, info=info | frames.info)
    return Augmentation(made, "force-matched", "the field is sound", (), field)


@pytest.mark.parametrize(
    ("changes", "with_field", "used"),
    [
        ({}, True, True),
        ({"model": {"baseline": "none"}}, True, False),
        ({"model": {"prior": "pair"}}, True, False),
        ({}, False, False),
    ],
)
def test_settings_and_the_assessment_decide(tiny, changes, with_field, used):
    frames = tiny.data.load_frames()
    made = augmentation_of(frames, random_field(frames) if with_field else None)
    assert choose_baseline(made, frames, tiny.replace(changes)).used == used
    assert not choose_baseline(None, frames, tiny.replace(changes)).used  # raw models have none by default


def test_a_baseline_that_is_set_is_made_without_augmented_frames(tiny, monkeypatch):
    frames = tiny.data.load_frames()
    verdicts = [Verdict("held-out forces", "ok", 0.1, 1.0, "sound")]
    monkeypatch.setattr(
        "mdaug.augmentation.force_matching.assessment.fit_and_assess",
        lambda raw, cutoff, others: (random_field(raw), None, FieldAssessment(tuple(verdicts))),
    )
    settings = tiny.replace({"model": {"baseline": "force-field"}})
    assert choose_baseline(None, frames, settings).used
    verdicts[0] = replace(verdicts[0], verdict="error")
    with pytest.raises(UnsoundFieldError):
        choose_baseline(None, frames, settings)


@pytest.mark.parametrize(
    ("errors", "used"),
    [
        ([1.0, 0.5], (True, True)),
        ([1.0, 1.1, 0.9], (True, False)),
        ([1.0, 1.1, 1.1, 1.2], (False, True)),
        ([1.0, 1.1, 1.1, 1.4], (False, False)),
        ([1.0, None, 0.9], (True, False)),  # diverged
        ([None, 0.5], (True, True)),
    ],
)
def test_the_first_way_that_does_no_harm_is_taken(tiny, monkeypatch, errors, used):
    frames = tiny.data.load_frames()
    left = iter(errors)

    def short_training(*given, **options):
        error = next(left)
        if error is None:
            raise DivergedError("the training diverged")
        return error

    monkeypatch.setattr(training_choice, "short_training", short_training)
    settings = tiny.replace({"augment": {"rule": "force-matched"}, "training": {"epochs": 5000}})
    choice = choose_training(augmentation_of(frames, random_field(frames)), frames, frames, settings)
    assert (choice.baseline.used, choice.augmentation.used) == used
    assert choice.augmentation.force_mae_raw_kcal_mol_A == errors[0]
    assert choice.augmentation.force_mae_kcal_mol_A == errors[-1]
    assert isinstance(choice.baseline, BaselineChoice)


def test_few_augmented_frames_beside_a_baseline_whose_weights_ignore_the_errors_of_labels(tiny, baseline):
    """The network is to be small where no frame is, above all along the flat curve of a broken bond."""
    raw, parent = tiny.data.load_frames(), np.arange(40)[::-1]
    raw = replace(raw, weights=np.linspace(0.5, 2.0, 40))
    by_error = np.geomspace(1e-4, 0.02, 40)
    displacement = np.zeros((40, raw.n_atoms, 3))
    displacement[10:, 1, 0] = 2.0
    kind = np.array(["stretch"] * 20 + ["impulse"] * 20)
    info = {"parent": parent, "displacement": displacement, "kind": kind}
    frames = replace(raw, weights=by_error, info=info)
    made, settings = augmentation_of(frames, None), tiny.replace({"augment": {"weight": 0.03}})
    few = augmented_frames(made, raw, baseline, settings)
    np.testing.assert_array_equal(few.positions, frames.positions[::5])
    usual = BESIDE_BASELINE_WEIGHT * 0.03 * raw.weights[parent[::5]]
    np.testing.assert_allclose(few.weights, usual * [1, 1, STRETCHED_WEIGHT, STRETCHED_WEIGHT, 1, 1, 1, 1])
    assert augmented_frames(made, raw, replace(baseline, used=False), settings) is made.frames
    as_set = tiny.replace({"model": {"baseline": "force-field"}})
    assert augmented_frames(made, raw, baseline, as_set) is made.frames


def test_at_most_a_third_as_many_augmented_as_raw_frames(tiny, baseline):
    frames = tiny.data.load_frames()
    made = augmentation_of(replace(frames, info={"parent": np.arange(len(frames)) % 6}), None)
    assert len(augmented_frames(made, frames.select(slice(6)), baseline, tiny)) == 2


def test_fewer_epochs_with_a_baseline_unless_they_are_set(baseline):
    unset = TrainOptions()
    assert unset.n_epochs == 800
    for n_frames, expected in ((1060, 302), (200, 1000), (321, 942), (100_000, 100)):
        assert with_defaults([baseline], unset, n_frames).n_epochs == expected
    without = replace(baseline, used=False)
    for n_frames, expected in ((1060, 800), (1950, 800), (6100, 263), (100_000, 100)):
        assert with_defaults([without], unset, n_frames).n_epochs == expected
    assert with_defaults([baseline], TrainOptions(epochs=7), 1060).n_epochs == 7


def test_several_systems_have_a_lower_learning_rate(baseline):
    def rate(baselines, **options):
        return with_defaults(baselines, TrainOptions(**options), 1004).learning_rate

    assert rate([baseline]) == 2e-3
    assert rate([baseline] * 3) == pytest.approx(2e-3 / np.sqrt(3))
    assert rate([baseline] * 20) == pytest.approx(2e-3 / np.sqrt(5))
    assert rate([baseline] * 3, epochs=100) == 2e-3  # shorter ones would not learn enough
    assert rate([replace(baseline, used=False)] * 3) == 2e-3
    assert rate([baseline] * 3, learning_rate=3e-3) == 3e-3


def test_steps_grow_with_the_number_of_systems(baseline):
    unset = TrainOptions()
    for n_systems, expected in ((1, 314), (3, 942), (5, 1000)):  # of 51 steps
        assert with_defaults([baseline] * n_systems, unset, 1004).n_epochs == expected
    assert with_defaults([baseline] * 20, unset, 5000).n_epochs == 320  # 80,000 steps
    without = replace(baseline, used=False)
    assert with_defaults([without, baseline, without], unset, 1004).n_epochs == 942
    assert with_defaults([without] * 3, unset, 1004).n_epochs == 800
    assert with_defaults([baseline] * 3, TrainOptions(epochs=7), 1004).n_epochs == 7
