"""Δ-learning: frames labeled by a low-level method and a network of its errors."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.options import ExploreOptions
from mdaug.calculators.predictions import predict_extrapolation
from mdaug.data import load_frames, write_extxyz
from mdaug.data.load import read_frames
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames, charged_calculator
from mdaug.units import EV_PER_KCAL_MOL, KCAL_MOL_PER_EV
from mdaug.workflows.export import export_run
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training import delta_choice
from mdaug.workflows.training.baseline import BaselineChoice
from mdaug.workflows.training.hot_runs import Search
from mdaug.workflows.training.low_level import LowLevel
from mdaug.workflows.training.network import n_steps_with_delta
from mdaug.workflows.training.sets import TrainingCallbacks

pytest.importorskip("tblite")
pytestmark = pytest.mark.slow

NETWORK = {"n_atom_basis": 8, "n_filters": 8, "n_interactions": 1, "n_gaussians": 8, "n_knots": 16}
N_FRAMES = 40
DATA = Path(__file__).parents[2] / "data"


def no_progress(*_: object) -> None:
    """Ignore the progress."""


@pytest.fixture(scope="module")
def frames() -> FrameSet:
    return load_frames("ethanol", every=8)


@pytest.fixture(scope="module")
def settings():
    return load_config(
        changes={
            "data": {"source": "ethanol", "every": 8},
            "split": {"train": 100, "validation": 15, "test": 10},
            "augment": {"n_frames": 20, "n_stretched": 20, "n_impulses": 0, "compare": False},
            "model": NETWORK | {"baseline": "force-field"},
            "training": {"epochs": 30},
            "hardening": {"rounds": 0},
            "delta": {"method": "GFN1-xTB", "n_frames": N_FRAMES},
        }
    )


@pytest.fixture(scope="module")
def trained(settings, tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("delta") / "run", []
    train_force_field(settings, folder, callbacks=TrainingCallbacks(stage=lines.append))
    return folder, lines


def mean_force(forces):
    return np.abs(forces).mean()


def test_method_less_its_field_is_what_both_levels_leave(frames, tmp_path):
    """The remainder is that of the method itself, and its forces are the slopes of its energies."""
    low_level = LowLevel.fitted("GFN2-xTB", frames, 5.0, tmp_path / "labels.jsonl", no_progress)
    residual, kept = low_level.residual(frames, no_progress)
    energies, forces = calculate_frames(charged_calculator("GFN2-xTB", 0, 1), frames)
    field_energies, field_forces = low_level.field.evaluate(frames.positions)
    assert len(kept) == len(frames)
    np.testing.assert_allclose(residual.forces, forces - field_forces, atol=1e-4)
    np.testing.assert_allclose(np.diff(residual.energies), np.diff(energies - field_energies), atol=1e-5)
    assert abs(residual.energies.mean()) < 1e-9
    assert mean_force(residual.forces) < 0.1 * mean_force(forces)
    along = np.random.default_rng(0).normal(size=frames.positions[:1].shape)
    ends = [
        low_level.residual(
            replace(frames.select(slice(0, 1)), positions=frames.positions[:1] + step * along), no_progress
        )
        for step in (-1e-3, 1e-3)
    ]
    slope = (ends[1][0].energies[0] - ends[0][0].energies[0]) / 2e-3
    assert slope == pytest.approx(-np.sum(residual.forces[0] * along[0]), rel=2e-2, abs=2e-3)


def test_labels_of_more_frames_are_method_and_network(trained, frames):
    """Labels are nearer to the method's forces, less those of its field, than the baseline alone is."""
    folder, _ = trained
    made = load_frames(folder / "delta/frames.xyz", units="eV")
    assert len(made) == N_FRAMES
    np.testing.assert_allclose(made.weights, 1.0)
    entry = json.loads((folder / "results.json").read_text())["delta"]
    assert entry["used"] and entry["method"] == "GFN1-xTB" and entry["n_frames"] == N_FRAMES
    assert entry["force_mae_difference_kcal_mol_A"] < 0.8 * entry["force_mae_field_kcal_mol_A"]
    assert entry["force_mae_network_kcal_mol_A"] < 1.1 * entry["force_mae_difference_kcal_mol_A"]
    lowest = np.linalg.norm(made.positions[:, None] - frames.positions[None], axis=-1).max(-1).min(1)
    assert lowest.min() > 0.01  # none is a frame of the data
    energies, forces = calculate_frames(charged_calculator("GFN2-xTB", 0, 1), made)  # the reference method
    errors = mean_force(made.forces - forces) * KCAL_MOL_PER_EV
    assert errors < 1.5 * entry["force_mae_network_kcal_mol_A"]
    off = made.energies - energies
    assert np.abs(off - off.mean()).max() < 0.1


def test_training_has_the_steps_of_one_without_and_half_more(settings, trained):
    folder, lines = trained
    training = json.loads((folder / "results.json").read_text())["training"]
    assert (training["n_augmented_frames"], training["n_delta_frames"]) == (40, N_FRAMES)
    assert training["epochs"] == round(1.5 * 30 * 7 / 9)  # steps an epoch without and with them
    assert any("GFN1-xTB lowers what the network has to learn from" in line for line in lines)
    assert "Δ-learning" in (folder / "report.html").read_text()


def test_an_exported_model_has_the_same_training_frames_behind_its_extrapolation(trained, tmp_path):
    folder, _ = trained
    assert len(load_frames(folder / "augmented.xyz", units="eV")) == 40
    ours, theirs = (
        read_manifest(path) for path in (export_run(folder, tmp_path / "a.pt"), folder / "model.pt")
    )
    assert ours["extrapolation"] == theirs["extrapolation"] == {"n_frames": 100 + 40 + N_FRAMES}
    assert ours["training"] == theirs["training"]
    frames = load_frames(folder / "delta/frames.xyz", units="eV").select(slice(0, 5))
    values = [predict_extrapolation(path, frames) for path in (tmp_path / "a.pt", folder / "model.pt")]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4)


@pytest.mark.parametrize(
    ("n_systems", "epochs", "steps"),
    [(1, None, 24_000), (3, None, 72_000), (5, None, 80_000), (5, 1000, 202_500)],
)
def test_number_of_steps_has_a_limit_unless_epochs_are_set(frames, n_systems, epochs, steps):
    systems = systems_of(frames, baseline=BaselineChoice(True, "")) * n_systems
    config = load_config(changes={"training": {} if epochs is None else {"epochs": epochs}})
    assert n_steps_with_delta(systems, config) == pytest.approx(steps, rel=0.02)


def test_a_resumed_run_computes_nothing_again(settings, trained, monkeypatch):
    folder, _ = trained
    before = (folder / "results.json").read_text()
    monkeypatch.setattr(delta_choice, "LowLevel", None)
    (folder / "results.json").unlink()
    train_force_field(settings, folder, resume=True)
    ours, theirs = json.loads((folder / "results.json").read_text()), json.loads(before)
    assert ours["delta"] == theirs["delta"] and ours["test"] == theirs["test"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"method": "none"}, ""),
        ({"method": "auto"}, ""),  # a short training
        ({"method": "tests.no_such_module:Class"}, "tests.no_such_module"),
    ],
)
def test_without_delta_learning_there_are_no_frames(settings, tmp_path, change, reason):
    changed = settings.replace({"delta": change, "training": {"epochs": 2}})
    if reason:
        with pytest.raises(Exception, match=reason):
            train_force_field(changed, tmp_path / "run")
        return
    train_force_field(changed, tmp_path / "run")
    assert "delta" not in json.loads((tmp_path / "run/results.json").read_text())
    assert not (tmp_path / "run/delta/frames.xyz").exists()


def systems_of(frames, **changes):
    sets = SimpleNamespace(
        augmented="frames",
        baseline=BaselineChoice(True, ""),
        train=frames,
        validation=frames,
        label="ethanol",
        n_without_delta=None,
        n_training=540,
    )
    return [SimpleNamespace(**(vars(sets) | changes))]


def test_without_a_baseline_md_and_labels_are_of_method_and_network(settings, tmp_path, monkeypatch):
    """MD of the network of differences alone would break the molecule."""
    monkeypatch.setattr("mdaug.workflows.training.delta_learning.FRAMES_EVERY_OF_METHOD", 4)
    monkeypatch.setattr("mdaug.workflows.training.delta_learning.LEFT_OUT_FS", 2.0)
    changes = {"augment": {"enabled": False}, "model": {"baseline": "none"}, "training": {"epochs": 150}}
    changes |= {"delta": {"n_frames": 32}}
    train_force_field(settings.replace(changes), tmp_path / "run")
    entry = json.loads((tmp_path / "run/results.json").read_text())["delta"]
    assert entry["n_frames"] == 32 and entry["n_left_out"] == 0
    assert entry["force_mae_network_kcal_mol_A"] < 0.9 * entry["force_mae_difference_kcal_mol_A"]
    assert "Force field from ethanol: Δ-learning" in (tmp_path / "run/report.html").read_text()
    assert json.loads((tmp_path / "run/scan.json").read_text())["label"] == "Δ-learning"
    made = load_frames(tmp_path / "run/delta/frames.xyz", units="eV")
    true = calculate_frames(charged_calculator("GFN2-xTB", 0, 1), made)[1]
    method = calculate_frames(charged_calculator("GFN1-xTB", 0, 1), made)[1]
    assert mean_force(made.forces - true) < 0.9 * mean_force(method - true)


def test_where_all_runs_of_md_end_at_once_the_training_goes_on_without(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("mdaug.workflows.training.delta_learning.LEFT_OUT_FS", 1e4)
    monkeypatch.setattr(
        "mdaug.workflows.training.delta_learning.visited", lambda run: ([], [np.zeros((3, 9, 3))])
    )
    train_force_field(settings.replace({"training": {"epochs": 2}}), tmp_path / "run")
    entry = json.loads((tmp_path / "run/results.json").read_text())["delta"]
    assert not entry["used"] and "ended at once" in entry["reason"]
    assert not (tmp_path / "run/delta/frames.xyz").exists()


@pytest.mark.parametrize(
    ("changes", "auto", "named"),
    [
        ({}, None, None),
        ({"augmented": None}, "not wanted", None),
        ({"baseline": "unused"}, "not wanted", None),
        ({"baseline": "unused", "augmented": None}, None, None),
        ({"baseline": "unused", "augmented": None, "train": "large"}, "at most 25 atoms", None),
        ({"validation": []}, "no validation frames", "no validation frames"),
        ({"train": "periodic"}, "cell", "cell"),
        ({"train": "complex"}, "several molecules", None),
        ({"train": "no temperature"}, "--temperature", "--temperature"),
    ],
)
def test_what_has_no_delta_learning(frames, changes, auto, named):
    if changes.get("baseline"):
        changes = changes | {"baseline": BaselineChoice(False, "")}
    if "train" in changes:
        cells = np.tile(9.0 * np.eye(3), (len(frames), 1, 1))
        kinds = {
            "periodic": replace(frames, cells=cells, pbc=(True,) * 3),
            "no temperature": replace(frames, temperature_K=None),
            "large": SimpleNamespace(n_atoms=26, periodic=False, temperature_K=500.0),
            "complex": twice(frames),
        }
        changes = changes | {"train": kinds[changes["train"]]}
    systems = systems_of(frames, **changes)
    for method, expected in (("auto", auto), ("GFN2-xTB", named)):
        config = load_config(changes={"delta": {"method": method}})
        assert delta_choice._is_wanted(systems[0], systems, config) is (expected != "not wanted")
        if expected != "not wanted":
            reason = delta_choice._why_not(systems[0], config)
            assert reason is expected or expected in reason


def twice(frames):
    """Return frames of two molecules, 8 Å apart."""
    return FrameSet(
        np.tile(frames.atomic_numbers, 2),
        np.concatenate([frames.positions, np.add(frames.positions, (0.0, 0.0, 8.0))], axis=1),
        2 * frames.energies,
        np.concatenate([frames.forces, frames.forces], axis=1),
        temperature_K=frames.temperature_K,
    )


def test_without_tblite_auto_says_how_to_install_it(frames, monkeypatch):
    monkeypatch.setattr(delta_choice.importlib.util, "find_spec", lambda name: None)
    systems = systems_of(frames)
    assert "mdaug[xtb]" in delta_choice._why_not(systems[0], load_config())


@pytest.mark.parametrize(("share", "used"), [(0.8, True), (0.01, False)])
def test_auto_takes_a_method_that_is_not_that_of_the_frames_if_it_helps(
    settings, tmp_path, monkeypatch, share, used
):
    """The frames are of GFN2-xTB, so auto takes GFN1-xTB."""
    monkeypatch.setattr(delta_choice, "LARGEST_SHARE", share)
    monkeypatch.setattr(delta_choice, "LEAST_STEPS", 1)
    changed = settings.replace({"delta": {"method": "auto"}, "training": {"epochs": 2}})
    train_force_field(changed, tmp_path / "run")
    entry = json.loads((tmp_path / "run/results.json").read_text())["delta"]
    assert entry["used"] is used and entry["method"] == "GFN1-xTB"
    assert entry["reason"].endswith("which is too little") is not used
    assert (tmp_path / "run/delta/frames.xyz").exists() is used


def test_a_method_that_fails_is_refused_with_the_reason(frames, tmp_path, monkeypatch):
    def fails(self, *_args, **_kwargs):
        raise RuntimeError("no convergence")

    monkeypatch.setattr("tblite.ase.TBLite.calculate", fails)
    with pytest.raises(
        DataError, match=r"GFN2-xTB fails on 125 of 125 frames \(RuntimeError: no convergence\)"
    ):
        LowLevel.fitted("GFN2-xTB", frames, 5.0, tmp_path / "labels.jsonl", no_progress)


def test_frames_far_above_the_data_are_left_out(trained, settings, monkeypatch, tmp_path):
    """HIGHEST = 0: all frames above the lowest one of the data."""
    folder, _ = trained
    made = load_frames(folder / "delta/frames.xyz", units="eV")
    data = load_frames("ethanol", every=8)
    spread = data.energies.max() - data.energies.min()
    assert (made.energies - data.energies.min()).max() <= 3 * 1.2 * spread


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_molecule_of_several_systems_has_its_own_method_and_frames(settings, tmp_path):
    """The network of differences is one for both."""
    for name, data, every in (("methanol", DATA / "methanol.npz", 3), ("ethanol", "ethanol", 10)):
        frames = replace(load_frames(data, every=every), level_of_theory=None)
        write_extxyz(frames, tmp_path / f"{name}.xyz")
    sources = [{"source": str(tmp_path / f"{name}.xyz")} for name in ("methanol", "ethanol")]
    changes = {
        "data": {"sources": sources, "every": 1},
        "split": {"train": 0.8, "validation": 0.1, "test": 0.1},
        "training": {"epochs": 8},
    }
    train_force_field(settings.replace(changes), tmp_path / "run")
    entries = json.loads((tmp_path / "run/results.json").read_text())["delta"]
    for label, n_atoms in (("methanol", 6), ("ethanol", 9)):
        made = load_frames(tmp_path / f"run/systems/{label}/delta/frames.xyz", units="eV")
        assert made.n_atoms == n_atoms and len(made) == N_FRAMES == entries[label]["n_frames"]
        own = load_frames(tmp_path / f"{label}.xyz")
        assert abs(made.energies.mean() - own.energies.mean()) < 0.5  # each at its own level
    assert (tmp_path / "run/delta/model.pt").exists()
    assert "methanol: Δ-learning: GFN1-xTB" in (tmp_path / "run/report.html").read_text()


def test_spurious_minima_are_judged_by_the_better_labels(frames, monkeypatch):
    """Of nine frames the labels confirm three, deny three, and fail on three, which stay as they are."""
    found = frames.select(slice(0, 9))
    gaps = np.array([5.0, 5.0, 5.0, 1.0, 1.0, 1.0, np.nan, np.nan, np.nan]) * EV_PER_KCAL_MOL
    kept = np.flatnonzero(np.isfinite(gaps))

    def relabel(given):
        better = given.select(kept)
        return replace(better, energies=better.energies + gaps[kept], forces=2 * better.forces), kept

    monkeypatch.setattr(
        "mdaug.workflows.training.hot_runs.predict", lambda model, given: (found.energies[: len(given)], None)
    )
    search = Search(None, found, found, None, print, relabel=relabel)
    judged = search._judged_again(Path("model.pt"), found, ExploreOptions(gap=3.0, weight=0.5))
    assert len(judged) == 6
    np.testing.assert_allclose(judged.energies[:3], (found.energies + gaps)[:3])
    np.testing.assert_allclose(judged.forces, np.concatenate([2 * found.forces[:3], found.forces[6:]]))
    alone = Search(None, found, found, None, print)
    assert alone._judged_again(Path("model.pt"), found, ExploreOptions()) is found


def test_hardening_trains_on_what_the_better_labels_confirm(settings, trained, tmp_path):
    """The frames that are found have the forces of the reference method, not those of the field."""
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    hardening = {"rounds": 1, "temperatures": [1.5], "runs": 2, "length": 0.1, "gap": 0.01, "epochs": 1}
    train_force_field(settings.replace({"hardening": hardening}), folder, resume=True)
    (only,) = json.loads((folder / "results.json").read_text())["hardening"]["rounds"]
    found = read_frames(folder / "hardening/round-1/explored.xyz", units="eV").frames
    assert only["n_trained_on"] == len(found) > 0
    forces = calculate_frames(charged_calculator("GFN2-xTB", 0, 1), found)[1]
    data = load_frames("ethanol", every=8)
    field = match_forces(
        data.select(np.array(json.loads((folder / "split.json").read_text())["train"])), cutoff=5.0
    )
    assert mean_force(found.forces - forces) < 0.7 * mean_force(field.evaluate(found.positions)[1] - forces)
