"""Hardening: spurious minima that hot MD visits are labeled and trained on, resumed, recorded."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.baseline import NO_BASELINE
from mdaug.workflows.training.hardening import _relabel, n_rounds, plan_of_hardening
from mdaug.workflows.training.hot_runs import Search
from mdaug.workflows.training.sets import TrainingCallbacks

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data"
NETWORK = {"n_atom_basis": 8, "n_filters": 8, "n_interactions": 1, "n_gaussians": 8, "n_knots": 16}


class Frames(SimpleNamespace):
    """Stands for 500 frames."""

    def __len__(self):
        return 500


@pytest.fixture(scope="module")
def settings():
    """A raw model that has learnt next to nothing, so that its MD leaves the frames at once."""
    return load_config(
        changes={
            "data": {"source": "ethanol", "every": 8},
            "split": {"train": 100, "validation": 15, "test": 10},
            "augment": {"enabled": False},
            "model": NETWORK | {"baseline": "none"},
            "training": {"epochs": 5},
            "hardening": {"rounds": 2, "temperatures": [1.5, 3.0], "runs": 2, "length": 0.05, "n_kept": 20},
        }
    )


@pytest.fixture(scope="module")
def hardened(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hardened") / "run"
    train_force_field(settings, folder)
    return folder


def test_visited_minima_are_labeled_and_trained_on(hardened):
    results = json.loads((hardened / "results.json").read_text())["hardening"]
    first = results["rounds"][0]
    assert first["n_trained_on"] > 0
    assert [run["temperature_K"] for run in first["runs"]] == pytest.approx([749, 1498], abs=20)
    explored = load_frames(hardened / "hardening/round-1/explored.xyz", units="eV")
    assert len(explored) == first["n_trained_on"] <= 20
    np.testing.assert_allclose(explored.weights, 0.004)
    assert "Hardening" in (hardened / "report.html").read_text()


def test_a_round_starts_from_the_weights_before(settings, hardened, tmp_path):
    frozen = settings.replace({"hardening": {"rounds": 0}})
    train_force_field(frozen, tmp_path / "plain")
    history = (hardened / "hardening/round-1/history.csv").read_text().splitlines()
    last = (tmp_path / "plain/history.csv").read_text().splitlines()[-1].split(",")
    first = history[1].split(",")
    assert float(first[-1]) == pytest.approx(float(last[-1]), rel=0.2)
    untrained = (tmp_path / "plain/history.csv").read_text().splitlines()[1].split(",")
    assert abs(float(first[-1]) - float(last[-1])) < 0.5 * abs(float(untrained[-1]) - float(last[-1]))


def test_a_resumed_hardening_gives_the_same_model(settings, hardened, tmp_path):
    """Killed in the second round: what is there is not computed again, the rest is the same."""
    folder = tmp_path / "run"
    train_force_field(settings.replace({"hardening": {"rounds": 1}}), folder)
    train_force_field(settings, folder, resume=True)
    ours, theirs = (json.loads((path / "results.json").read_text()) for path in (folder, hardened))
    assert ours["hardening"] == theirs["hardening"] and ours["test"] == theirs["test"]


def test_a_round_that_makes_the_errors_much_larger_is_not_used(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("mdaug.workflows.training.hardening.WORSE", 0.0)
    train_force_field(settings, tmp_path / "run")
    results = json.loads((tmp_path / "run/results.json").read_text())["hardening"]
    assert [each["kept"] for each in results["rounds"]] == [False]
    assert results["reason"].startswith("round 1 raised the validation force MAE from ")
    assert results["reason"].endswith(
        "the model before it is kept, with the spurious minima that the round found"
    )
    plain = settings.replace({"hardening": {"rounds": 0}})
    train_force_field(plain, tmp_path / "plain")
    ours, theirs = (read_manifest(tmp_path / name / "model.pt") for name in ("run", "plain"))
    assert ours["weights_sha256"] == theirs["weights_sha256"]


def test_frames_without_a_sound_field_are_not_hardened(settings, tmp_path, monkeypatch):
    def unsound(frames, cutoff):
        raise DataError(f"{frames.name}: held-out forces are wrong")

    monkeypatch.setattr("mdaug.workflows.training.hardening.sound_field", unsound)
    train_force_field(settings, tmp_path / "run")
    results = json.loads((tmp_path / "run/results.json").read_text())["hardening"]
    assert results == {"rounds": [], "reason": "no hardening: ethanol: held-out forces are wrong"}


def test_labels_of_delta_learning_judge_frames_of_one_molecule_only():
    """Between two molecules the network of differences is arbitrary, and confirmed the spurious minima."""
    one = load_frames("ethanol").select(slice(0, 4))
    apart = one.positions + np.array([0.0, 0.0, 8.0])
    two = FrameSet(
        np.tile(one.atomic_numbers, 2),
        np.concatenate([one.positions, apart], axis=1),
        2 * one.energies,
        np.concatenate([one.forces, one.forces], axis=1),
        temperature_K=500.0,
    )
    relabels = [
        _relabel(SimpleNamespace(delta=frames, train=frames), (), load_config(), Path())
        for frames in (one, two)
    ]
    assert relabels[0] is not None
    assert relabels[1] is None


def test_runs_that_end_early_are_mentioned_where_nothing_is_found(settings, tmp_path):
    changes = {"rounds": 1, "temperatures": [3.0], "gap": 1e6, "length": 0.2}
    train_force_field(settings.replace({"hardening": changes}), tmp_path / "run")
    results = json.loads((tmp_path / "run/results.json").read_text())["hardening"]
    assert "found no spurious minimum, although 2 of 2 runs ended early (" in results["reason"]
    assert results["rounds"][0]["n_trained_on"] == 0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 2),
        ({"n_epochs": 296}, 0),
        ({"augmented": None}, 0),
        ({"field": None}, 0),
        ({"periodic": True}, 0),
        ({"n_systems": 2, "n_epochs": 149}, 2),  # 8046 steps
        ({"n_systems": 2, "n_epochs": 148}, 0),
        ({"set": 0}, 0),
        ({"set": 1, "n_epochs": 3, "augmented": None}, 1),
    ],
)
def test_long_trainings_of_augmented_molecules_have_two_rounds(changed, expected):
    case = {"n_epochs": 297, "augmented": "frames", "field": "M", "periodic": False, "n_systems": 1} | changed
    sets = SimpleNamespace(
        n_training=540,
        augmented=case["augmented"],
        augmentation=SimpleNamespace(field=case["field"]),
        train=Frames(periodic=case["periodic"]),
        baseline=NO_BASELINE,
        n_without_delta=None,
    )
    changes = {"hardening": {"rounds": case["set"]}} if "set" in case else {}
    config = load_config(changes=changes | {"training": {"epochs": case["n_epochs"]}})
    assert n_rounds([sets] * case["n_systems"], config) == expected


def test_frames_in_which_atoms_have_changed_places_are_read_again(tmp_path):
    """In a spurious minimum two waters may exchange protons, which in data is an error of the order."""
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    pair = np.concatenate([water, water + np.array([3.0, 0, 0])])
    positions = np.stack([pair] * 8 + [pair[[0, 4, 2, 3, 1, 5]]] * 2)
    positions += 0.01 * np.random.default_rng(0).normal(size=positions.shape)
    numbers, energies, forces = np.array([8, 1, 1] * 2), np.zeros(10), np.zeros_like(positions)
    frames = FrameSet(numbers, positions, energies, forces, temperature_K=150.0)
    write_extxyz(frames, tmp_path / "explored.xyz")
    (tmp_path / "search.json").write_text('{"runs": []}')
    search = Search(None, frames, frames, None, print)
    runs, again = search.run(tmp_path / "model.pt", 1, tmp_path)
    assert runs == ()
    np.testing.assert_allclose(again.positions, positions, atol=1e-7)
    with pytest.raises(DataError, match="another order"):
        load_frames(tmp_path / "explored.xyz", units="eV")


@pytest.fixture(scope="module")
def of_three(settings, tmp_path_factory):
    """Harden a model of two molecules and of a periodic box, and return its folder and the lines."""
    folder, lines = tmp_path_factory.mktemp("three"), []
    for name, data, every in (("methanol", DATA / "methanol.npz", 3), ("ethanol", "ethanol", 10)):
        frames = replace(load_frames(data, every=every), level_of_theory=None)
        write_extxyz(frames, folder / f"{name}.xyz")
    box = replace(load_frames(DATA / "water_box.npz").select(slice(0, 10)), level_of_theory=None)
    write_extxyz(box, folder / "box.xyz")
    sources = [{"source": str(folder / f"{name}.xyz")} for name in ("methanol", "box", "ethanol")]
    sources[0]["weight"] = 2.0
    split = {"train": 0.8, "validation": 0.1, "test": 0.1}
    changed = settings.replace(
        {"data": {"sources": sources, "every": 1}, "split": split, "hardening": {"rounds": 1}}
    )
    train_force_field(changed, folder / "run", callbacks=TrainingCallbacks(stage=lines.append))
    return folder / "run", lines


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_molecules_of_several_systems_are_searched_and_trained_on_together(of_three):
    folder, lines = of_three
    results = json.loads((folder / "results.json").read_text())["hardening"]
    (only,) = results["rounds"]
    assert [run["system"] for run in only["runs"]] == ["methanol"] * 2 + ["ethanol"] * 2
    n_found = 0
    for label, n_atoms, weight in (("methanol", 6, 0.008), ("ethanol", 9, 0.004)):
        explored = load_frames(folder / f"hardening/round-1/systems/{label}/explored.xyz", units="eV")
        assert explored.n_atoms == n_atoms
        np.testing.assert_allclose(explored.weights, weight)
        n_found += len(explored)
    assert n_found == only["n_trained_on"] > 20  # at most 20 of each
    left_out = "box is left out: the frames have a cell, and hardening is for molecules"
    assert f"after the training: hardening of methanol, ethanol ({left_out})" in lines
    report = (folder / "report.html").read_text()
    assert '<th scope="col">system</th>' in report and "Hardening" in report


@pytest.mark.parametrize(
    ("rounds", "n_epochs", "periodic", "expected"),
    [
        (None, 149, (False, False), "after the training: hardening of methanol, ethanol"),
        (None, 148, (False, False), "no hardening: it is for molecules with augmented frames in 8000 steps"),
        (0, 149, (False, False), None),
        (1, 3, (True, True), "no hardening: methanol is left out: the frames have a cell"),
    ],
)
def test_a_line_names_the_systems_before_the_training(rounds, n_epochs, periodic, expected):
    systems = [
        SimpleNamespace(
            label=label,
            n_training=540,
            augmented="frames",
            augmentation=SimpleNamespace(field="M"),
            train=Frames(periodic=has_cell, temperature_K=300.0),
            baseline=NO_BASELINE,
            n_without_delta=None,
        )
        for label, has_cell in zip(("methanol", "ethanol"), periodic, strict=True)
    ]
    changes = {} if rounds is None else {"hardening": {"rounds": rounds}}
    config = load_config(changes=changes | {"training": {"epochs": n_epochs}})
    text = plan_of_hardening(systems, config)
    assert text is expected or text.startswith(expected)


@pytest.mark.parametrize(
    ("rounds", "n_epochs", "has_field", "expected"),
    [
        (None, 150, True, "after the training: hardening of ethanol"),
        (None, 295, True, "after the training"),
        (None, 20, True, "no hardening: it is for molecules with augmented frames in 8000 steps"),
        (None, 20, False, None),  # a raw model
        (0, 20, True, None),
    ],
)
def test_a_line_says_that_one_molecule_has_no_hardening(rounds, n_epochs, has_field, expected):
    ethanol = SimpleNamespace(
        label="ethanol",
        n_training=1080,
        augmented="frames" if has_field else None,
        augmentation=SimpleNamespace(field="M") if has_field else None,
        train=Frames(periodic=False, temperature_K=300.0),
        baseline=NO_BASELINE,
        n_without_delta=None,
    )
    changes = {} if rounds is None else {"hardening": {"rounds": rounds}}
    config = load_config(changes=changes | {"training": {"epochs": n_epochs}})
    text = plan_of_hardening([ethanol], config)
    assert text is expected or text.startswith(expected)
