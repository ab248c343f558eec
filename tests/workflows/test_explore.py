"""What a model's own runs visited is found in their folders, labeled, and trained on next time."""

import ase.io
import numpy as np
import pytest

from mdaug.analysis.trajectory import open_trajectory
from mdaug.augmentation.explored import ExploreOptions
from mdaug.cli import app
from mdaug.data import load_frames, write_extxyz
from mdaug.errors import DataError
from mdaug.workflows.explore import explore_trajectories
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.sets import TrainingCallbacks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The folder of a model that has learnt next to nothing, and a file of frames with a stretched bond."""
    folder = tmp_path_factory.mktemp("explore")
    train_force_field(tiny, folder / "model")
    frames = load_frames(tiny.data.source, temperature_K=300.0)
    images = [ase.Atoms(frames.atomic_numbers, positions) for positions in frames.positions[:10]]
    for atoms in images:
        atoms.set_distance(0, 1, 1.3 * atoms.get_distance(0, 1), fix=0)
    ase.io.write(folder / "visited.xyz", images, format="xyz")
    return folder


@pytest.fixture
def in_a_well(monkeypatch):
    """Let the model have wells everywhere."""

    def predict(path, frames, progress):
        return np.full(len(frames), -1e3), np.zeros_like(frames.positions)

    monkeypatch.setattr("mdaug.workflows.explore.predict", predict)


@pytest.mark.usefixtures("in_a_well")
def test_wells_of_a_models_runs_are_trained_on_next(trained, tiny, tmp_path):
    exploration = explore_trajectories(
        [trained / "visited.xyz"], trained / "model", ExploreOptions(), tmp_path
    )
    found = exploration.frames
    assert exploration.n_visited == len(found) == 10
    images = ase.io.read(trained / "visited.xyz", ":")
    np.testing.assert_allclose(found.positions, [atoms.positions for atoms in images], atol=1e-5)
    write_extxyz(found, trained / "explored.xyz")
    (sets,) = prepare_systems(
        tiny.replace({"augment": {"explored": str(trained / "explored.xyz")}}), TrainingCallbacks()
    )
    (plain,) = prepare_systems(tiny, TrainingCallbacks())
    np.testing.assert_allclose(
        sets.all_training.positions[: len(plain.all_training)], plain.all_training.positions
    )
    np.testing.assert_allclose(
        sets.all_training.positions[len(plain.all_training) :], found.positions, atol=1e-6
    )
    np.testing.assert_allclose(sets.all_training.weights[len(plain.all_training) :], 0.004)


def test_runs_of_other_atoms_are_refused(trained, tiny, tmp_path):
    ase.io.write(tmp_path / "other.xyz", [ase.Atoms("HF", [[0, 0, 0], [0, 0, 0.92]])] * 2, format="xyz")
    with pytest.raises(DataError, match=r"other\.xyz: 2 atoms, the model was trained on 3"):
        explore_trajectories([tmp_path / "other.xyz"], trained / "model", ExploreOptions(), tmp_path / "out")
    frames = load_frames("ethanol", every=200)
    write_extxyz(frames, tmp_path / "ethanol.xyz")
    with pytest.raises(DataError, match="other atoms than those of"):
        prepare_systems(
            tiny.replace({"augment": {"explored": str(tmp_path / "ethanol.xyz")}}), TrainingCallbacks()
        )


def test_all_replicas_of_a_run_are_looked_at(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = [
        "--steps",
        "40",
        "--frames-every",
        "10",
        "--equilibration",
        "0",
        "--replicas",
        "2",
        "--no-guard",
        "--out",
        "md",
    ]
    assert app.main(["nve", str(trained / "model"), *how]) == 0
    n_frames = [len(open_trajectory(folder).trajectory) for folder in sorted(tmp_path.glob("md/replica-*"))]
    exploration = explore_trajectories([tmp_path / "md"], trained / "model", ExploreOptions(), tmp_path)
    assert exploration.n_visited == sum(n_frames) > n_frames[0] > 3


@pytest.mark.usefixtures("in_a_well")
def test_the_command(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs = [str(trained / "visited.xyz")]
    model = ["--model", str(trained / "model"), "--out", "found"]
    assert app.main(["explore", *runs, *model]) == 0
    assert len(load_frames("found/explored.xyz", temperature_K=300.0)) == 10
    assert app.main(["explore", *runs, *model, "--gap", "1e6", "--overwrite"]) == 0
    assert "none of 10 frames lies in a spurious minimum" in capsys.readouterr().err
    assert app.main(["explore", *model, "--overwrite"]) == 1
    assert "no trajectory; name folders" in capsys.readouterr().err
