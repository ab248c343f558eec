"""Frames unlike the training frames are labeled by any calculator; those on which it fails are left out."""

import json

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.emt import EMT

from mdaug.calculators.predictions import predict_extrapolation
from mdaug.cli import app
from mdaug.data import load_frames
from mdaug.deployment import export_model
from mdaug.frames import FrameSet
from mdaug.quantum.point_store import PointStore
from mdaug.quantum.stored_labels import stored_labels
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.sets import TrainingCallbacks

pytestmark = pytest.mark.slow

STRETCHES = (1.0, 1.02, 1.35, 1.4, 1.5, 1.6)


class FailsWhereStretched(EMT):
    """EMT that does not converge for bonds between 1.45 and 1.55 times their length."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        if 1.45 < atoms.get_distance(0, 1) / 0.96 < 1.55:
            raise CalculationFailed("no convergence")
        super().calculate(atoms, list(properties), list(system_changes))


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The folder of a training, and frames with a bond more and more stretched."""
    folder = tmp_path_factory.mktemp("labels")
    train_force_field(tiny.replace({"augment": {"enabled": False}}), folder / "model")
    images = []
    for factor in STRETCHES:
        atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        atoms.set_distance(0, 1, factor * 0.96, fix=0)
        images.append(atoms)
    ase.io.write(folder / "visited.xyz", images, format="xyz")
    return folder


def explore(trained, *more):
    fixed = ["--model", str(trained / "model"), "--out", "found", "--overwrite"]
    return app.main(["explore", str(trained / "visited.xyz"), *fixed, *more])


def test_unlike_frames_are_labeled_and_failures_recorded(trained, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    label = ["--label", "tests.workflows.test_explore_labels:FailsWhereStretched"]
    assert explore(trained, *label, "--above", "1.0", "--max-energy", "1e6") == 0
    record = json.loads((tmp_path / "found" / "explore.json").read_text())
    assert (record["n_visited"], record["n_above"], record["n_kept"]) == (6, 4, 3)
    (failure,) = record["failed"]
    assert failure["frame"] == 4
    assert failure["trajectory"].endswith("visited.xyz")
    assert failure["extrapolation"] > 1.0
    assert failure["reason"] == "CalculationFailed: no convergence"
    assert "failed on 1 frames (CalculationFailed: no convergence)" in capsys.readouterr().out
    frames = load_frames("found/explored.xyz", temperature_K=300.0)
    stretched = np.linalg.norm(frames.positions[:, 0] - frames.positions[:, 1], axis=1) / 0.96
    np.testing.assert_allclose(stretched, [1.35, 1.4, 1.6], atol=1e-4)
    for n in range(3):
        atoms = Atoms("OH2", frames.positions[n], calculator=EMT())
        assert frames.energies[n] == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(frames.forces[n], atoms.get_forces(), atol=1e-5)
    changes = {"augment": {"explored": str(tmp_path / "found" / "explored.xyz"), "enabled": False}}
    (sets,) = prepare_systems(tiny.replace(changes), TrainingCallbacks())
    np.testing.assert_allclose(sets.all_training.positions[-3:], frames.positions)  # though not augmented
    np.testing.assert_allclose(sets.all_training.weights[-3:], 1.0)


class IsStopped(FailsWhereStretched):
    """The same, but stopped by Ctrl-C before its third evaluation; counts what it evaluates."""

    calls = 0
    stops = True

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        type(self).calls += 1
        if self.stops and self.calls > 3:  # the first one is the lowest training frame
            raise KeyboardInterrupt
        super().calculate(atoms, list(properties), list(system_changes))


def test_an_interrupted_labeling_continues(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IsStopped, "calls", 0)
    monkeypatch.setattr(IsStopped, "stops", True)
    name = "tests.workflows.test_explore_labels:IsStopped"
    command = ["explore", str(trained / "visited.xyz"), "--model", str(trained / "model"), "--out", "found"]
    command += ["--above", "1.0", "--max-energy", "1e6", "--label", name]
    assert app.main(command) != 0
    assert "the same command with --out found continues" in capsys.readouterr().err
    store = tmp_path / "found" / "labels.jsonl"
    assert len(store.read_text().splitlines()) == 2
    assert not (tmp_path / "found" / "explored.xyz").exists()
    with store.open("a") as file:
        file.write('{"key": "of a write that was ki')
    monkeypatch.setattr(IsStopped, "calls", 0)
    monkeypatch.setattr(IsStopped, "stops", False)
    assert app.main(command) == 0
    assert IsStopped.calls == 3  # the lowest training frame and two of the four that were picked
    lines = [json.loads(line) for line in store.read_text().splitlines()]
    assert [line["frame"] for line in lines] == [2, 3, 4, 5]
    assert lines[2]["failure"] == "CalculationFailed: no convergence"
    assert lines[3]["energy_eV"] == pytest.approx(load_frames("found/explored.xyz").energies[2], abs=1e-6)


def test_labels_of_other_settings_are_not_taken(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IsStopped, "stops", False)
    frames = FrameSet(np.array([8, 1, 1]), 0.9 * np.eye(3)[None], np.zeros(1), np.zeros((1, 3, 3)))
    store, energies = PointStore(tmp_path / "labels.jsonl"), []
    for level in ("one", "another", "one"):
        monkeypatch.setattr(IsStopped, "calls", 0)
        nothing = {"progress": lambda *_: None}
        labels = stored_labels(IsStopped(), level, frames, [{"frame": 0}], store, **nothing)
        energies.append(labels.energies[0])
        assert IsStopped.calls == (1 if len(energies) < 3 else 0)
    assert energies[0] == energies[1] == energies[2]


def test_high_energies_are_left_out_and_counted(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert explore(trained, "--label", "ase.calculators.emt:EMT", "--above", "1", "--max-energy", "1e-3") == 0
    record = json.loads((tmp_path / "found" / "explore.json").read_text())
    assert (record["n_above"], record["n_kept"], record["n_too_high"]) == (4, 0, 4)
    assert "4 are left out" in capsys.readouterr().out
    assert not (tmp_path / "found" / "explored.xyz").exists()


def test_another_level_of_theory_is_refused(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert explore(trained, "--label", "ase.calculators.lj:LennardJones") == 1
    assert "differs from the label by" in capsys.readouterr().err


def test_options_of_labels_need_a_calculator(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert explore(trained, "--above", "2") != 0
    assert "--above" in capsys.readouterr().err


def test_a_model_without_statistics_is_refused(make_model, tmp_path):
    path = export_model(make_model(), tmp_path / "m.pt", training={})
    frames = FrameSet(np.array([8, 1, 1]), np.eye(3)[None], np.zeros(1), np.zeros((1, 3, 3)))
    with pytest.raises(Exception, match="no statistics of its training frames"):
        predict_extrapolation(path, frames)
