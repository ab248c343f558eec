"""The whole path on a handful of frames: what a run folder holds, and that it can be believed."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.analysis.accuracy import accuracy
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.predictions import predict, predict_extrapolation
from mdaug.data import load_frames, write_extxyz
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import join_frames
from mdaug.springs import Springs, consistency, fit_springs
from mdaug.training.history import History
from mdaug.workflows.export import export_run
from mdaug.workflows.settings.config import file_hash, load_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.outcome import describe_outcome
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.records import record_sets
from mdaug.workflows.training.sets import TrainingCallbacks
from mdaug.workflows.training.summary import summarize_training


@pytest.fixture(scope="module")
def outcome(tiny, tmp_path_factory):
    return train_force_field(tiny, tmp_path_factory.mktemp("run"), device="cpu")


def test_the_run_folder_is_that_of_the_contract(outcome):
    names = {path.name for path in outcome.folder.iterdir()}
    contract = "config.toml model.pt checkpoint.pt history.csv springs.json augmented.xyz results.json"
    assert names >= {*contract.split(), "environment.json", "split.json", "report.html", "training.png"}


def test_a_device_that_is_not_there_is_told_before_anything_is_computed(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DataError, match="torch sees no CUDA device"):
        train_force_field(tiny, tmp_path, device="cuda")
    assert list(tmp_path.iterdir()) == []


def test_the_resolved_configuration_trains_again(outcome, tiny):
    config = load_config(outcome.folder / "config.toml")
    assert config.data.sha256 == file_hash(Path(tiny.data.source))
    assert config.replace({"data": {"sha256": None}}) == tiny


def test_results_are_those_of_the_model_file_on_the_held_out_frames(outcome):
    frames = outcome.sets.test
    found = accuracy(lambda frames: predict(outcome.model_path, frames), frames).to_json()
    results = json.loads((outcome.folder / "results.json").read_text())
    assert results["test"] == found
    assert results["test"]["n_frames"] == 8
    of_frames = predict_extrapolation(outcome.model_path, frames)
    assert results["extrapolation"]["test_largest"] == of_frames.max()
    assert any(verdict.value == of_frames.max() for verdict in outcome.verdicts)
    keys = "energy_mae_kcal_mol force_mae_kcal_mol_A energy_rmse_kcal_mol force_rmse_kcal_mol_A"
    assert all(np.isfinite(results["test"][key]) for key in keys.split())


def test_springs_and_augmented_frames_come_from_training_frames_only(outcome, tiny):
    train, augmented = outcome.sets.train, outcome.sets.augmented
    parents = train.positions[augmented.info["parent"]]
    moved = np.linalg.norm(augmented.positions - parents, axis=-1)
    assert ((moved > 0).sum(axis=1) == 1).all()
    assert set(augmented.group) <= set(train.group)
    springs = Springs.read(outcome.folder / "springs.json")
    assert springs.temperature_K == 300.0
    assert springs.to_json() == fit_springs(train, tiny.spring_options).to_json()
    content = json.loads((outcome.folder / "springs.json").read_text())
    assert content == springs.to_json() | consistency(train).to_json()  # as `mdaug springs` writes it
    assert set(springs.pairs) == {"H-H", "H-O"}
    assert len(load_frames(outcome.folder / "augmented.xyz")) == 6


@pytest.mark.parametrize(
    ("n_frames", "part", "advice"),
    [(3, "validation", r"give more frames, or --split\.train 2"), (1, "train", "give more frames$")],
)
def test_too_few_frames_to_split_say_what_to_do(tiny, tmp_path, n_frames, part, advice):
    write_extxyz(tiny.data.load_frames().select(slice(0, n_frames)), tmp_path / "few.xyz")
    shares = {"train": 0.3 if n_frames == 1 else 0.8, "validation": 0.1, "test": 0.1}
    few = tiny.replace({"data": {"source": str(tmp_path / "few.xyz")}, "split": shares})
    with pytest.raises(DataError, match=rf"few\.xyz: of {n_frames} frame.* none for {part}.*{advice}"):
        prepare_systems(few, TrainingCallbacks())


def test_each_part_is_that_of_split_json(outcome, tiny):
    frames = tiny.data.load_frames()
    split = json.loads((outcome.folder / "split.json").read_text())
    for part in ("train", "validation", "test"):
        chosen = getattr(outcome.sets, part)
        np.testing.assert_array_equal(chosen.positions, frames.positions[split[part]])


def test_held_out_frames_are_no_frame_that_was_trained_on(outcome):
    sets = outcome.sets
    assert not set(sets.all_training.group) & (set(sets.validation.group) | set(sets.test.group))
    assert len(sets.all_training) == 24 + 6


def test_the_model_file_alone_tells_what_it_was_trained_on(outcome):
    training = read_manifest(outcome.model_path)["training"]
    frames = outcome.sets.train
    lowest = frames.energies.argmin()
    assert training["n_train"] == 24
    assert training["augmented"] is True
    assert [bond["atoms"] for bond in training["bonds"]] == [[0, 1], [0, 2]]
    lengths = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=1)
    assert training["bonds"][0]["mean_A"] == pytest.approx(lengths.mean(), abs=1e-12)
    assert training["bonds"][0]["range_A"] == pytest.approx([lengths.min(), lengths.max()], abs=1e-12)
    assert training["reference_structure"]["energy_eV"] == pytest.approx(frames.energies[lowest])
    oh = np.linalg.norm(frames.positions[:, 1:] - frames.positions[:, :1], axis=-1)
    assert training["distance_range_A"]["H-O"] == pytest.approx([oh.min(), oh.max()], abs=1e-12)


def test_a_raw_training_shows_the_raw_frames_only(tiny, tmp_path):
    raw = tiny.replace({"augment": {"enabled": False}, "training": {"epochs": 1}})
    outcome = train_force_field(raw, tmp_path, device="cpu")
    assert len(outcome.sets.all_training) == 24
    assert not (tmp_path / "augmented.xyz").exists()
    assert read_manifest(outcome.model_path)["training"]["augmented"] is False


def test_a_resumed_training_gives_the_same_model(outcome, tiny, tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    def kill_after_two(state):
        if state.epoch == 2:
            raise KilledError

    # a checkpoint after every epoch, as a longer training has after every minute
    monkeypatch.setattr("mdaug.training.loop.Trainer._close_epoch", _closing_with_checkpoint(tmp_path))
    with pytest.raises(KilledError):
        train_force_field(tiny, tmp_path, device="cpu", callbacks=TrainingCallbacks(epoch=kill_after_two))
    monkeypatch.undo()
    assert not (tmp_path / "model.pt").exists()
    seen = []
    resumed = train_force_field(
        tiny,
        tmp_path,
        device="cpu",
        resume=True,
        callbacks=TrainingCallbacks(epoch=lambda state: seen.append(state.epoch)),
    )
    assert seen == [3]
    assert describe_outcome(resumed)["test"] == describe_outcome(outcome)["test"]


def _closing_with_checkpoint(folder):
    from mdaug.training.loop import Trainer

    close = Trainer._close_epoch

    def close_and_save(self, *arguments):
        close(self, *arguments)
        self.save(folder)

    return close_and_save


def test_defaults_augment_a_handful_of_frames(tiny):
    config = load_config(changes={"data": tiny.data.model_dump(), "split": tiny.split.model_dump()})
    told = []
    made = prepare_systems(config, TrainingCallbacks(stage=told.append))[0].augmented
    assert told[-1] == "320 augmented frames by rule 'force-matched'"
    assert Counter(made.info["kind"].tolist()) == {"displacement": 70, "stretch": 120, "impulse": 130}
    assert np.isfinite(made.forces).all()
    assert (made.weights > 0).all()
    assert (made.weights <= 0.02).all()


def test_nothing_is_written_before_all_is_found_good(tiny, tmp_path):
    unknown = load_config(changes=tiny.model_dump() | {"data": {"source": tiny.data.source, "every": 39}})
    with pytest.raises(DataError):
        train_force_field(unknown, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_resuming_with_other_frames_is_refused(outcome, tiny, tmp_path):
    record_sets(prepare_systems(tiny, TrainingCallbacks()), tiny, tmp_path, resume=False)
    other = tiny.replace({"split": {"seed": 5}})
    with pytest.raises(DataError, match="not those of this run"):
        record_sets(prepare_systems(other, TrainingCallbacks()), other, tmp_path, resume=True)


def test_export_writes_the_same_model_from_the_checkpoint(outcome, tmp_path):
    path = export_run(outcome.folder, tmp_path / "again.pt")
    frames = outcome.sets.test
    for new, old in zip(predict(path, frames), predict(outcome.model_path, frames), strict=True):
        np.testing.assert_array_equal(new, old)
    assert read_manifest(path)["training"] == read_manifest(outcome.model_path)["training"]
    with pytest.raises(DataError, match="no checkpoint in"):
        export_run(tmp_path)


def test_the_calculator_runs_the_model_file(outcome):
    from ase import Atoms

    frames = outcome.sets.test
    atoms = Atoms(frames.atomic_numbers, frames.positions[0])
    atoms.calc = MDAugCalculator(outcome.model_path)
    assert atoms.get_potential_energy() == pytest.approx(predict(outcome.model_path, frames)[0][0], abs=1e-5)


def test_history_has_a_row_an_epoch(outcome):
    rows = History.read(outcome.folder / "history.csv").epochs
    assert [row.epoch for row in rows] == [1, 2, 3]


def test_joined_frames_are_one_after_the_other(outcome):
    first, second = outcome.sets.train, outcome.sets.augmented
    both = join_frames([first, second])
    assert len(both) == len(first) + len(second)
    np.testing.assert_array_equal(both.positions[len(first) :], second.positions)
    np.testing.assert_array_equal(both.group[len(first) :], second.group)


def test_a_periodic_summary_keeps_the_cell(outcome):
    frames = outcome.sets.train
    cells = np.broadcast_to(10.0 * np.eye(3), (len(frames), 3, 3))
    structure = summarize_training(replace(frames, cells=cells, pbc=(True, True, True)), 4.0)[
        "reference_structure"
    ]
    assert structure["cell"] == (10.0 * np.eye(3)).tolist()
    assert structure["pbc"] == [True, True, True]


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [0, 0, 1.0]])
def test_a_summary_of_a_film_is_that_of_its_molecules(outcome, vector_c):
    frames = outcome.sets.train
    cells = np.tile(20.0 * np.eye(3), (len(frames), 1, 1))
    cells[:, 2] = vector_c
    film = replace(frames, cells=cells, pbc=(True, True, False))
    found, expected = (summarize_training(one, 9.0)["bonds"] for one in (film, frames))
    assert [bond["atoms"] for bond in found] == [bond["atoms"] for bond in expected]
    assert [bond["range_A"] for bond in found] == [pytest.approx(bond["range_A"]) for bond in expected]
