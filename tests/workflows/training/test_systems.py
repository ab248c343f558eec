"""One model of several systems, from files of frames to ASE: records for each, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.augmentation.generate import Augmentation
from mdaug.augmentation.numbers import AugmentedNumbers
from mdaug.calculators.applicability import mismatches
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.predictions import predict
from mdaug.calculators.trained_systems import label_for, manifest_for, system_records
from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.deployment import read_manifest
from mdaug.errors import DataError, SettingsError
from mdaug.frames import FrameSet
from mdaug.models.baseline import Baseline
from mdaug.reports.training import write_training_report
from mdaug.training.evaluation import predict as network_results
from mdaug.workflows.dry_run import dry_run
from mdaug.workflows.evaluate import evaluate_models
from mdaug.workflows.export import export_run
from mdaug.workflows.settings.config import RunConfig, load_config, load_recorded_config, save_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.baseline import recorded_baseline
from mdaug.workflows.training.data import labels_of, load_training_data
from mdaug.workflows.training.levels import check_levels
from mdaug.workflows.training.outcome import TrainingOutcome, training_report
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.sets import TrainingCallbacks
from mdaug.workflows.training.summary import summarize_training
from mdaug.workflows.use_model import own_frames, own_systems, start_structure
from tests.workflows.conftest import TINY

DATA = Path(__file__).parents[2] / "data"
SMALL = TINY | {
    "split": {"train": 60, "validation": 20, "test": 20},
    "augment": {"enabled": False},
    "training": {"epochs": 2, "batch_size": 10},
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def methanol() -> FrameSet:
    return load_frames(DATA / "methanol.npz")


@pytest.fixture(scope="module")
def files(methanol, tmp_path_factory) -> list[str]:
    """Return files of methanol, of a box of water, and of ethanol, as if all were at one level of theory."""
    folder = tmp_path_factory.mktemp("frames")
    write_extxyz(replace(methanol.select(slice(0, 40)), level_of_theory=None), folder / "methanol.xyz")
    write_extxyz(_water_box(20), folder / "water_box.xyz")
    ethanol = load_frames("ethanol").select(slice(0, 40))
    write_extxyz(replace(ethanol, level_of_theory=None), folder / "ethanol.xyz")
    return [str(folder / f"{name}.xyz") for name in ("methanol", "water_box", "ethanol")]


@pytest.fixture(scope="module")
def config(files) -> RunConfig:
    return load_config(changes=SMALL | {"data": {"sources": [{"source": file} for file in files]}})


@pytest.fixture(scope="module")
def outcome(config, tmp_path_factory) -> TrainingOutcome:
    """Train with a baseline of all three molecules."""
    given = config.replace({"model": {"baseline": "force-field"}})
    return train_force_field(given, tmp_path_factory.mktemp("run"), device="cpu")


def test_each_part_has_the_same_share_of_every_system(config):
    systems = load_training_data(config)
    assert [system.label for system in systems] == ["methanol", "water_box", "ethanol"]
    sizes = [[len(getattr(s.split, part)) for part in ("train", "validation", "test")] for s in systems]
    assert sizes == [[24, 8, 8], [12, 4, 4], [24, 8, 8]]


def test_the_split_of_each_system_is_recorded(outcome):
    content = json.loads((outcome.folder / "split.json").read_text())
    assert list(content["systems"]) == ["methanol", "water_box", "ethanol"]
    for sets in outcome.systems:
        split = content["systems"][sets.label]
        assert split == sets.split.to_json()
        assert not set(split["train"]) & {*split["validation"], *split["test"]}
    for part in ("train", "test"):
        for sets in outcome.systems:
            own = own_systems(outcome.model_path, part)[sets.label]
            np.testing.assert_array_equal(own.positions, getattr(sets, part).positions)
    with pytest.raises(DataError, match=r"several systems \(methanol, water_box, ethanol\)"):
        own_frames(outcome.model_path, "test")


def test_the_model_has_one_template_for_each_molecule(outcome):
    assert read_manifest(outcome.model_path)["baseline"]
    formulas = [entry["formula"] for entry in read_manifest(outcome.model_path)["baseline"]]
    assert formulas == ["CH4O", "H2O", "C2H6O"]
    for sets in outcome.systems:
        assert [len(atoms) for atoms in sets.baseline.molecules] == {
            "methanol": [1, 0, 0], "water_box": [0, 3, 0], "ethanol": [0, 0, 1],
        }[sets.label]  # fmt: skip
        recorded = recorded_baseline(outcome.folder / "systems" / sets.label)
        assert recorded is not None and recorded.to_json() == sets.baseline.to_json()


def test_results_are_those_of_the_model_on_the_test_frames_of_each_system(outcome):
    results = json.loads((outcome.folder / "results.json").read_text())
    force_maes = []
    for sets in outcome.systems:
        found = results["systems"][sets.label]
        energies, forces = predict(outcome.model_path, sets.test)
        mae = abs(forces - sets.test.forces).mean() * 23.060547830619
        force_maes += [mae] * len(sets.test)
        assert found["test"]["force_mae_kcal_mol_A"] == pytest.approx(mae, rel=1e-6)
        assert found["test"]["n_frames"] == len(sets.test) == found["n_raw_frames"] / 3
        assert abs(energies - sets.test.energies).max() < 0.2 * sets.test.n_atoms
    assert results["test"]["force_mae_kcal_mol_A"] == pytest.approx(np.mean(force_maes), rel=1e-6)
    assert results["test"]["n_frames"] == 20
    assert results["training"]["n_raw_frames"] == 60


def test_forces_in_ase_are_the_gradient_for_each_system(outcome):
    for sets in outcome.systems:
        atoms = _atoms(sets.test)
        atoms.calc = MDAugCalculator(outcome.model_path, dtype="float64", strict=True)
        forces, step = atoms.get_forces(), 1e-4
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[1, 0] += sign * step
            moved.calc = atoms.calc
            ends.append(moved.get_potential_energy())
        assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(forces[1, 0], abs=2e-5)
        baseline = Baseline(sets.baseline.templates, sets.baseline.cutoff)
        energies, _ = baseline.results(sets.test, sets.baseline.molecules)
        assert abs(energies).max() > 0


def test_atom_types_of_all_systems_are_numbered_together(outcome):
    numbers = [set(sets.baseline.with_atom_types(sets.test).atom_types.tolist()) for sets in outcome.systems]
    assert [len(own) for own in numbers] == [4, 2, 6]
    assert set.union(*numbers) == set(range(12))
    network = outcome.training.model
    assert len(network.network.embedding.weight) == 3 + 12
    for sets in outcome.systems:
        less_baseline = sets.baseline.subtract(sets.test)
        of_baseline = sets.test.forces - less_baseline.forces
        expected = predict(outcome.model_path, sets.test, dtype="float64")[1] - of_baseline
        np.testing.assert_allclose(network_results(network, less_baseline)[1], expected, atol=1e-5)


def test_the_manifest_names_the_systems_and_knows_their_molecules(outcome, methanol):
    manifest = read_manifest(outcome.model_path)
    training = manifest["training"]
    records = system_records(manifest)
    assert [record["label"] for record in records] == ["methanol", "water_box", "ethanol"]
    assert [record["n_train"] for record in records] == [24, 12, 24]
    assert training["n_train"] == 60
    shares = {entry["formula"]: entry["share"] for entry in training["molecules"]}
    assert shares == pytest.approx({"CH4O": 0.4, "C2H6O": 0.4, "H2O": 0.2})
    for sets in outcome.systems:
        atoms = _atoms(sets.train)
        assert mismatches(atoms, manifest) == []
        assert label_for(manifest, atoms) == sets.label
        start = start_structure(manifest, "model.pt", sets.label)
        assert start.numbers.tolist() == sets.train.atomic_numbers.tolist()
        own = next(record for record in records if record["label"] == sets.label)
        assert manifest_for(manifest, atoms)["training"]["bonds"] == own["bonds"]
        low, high = training["distance_range_A"]["H-O"]
        assert low <= _shortest(sets.train, 8, 1) <= high
    text, *_ = mismatches(Atoms("CO", [[0, 0, 0], [0, 0, 1.13]]), manifest)
    assert re.match(
        r"trained on CH4O, (H2O, C2H6O|C2H6O and H2O|H2O and C2H6O)|trained on .*; this is CO", text
    )
    assert label_for(manifest, Atoms("CO")) is None


def test_isomers_with_the_same_order_of_atoms_have_their_own_records():
    records, isomers = [], [molecule("CH3CH2OH"), molecule("CH3OCH3")]
    for isomer in isomers:
        atoms = isomer[np.argsort(isomer.numbers, kind="stable")]
        frames = FrameSet(atoms.numbers, atoms.positions[None], np.zeros(1), np.zeros((1, 9, 3)))
        records.append({"label": f"isomer-{len(records)}", **summarize_training(frames, 5.0)})
    manifest = {"training": records[0] | {"systems": records}}
    for record in records:
        atoms = start_structure(manifest, "model.pt", record["label"])
        assert label_for(manifest, atoms) == record["label"]
        assert manifest_for(manifest, atoms)["training"]["bonds"] == record["bonds"]


def test_files_of_each_system_are_in_a_folder_of_its_own(outcome):
    for label in ("methanol", "water_box", "ethanol"):
        names = {path.name for path in (outcome.folder / "systems" / label).iterdir()}
        assert names >= {"baseline.json", "molecule.png", "frames.png", "scan.csv", "scan.json"}
    page = (outcome.folder / "report.html").read_text()
    assert "methanol: Molecule" in page and "water_box: Training frames" in page
    assert "accuracy on test frames, ethanol" in page


def test_export_writes_the_same_model_from_the_checkpoint(outcome, tmp_path):
    path = export_run(outcome.folder, tmp_path / "again.pt")
    for sets in outcome.systems:
        for new, old in zip(predict(path, sets.test), predict(outcome.model_path, sets.test), strict=True):
            np.testing.assert_array_equal(new, old)
    manifests = [read_manifest(model)["training"] for model in (path, outcome.model_path)]
    for manifest in manifests:
        manifest.pop("augmented")  # whether it is enabled, or used
    assert manifests[0] == manifests[1]


def test_a_stopped_training_goes_on_with_its_choices(config, outcome, tmp_path):
    seen = []
    given = config.replace({"model": {"baseline": "force-field"}, "training": {"epochs": 1}})
    train_force_field(given, tmp_path, device="cpu")
    before = (tmp_path / "systems" / "ethanol" / "baseline.json").stat().st_mtime_ns
    resumed = train_force_field(
        given,
        tmp_path,
        device="cpu",
        resume=True,
        callbacks=TrainingCallbacks(stage=seen.append),
    )
    assert resumed.training.best_epoch == 1
    assert "baseline: force field of CH4O, H2O, C2H6O" in seen
    assert "reference energies: least squares over all systems" in seen
    assert (tmp_path / "systems" / "ethanol" / "baseline.json").stat().st_mtime_ns >= before


def test_evaluate_has_the_errors_of_each_system(outcome, tmp_path):
    found = evaluate_models(outcome.model_path, None, tmp_path)
    content = json.loads((tmp_path / "evaluate.json").read_text())["systems"]
    assert [entry["system"] for entry in content] == ["methanol", "water_box", "ethanol"]
    results = json.loads((outcome.folder / "results.json").read_text())["systems"]
    for entry, evaluation in zip(content, found, strict=True):
        expected = results[entry["system"]]["test"]["force_mae_kcal_mol_A"]
        assert entry["force_mae_kcal_mol_A"] == pytest.approx(expected, rel=1e-4)
        assert evaluation.figure.name == f"parity-{entry['system']}.png" and evaluation.figure.exists()


def test_evaluate_takes_files_of_several_systems(outcome, files, tmp_path, capsys):
    mixed = tmp_path / "mixed.xyz"
    mixed.write_text(Path(files[2]).read_text() + Path(files[0]).read_text())
    assert main(["evaluate", str(outcome.folder), str(mixed), "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "evaluate.json").read_text())["systems"]
    assert [(entry["system"], entry["n_frames"]) for entry in found] == [
        ("mixed-C2H6O", 40),
        ("mixed-CH4O", 40),
    ]
    assert "mixed-CH4O" in capsys.readouterr().out
    assert (tmp_path / "out" / "parity-mixed-CH4O.png").exists()
    with pytest.warns(UserWarning, match="trained on part of a file of the same name, methanol.xyz"):
        (alone,) = evaluate_models(outcome.model_path, [load_frames(files[0])], tmp_path)
    assert found[1]["force_mae_kcal_mol_A"] == pytest.approx(alone.result.to_json()["force_mae_kcal_mol_A"])


def test_evaluate_of_many_systems_shows_what_is_of_all(outcome, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mdaug.workflows.evaluate.MANY_SYSTEMS", 1)
    mixed = tmp_path / "mixed.xyz"
    mixed.write_text(Path(files[2]).read_text() + Path(files[0]).read_text())
    assert main(["evaluate", str(outcome.folder), str(mixed), "--out", str(tmp_path / "out")]) == 0
    assert "on 80 frames of 2 systems" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["parity.png"]
    assert len(json.loads((tmp_path / "out" / "evaluate.json").read_text())["systems"]) == 2


def test_info_names_the_systems(outcome, capsys):
    assert main(["info", str(outcome.folder)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"water_box\s+H6O3\s+12\s+300", printed)
    assert "held out, ethanol" in printed
    assert "methanol: bonds in the training frames" in printed


def test_the_report_of_many_systems_is_of_all(outcome, tmp_path, monkeypatch, capsys):
    for module in ("workflows.training.outcome", "reports.training", "reports.model"):
        monkeypatch.setattr(f"mdaug.{module}.MANY_SYSTEMS", 2)
    assert [verdict.name for verdict in outcome.verdicts][:2] == [
        "accuracy on test frames",
        "extrapolation of test frames",
    ]
    assert next(iter(outcome.errors)) == "all 3 systems"
    assert len(outcome.errors) == 1 + 2
    report = training_report(outcome)
    assert report.data == "3 systems of methanol.xyz, water_box.xyz, ethanol.xyz"
    labels = [sets.label for sets in outcome.systems]
    for label in labels:
        (tmp_path / "systems" / label).mkdir(parents=True)
    page = write_training_report(tmp_path, report).read_text()
    scanned = [system.label for system in report.systems if system.scan is not None]
    for label in labels:
        assert (f"{label}: Bond scan" in page) == (label in scanned)
        assert f"{label}: Molecule" not in page
    assert "all 3 systems" in page
    assert main(["info", str(outcome.folder)]) == 0
    shown = capsys.readouterr().out
    assert "bonds in the training frames" not in shown
    assert "held out, methanol" not in shown


def test_settings_are_saved_and_read_back(config, tmp_path):
    tables = [
        {**table.model_dump(exclude_unset=True), "weight": weight, "every": 2}
        for table, weight in zip(config.data.sources, (1.0, 2.5, 1.0), strict=True)
    ]
    given = config.replace({"data": {"sources": tables, "temperature": 321.0}})
    save_config(given, tmp_path / "config.toml")
    found = load_config(tmp_path / "config.toml")
    systems = found.data.load_systems()
    assert [len(frames) for frames in systems] == [20, 10, 20]
    assert [set(frames.weights.tolist()) for frames in systems] == [{1.0}, {2.5}, {1.0}]
    assert {frames.temperature_K for frames in systems} == {321.0}
    assert [table.temperature for table in found.data.sources] == [None] * 3
    assert all(table.sha256 for table in found.data.sources)


def test_one_changed_file_among_several_is_refused(config, files, tmp_path):
    copy = tmp_path / "methanol.xyz"
    copy.write_bytes(Path(files[0]).read_bytes())
    given = config.replace({"data": {"sources": [{"source": str(copy)}, {"source": files[2]}]}})
    save_config(given, tmp_path / "config.toml")
    copy.write_text(copy.read_text() + copy.read_text())
    with pytest.raises(DataError, match=r"methanol\.xyz: not the file that this configuration was made with"):
        load_config(tmp_path / "config.toml").data.load_systems()


def test_a_mixed_file_is_several_systems(files, tmp_path, config):
    mixed = tmp_path / "mixed.xyz"
    mixed.write_text("".join(Path(file).read_text() for file in files))
    given = load_config(changes=SMALL | {"data": {"source": str(mixed)}})
    systems = load_training_data(given)
    assert [system.label for system in systems] == ["mixed-CH4O", "mixed-H6O3", "mixed-C2H6O"]
    for mine, theirs in zip(systems, load_training_data(config), strict=True):
        np.testing.assert_allclose(mine.frames.energies, theirs.frames.energies)
        assert mine.split.to_json() == theirs.split.to_json()


def test_files_of_validation_and_test_frames(methanol, files, tmp_path):
    parts = {"validation": methanol.select(slice(50, 60)), "test": methanol.select(slice(70, 77))}
    for name, frames in parts.items():
        write_extxyz(frames, tmp_path / f"{name}.xyz")
    own = {name: str(tmp_path / f"{name}.xyz") for name in parts}
    given = load_config(changes={"data": {"source": files[0], **own}})
    (system,) = load_training_data(given)
    assert len(system.split.train) == 40
    for name, frames in parts.items():
        index = getattr(system.split, name)
        np.testing.assert_allclose(system.frames.positions[index], frames.positions, atol=1e-7)
    assert len(set(system.frames.group.tolist())) == 57
    only_test = load_config(changes={"data": {"source": files[0], "test": own["test"]}})
    (system,) = load_training_data(only_test)
    assert [len(getattr(system.split, part)) for part in ("train", "validation", "test")] == [38, 2, 7]
    other = load_config(changes={"data": {"source": files[2], "test": own["test"]}})
    with pytest.raises(DataError, match=r"test\.xyz: test frames: .* no system of the training frames"):
        load_training_data(other)


def test_own_test_frames_leave_the_share_of_training_frames_as_set(methanol, files, tmp_path):
    write_extxyz(methanol.select(slice(70, 77)), tmp_path / "test.xyz")
    data = {"source": files[0], "test": str(tmp_path / "test.xyz")}
    (system,) = load_training_data(load_config(changes={"data": data, "split": {"train": 0.5}}))
    assert [len(getattr(system.split, part)) for part in ("train", "validation", "test")] == [20, 2, 7]


def test_a_changed_file_of_validation_frames_is_refused(methanol, files, tmp_path):
    write_extxyz(methanol.select(slice(50, 60)), tmp_path / "held-out.xyz")
    data = {"source": files[0], "validation": str(tmp_path / "held-out.xyz")}
    save_config(load_config(changes={"data": data}), tmp_path / "config.toml")
    load_training_data(load_recorded_config(tmp_path / "config.toml"))
    write_extxyz(methanol.select(slice(60, 70)), tmp_path / "held-out.xyz")
    with pytest.raises(DataError, match=r"held-out\.xyz: not the file .* take validation_sha256 out of"):
        load_training_data(load_recorded_config(tmp_path / "config.toml"))
    load_training_data(load_recorded_config(tmp_path / "config.toml", {"data": data}))


def test_test_frames_at_another_level_of_theory_are_refused(methanol, tmp_path):
    for name, level in (("train", "PBE"), ("test", "CCSD(T)")):
        write_extxyz(replace(methanol, level_of_theory=level), tmp_path / f"{name}.xyz")
    data = {"source": str(tmp_path / "train.xyz"), "test": str(tmp_path / "test.xyz")}
    with pytest.raises(DataError, match=r"test\.xyz: test frames with level_of_theory CCSD\(T\), but PBE in"):
        load_training_data(load_config(changes={"data": data}))


def test_frames_in_two_files_are_warned_of(methanol, files, tmp_path):
    write_extxyz(replace(methanol.select(slice(30, 45)), level_of_theory=None), tmp_path / "other.xyz")
    other = str(tmp_path / "other.xyz")
    with pytest.warns(UserWarning, match=r"other\.xyz: 10 of 15 test frames are training frames"):
        load_training_data(load_config(changes={"data": {"source": files[0], "test": other}}))
    sources = [{"source": files[0]}, {"source": other}]
    with pytest.warns(UserWarning, match=r"other\.xyz: 10 of its 15 frames are also in"):
        load_training_data(load_config(changes={"data": {"sources": sources}}))


def test_a_training_with_own_validation_and_test_frames(methanol, tiny, tmp_path):
    for name, part in {"train": slice(0, 24), "validation": slice(30, 36), "test": slice(40, 48)}.items():
        write_extxyz(methanol.select(part), tmp_path / f"{name}.xyz")
    data = {name: str(tmp_path / f"{name}.xyz") for name in ("validation", "test")}
    data["source"] = str(tmp_path / "train.xyz")
    given = tiny.replace({"data": data, "split": {"train": 24}, "augment": {"enabled": False}})
    outcome = train_force_field(
        given.replace({"data": {"temperature": None}}), tmp_path / "run", device="cpu"
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert (results["training"]["n_raw_frames"], results["validation"]["n_frames"]) == (24, 6)
    assert results["test"]["n_frames"] == 8
    own = own_frames(outcome.model_path, "test")
    np.testing.assert_allclose(own.positions, methanol.positions[40:48], atol=1e-7)


def test_augmented_frames_are_made_for_each_system(config):
    changes = {"enabled": True, "rule": "gradient", "n_frames": 5, "n_displaced": 1, "n_stretched": 0}
    stages: list[str] = []
    systems = prepare_systems(config.replace({"augment": changes}), TrainingCallbacks(stage=stages.append))
    methanol, box, ethanol = systems
    for sets in (methanol, ethanol):
        assert sets.augmented is not None and sets.springs is not None
        assert len(sets.augmented) == 5
        assert set(sets.augmented.group) <= set(sets.train.group)
        assert sets.springs.springs.temperature_K == sets.train.temperature_K
    # one that cannot be augmented, such as a crystal or a narrow cell, stays raw beside others
    assert box.augmented is None and box.springs is None
    assert any(re.match("no augmented frames of water_box: ", text) for text in stages), stages


def test_default_numbers_are_computed_once_for_each_system(config, monkeypatch):
    asked = []

    def numbers(frames, n_raw):
        asked.append(frames.name)
        return AugmentedNumbers(2, 0, 0, True, "")

    monkeypatch.setattr("mdaug.augmentation.numbers.augmented_numbers", numbers)
    monkeypatch.setattr("mdaug.augmentation.generate.augmented_numbers", numbers)
    changes = {"enabled": True, "rule": "gradient", "n_displaced": 1}
    systems = prepare_systems(config.replace({"augment": changes}), TrainingCallbacks())
    assert sorted(asked) == sorted(sets.train.name for sets in systems)
    assert [None if sets.augmented is None else len(sets.augmented) for sets in systems] == [2, None, 2]


def test_a_dry_run_counts_the_frames_of_all_systems(config):
    found = dry_run(config, device="cpu")
    assert (found.n_raw, found.n_validation, found.n_test, found.steps_per_epoch[1]) == (60, 20, 20, 6)


def test_systems_with_few_frames_get_the_fields_of_the_others(config, monkeypatch):
    monkeypatch.setattr("mdaug.workflows.training.preparation.FEW_FRAMES", 20)
    donors_of = {}

    def make(frames, springs, options, donors, **_):
        donors_of[frames.name] = [donor.field for donor in donors]
        return Augmentation(frames, "force-matched", "", (), field=frames.name)

    monkeypatch.setattr("mdaug.workflows.training.preparation.make_augmentation", make)
    monkeypatch.setattr(
        "mdaug.workflows.training.preparation.PooledSprings.of", lambda *_: SimpleNamespace(springs=None)
    )
    systems = prepare_systems(config.replace({"augment": {"enabled": True}}), TrainingCallbacks())
    assert [sets.label for sets in systems] == ["methanol", "water_box", "ethanol"]
    methanol, water, ethanol = (sets.train.name for sets in systems)
    assert donors_of == {methanol: [], water: [methanol, ethanol], ethanol: []}


class StoppedError(Exception):
    """A training that is not run."""


def test_each_system_adds_to_the_steps(config, monkeypatch, tmp_path):
    monkeypatch.setattr("mdaug.training.options.STEPS_WITH_BASELINE", 20)
    monkeypatch.setattr("mdaug.training.options.MIN_EPOCHS", 1)
    unset = config.replace({"training": {"epochs": None}, "model": {"baseline": "force-field"}})
    assert dry_run(unset, device="cpu").epochs == (10, 10)  # of 6 steps

    def stop(frames, validation, network, training, folder, **_):
        raise StoppedError(str(training.n_epochs))

    monkeypatch.setattr("mdaug.workflows.training.network.train", stop)
    with pytest.raises(StoppedError, match=r"^10$"):
        train_force_field(unset, tmp_path, device="cpu")


def test_levels_of_theory_that_differ_are_refused_by_name(methanol):
    other = replace(methanol, name="other", level_of_theory="PBE")
    with pytest.raises(DataError, match=r"other is at the level of theory PBE, methanol.npz at GFN2-xTB"):
        check_levels([methanol, other])


@pytest.mark.filterwarnings("default::UserWarning")
def test_energies_that_do_not_fit_together_are_warned_of(methanol, recwarn):
    unnamed = replace(methanol, level_of_theory=None)
    isomer = replace(unnamed, name="isomer", energies=unnamed.energies + 0.5)
    check_levels([unnamed, isomer])
    assert not recwarn.list
    shifted = replace(unnamed, name="PBE", energies=unnamed.energies - 2.0)
    with pytest.warns(UserWarning, match=r"PBE and methanol.npz have the same atoms.* differ by -46.12 kcal"):
        check_levels([unnamed, shifted])
    hydrogen, oxygen = (
        FrameSet(np.array([z, z]), np.zeros((2, 2, 3)), np.full(2, energy), np.zeros((2, 2, 3)), name=name)
        for z, energy, name in ((1, -30.0, "H2"), (8, -240.0, "O2"))
    )
    water = FrameSet(
        np.array([8, 1, 1]), np.zeros((2, 3, 3)), np.full(2, -153.0), np.zeros((2, 3, 3)), name="w"
    )
    check_levels([hydrogen, oxygen, water])
    mean_free = replace(water, energies=np.zeros(2))
    with pytest.warns(UserWarning, match="too large for one level of theory"):
        check_levels([hydrogen, oxygen, mean_free])


def test_files_of_one_name_are_told_apart_by_their_folders(files, tmp_path):
    """`mdaug frames` calls all its files frames.xyz."""
    copies = []
    for file in files[::2]:
        folder = tmp_path / Path(file).stem
        folder.mkdir()
        copies.append(folder / "frames.xyz")
        copies[-1].write_bytes(Path(file).read_bytes())
    sources = {"sources": [{"source": str(copy)} for copy in copies]}
    for data in (sources, {"source": str(tmp_path / "*" / "frames.xyz")}):
        systems = load_training_data(load_config(changes={"data": data}))
        found = {system.label: system.frames.name for system in systems}
        assert found == {name: f"{name}/frames.xyz" for name in ("methanol", "ethanol")}


def test_a_misspelled_label_is_answered_by_the_labels():
    manifest = {"training": {"systems": [{"label": "methanol"}, {"label": "water_box"}]}}
    with pytest.raises(DataError, match=r"^methanl: .*; the systems of model.pt are methanol, water_box$"):
        start_structure(manifest, "model.pt", "methanl")


def test_labels_are_different_and_safe(methanol):
    names = ["a/b c.xyz", "b c.xyz", "mixed.db (CH4O)", "x.h5#g/1", "..", "frames/*.xyz"]
    labels = labels_of([replace(methanol, name=name) for name in names])
    assert labels == ["b-c", "b-c-2", "mixed-CH4O", "1", "system", "xyz"] or len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_+][A-Za-z0-9._+-]*", label) for label in labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": {"explored": "x.xyz"}}, r"augment.explored: for one system, and these are 3 \(methanol"),
        ({"model": {"prior": "pair"}}, 'model.prior = "pair" is fitted to one system'),
        ({"split": {"train": 2}}, "the split leaves none for train"),
        ({"split": {"train": 90, "validation": 20}}, "there are 100: ask for fewer"),
    ],
)
def test_what_is_not_for_several_systems_is_refused(config, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        train_force_field(config.replace(changes), tmp_path, device="cpu")


def _water_box(n: int) -> FrameSet:
    """Return frames of three waters in a cell, with E = Σ ½ k (d − d₀)² within each, and its forces."""
    rng, rest = np.random.default_rng(5), np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    places = np.array([[2.0, 2, 2], [6, 5, 3], [3, 8, 7]])
    positions = (places[:, None] + rest).reshape(9, 3) + 0.04 * rng.standard_normal((n, 9, 3))
    energies, forces = np.full(n, -3 * 137.0), np.zeros((n, 9, 3))
    for first in (0, 3, 6):
        for a, b, k in ((0, 1, 45.0), (0, 2, 45.0), (1, 2, 8.0)):
            vectors = positions[:, first + b] - positions[:, first + a]
            d = np.linalg.norm(vectors, axis=1)
            stretch = d - np.linalg.norm(rest[b] - rest[a])
            energies += 0.5 * k * stretch**2
            pull = (k * stretch / d)[:, None] * vectors
            forces[:, first + a] += pull
            forces[:, first + b] -= pull
    numbers, cells = np.tile([8, 1, 1], 3), np.tile(10.0 * np.eye(3), (n, 1, 1))
    return FrameSet(numbers, positions, energies, forces, cells, (True, True, True), temperature_K=300.0)


def _atoms(frames: FrameSet) -> Atoms:
    cell = None if frames.cells is None else frames.cells[0]
    return Atoms(frames.atomic_numbers, frames.positions[0], cell=cell, pbc=frames.pbc)


def _shortest(frames: FrameSet, a: int, b: int) -> float:
    first, second = (np.flatnonzero(frames.atomic_numbers == number) for number in (a, b))
    vectors = frames.positions[:, first][:, :, None] - frames.positions[:, second][:, None]
    return float(np.linalg.norm(vectors, axis=-1).min())


def test_if_no_system_can_be_augmented_the_training_does_not_go_on_raw(config, monkeypatch):
    def refused(*_):
        raise DataError("no temperature")

    monkeypatch.setattr("mdaug.workflows.training.preparation.PooledSprings.of", refused)
    given = config.replace({"augment": {"enabled": True}})
    reasons = "methanol: no temperature; water_box: no temperature; ethanol: no temperature"
    with pytest.raises(DataError, match=rf"no system can be augmented \({reasons}\); --no-augment"):
        prepare_systems(given, TrainingCallbacks())


def test_files_of_held_out_frames_are_read_whole(methanol, files, tmp_path):
    """Neither thinned nor freed of outliers, which are only named."""
    forces = methanol.forces[70:90].copy()
    forces[3] *= 8.0
    test = replace(methanol.select(slice(70, 90)), forces=forces)
    write_extxyz(test, tmp_path / "test.xyz")
    data = {"source": files[0], "test": str(tmp_path / "test.xyz"), "every": 2, "drop_outliers": True}
    with pytest.warns(UserWarning, match="frame") as warned:
        (system,) = load_training_data(load_config(changes={"data": data}))
    assert len(system.split.test) == 20
    assert len(system.frames) == 20 + 20
    assert not any("left out" in str(warning.message) for warning in warned)


def test_weights_of_sources_hold_for_augmented_frames(config, files):
    sources = [{"source": files[0], "weight": 2.5}, {"source": files[2]}]
    augment = {"enabled": True, "rule": "gradient", "n_frames": 5, "n_displaced": 1, "n_stretched": 0}
    split = {"train": 40, "validation": 10, "test": 10}
    given = config.replace({"data": {"sources": sources}, "augment": augment, "split": split})
    methanol, ethanol = prepare_systems(given, TrainingCallbacks())
    assert set(methanol.augmented.weights.tolist()) == {2.5 * given.augment.weight}
    assert set(ethanol.augmented.weights.tolist()) == {given.augment.weight}


def test_a_source_beside_several_is_refused():
    for name in ("ethanol", "mine.xyz"):
        with pytest.raises(SettingsError, match=r"beside tables \[\[data.sources\]\]: give one of the two"):
            load_config(changes={"data": {"source": name, "sources": [{"source": "a.xyz"}]}})


def test_one_molecule_with_two_charges_is_refused(methanol, tmp_path):
    sources = []
    for name, charge in (("neutral", 0.0), ("cation", 2.0)):
        write_extxyz(replace(methanol.select(slice(0, 40)), charge=charge), tmp_path / f"{name}.xyz")
        sources.append({"source": str(tmp_path / f"{name}.xyz")})
    split = {"train": 40, "validation": 10, "test": 10}
    config = load_config(changes=SMALL | {"data": {"sources": sources}, "split": split})
    message = r"cation\.xyz has charge 2, neutral\.xyz 0, with the same atoms and bonds"
    with pytest.warns(UserWarning, match="are also in"), pytest.raises(DataError, match=message):
        prepare_systems(config, TrainingCallbacks())
