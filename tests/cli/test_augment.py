"""`mdaug augment` as a user types it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from mdaug.augmentation import AugmentOptions
from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.data.load import read_frames
from mdaug.data.splits import Split
from mdaug.data.trainers import TRAINER_NAMES, trainer_of
from mdaug.files import write_json
from mdaug.springs import Springs
from mdaug.workflows.augment import TRAINER_ERROR_SCALE, TRAINER_WEIGHT, options_for_trainers
from mdaug.workflows.run_folders.run_files import FILES
from mdaug.workflows.run_folders.run_record import read_record
from mdaug.workflows.settings.config import load_config, save_config

METHANOL = Path(__file__).parents[1] / "data" / "methanol.npz"

pytestmark = pytest.mark.slow


def test_every_kind_of_copy_is_told_of(tmp_path, capsys):
    copies = ["--n-frames=2", "--n-stretched=3", "--n-impulses=2", "--springs.bootstrap=0"]
    assert main(["augment", "ethanol", "--every=20", *copies, f"--out={tmp_path}"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(", rule force-matched")[0] for line in told[:3]] == [
        "2 frames with 9 atoms displaced by up to 0.3 Å",
        "3 frames with a bond stretched or compressed",
        "2 frames after an impulse of up to 150 kcal/mol",
    ]
    assert len(load_frames(str(tmp_path / "augmented.xyz"))) == 7


def test_frames_of_explore_belong_to_train_alone(tmp_path, capsys):
    """`mdaug augment` writes augmented frames and trains nothing: the option is unknown there."""
    assert main(["augment", "ethanol", "--every=20", "--explored=missing.xyz", f"--out={tmp_path}"]) == 2
    assert "explored" in capsys.readouterr().err


FEW = ["--every=20", "--n-frames=3", "--n-stretched=3", "--n-impulses=2", "--springs.bootstrap=0"]
SPLIT = ["--split.train=30", "--split.validation=12", "--split.test=8"]


def test_only_training_frames_are_augmented_for_a_trainer(tmp_path, capsys):
    assert main(["augment", "ethanol", "--for=mace", *FEW, *SPLIT, f"--out={tmp_path}"]) == 0
    assert "README.md" in capsys.readouterr().out
    split = Split.read(tmp_path / "split.json")
    frames = load_frames("ethanol", every=20)
    written = {name: read_frames(tmp_path / f"{name}.xyz").frames for name in ("train", "validation", "test")}
    assert [len(written[name]) for name in ("train", "validation", "test")] == [38, 12, 8]
    for name, indices in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        assert written[name].positions[: len(indices)] == pytest.approx(frames.positions[indices], abs=1e-7)
    augmented = load_frames(tmp_path / "augmented.xyz")
    displaced = augmented.positions - augmented.info["displacement"]
    assert displaced == pytest.approx(frames.positions[split.train][augmented.info["parent"]], abs=1e-7)
    assert np.sqrt(augmented.weights) == pytest.approx(_config_weights(tmp_path / "train.xyz"))
    readme = (tmp_path / "README.md").read_text()
    assert "mace_run_train --config mace.yaml" in readme and "30 raw training frames" in readme


def _config_weights(path):
    words = path.read_text().split()
    return [float(word.partition("=")[2]) for word in words if word.startswith("config_weight=")]


@pytest.fixture
def training(tmp_path):
    """Return what the folder of a training with Δ-learning records of its frames: three of them are made."""
    folder, frames = tmp_path / "run", load_frames("ethanol", every=20)
    (folder / "delta").mkdir(parents=True)
    split = Split(np.arange(20, 50), np.arange(12), np.arange(12, 20))
    save_config(load_config(changes={"data": {"source": "ethanol", "every": 20}}), folder / "config.toml")
    write_json(folder / "split.json", split.to_json())
    write_extxyz(load_frames("ethanol").select(np.array([1, 2, 3])), folder / "delta" / "frames.xyz")
    return folder, frames, split


@pytest.mark.parametrize("name", TRAINER_NAMES)
def test_a_training_has_its_split_and_its_frames_of_delta_learning(name, training, tmp_path, capsys):
    folder, frames, split = training
    assert main(["augment", str(folder), f"--for={name}", *FEW[1:], f"--out={tmp_path / 'out'}"]) == 0
    assert "3 frames of Δ-learning" in capsys.readouterr().out
    assert Split.read(tmp_path / "out" / "split.json").to_json() == split.to_json()
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "30 raw training frames" in readme and "3 more frames are of Δ-learning" in readme
    if name in ("mace", "nequip", "gpumd", "extxyz"):
        train = read(tmp_path / "out" / "train.xyz", ":")
        assert len(train) == 30 + 8 + 3
        for atoms, n in ((train[0], split.train[0]), (train[29], split.train[-1])):
            np.testing.assert_allclose(atoms.positions, frames.positions[n], atol=1e-7)
        np.testing.assert_allclose(train[-1].positions, load_frames("ethanol").positions[3], atol=1e-7)
        assert "config_weight" not in train[-1].info  # weight 1, as frames of the data
    if name == "mace":
        assert [atoms.info["config_type"] for atoms in train[-3:]] == 3 * ["delta-learning"]
    if name == "deepmd":
        assert np.load(tmp_path / "out" / "train" / "delta-learning-00" / "set.000" / "energy.npy").shape == (
            3,
        )
    if name == "hippynn":
        assert np.load(tmp_path / "out" / "frames.npz")["split_mask_train"].sum() == 41
    if name == "schnetpack":
        chosen = np.load(tmp_path / "out" / "split.npz")
        assert set(range(38, 41)) < set(chosen["train_idx"]) and set(chosen["val_idx"]) == set(range(41, 53))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "augmented frames are in its augmented.xyz"),
        (["--for=mace", "--temperature=300"], "--temperature: no effect with the folder of a training"),
        (["--for=mace", "--split.train=3"], "--split.train: no effect with the folder of a training"),
    ],
)
def test_a_training_has_its_own_split_and_reading(arguments, message, training, tmp_path, capsys):
    assert main(["augment", str(training[0]), *arguments, f"--out={tmp_path / 'out'}"]) == 2
    assert message in capsys.readouterr().err


def test_frames_of_weight_zero_are_left_out(tmp_path):
    frames = load_frames("ethanol", every=20)
    write_extxyz(replace(frames, weights=np.where(np.arange(50) < 5, 0.0, 1.0)), tmp_path / "frames.xyz")
    arguments = ["augment", str(tmp_path / "frames.xyz"), "--for=gpumd", *FEW[1:], "--split.blocks", *SPLIT]
    assert main([*arguments, f"--out={tmp_path / 'gpumd'}"]) == 0
    assert Split.read(tmp_path / "gpumd" / "split.json").train.tolist() == list(range(5, 30))
    assert len(read_frames(tmp_path / "gpumd" / "train.xyz").frames) == 25 + 8


def test_files_for_a_trainer_belong_to_the_run(tmp_path):
    arguments = ["augment", "ethanol", "--for=deepmd", *FEW, *SPLIT, f"--out={tmp_path}"]
    assert main(arguments) == 0
    record = read_record(tmp_path)
    assert record is not None and "train/raw-00/set.000/coord.npy" in record["files"]
    assert main([*arguments, "--overwrite"]) == 0


def test_files_of_all_trainers_are_known_to_run_folders():
    for name in TRAINER_NAMES:
        assert set(trainer_of(name).files) <= set(FILES["augment"])


def test_other_trainers_get_as_many_augmented_as_raw_frames_with_larger_weights():
    raw = load_frames("ethanol", every=20).select(slice(30))
    defaults = options_for_trainers(AugmentOptions(), raw)
    numbers = defaults.n_frames, defaults.n_stretched, defaults.n_impulses
    assert sum(numbers) == pytest.approx(30, abs=1) and min(numbers) >= 5
    assert (defaults.weight, defaults.error_scale) == (TRAINER_WEIGHT, TRAINER_ERROR_SCALE)
    given = options_for_trainers(AugmentOptions(n_stretched=4, weight=0.02), raw)
    assert (given.n_frames, given.n_stretched, given.n_impulses) == (None, 4, None)
    assert (given.weight, given.error_scale) == (0.02, TRAINER_ERROR_SCALE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for=gaussian"], "mace"),
        (["--split.train=30"], "no effect without --for"),
        (["--for=mace", "--repeats=3"], "--repeats: no effect"),
    ],
)
def test_options_without_effect_are_refused(arguments, message, tmp_path, capsys):
    assert main(["augment", "ethanol", *FEW, *arguments, f"--out={tmp_path}"]) == 2
    assert message in capsys.readouterr().err


def test_a_trainer_needs_validation_frames(tmp_path, capsys):
    arguments = ["--split.train=30", "--split.validation=0", "--split.test=0"]
    assert main(["augment", "ethanol", "--for=nequip", *FEW, *arguments, f"--out={tmp_path}"]) == 1
    assert "leaves none for validation" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def two_systems(tmp_path_factory):
    """Return files of 40 frames of methanol and of ethanol, as if at one temperature and level of theory."""
    folder = tmp_path_factory.mktemp("frames")
    for name, source in (("methanol", METHANOL), ("ethanol", "ethanol")):
        frames = load_frames(source).select(slice(40))
        write_extxyz(replace(frames, level_of_theory=None, temperature_K=500.0), folder / f"{name}.xyz")
    return [str(folder / f"{name}.xyz") for name in ("methanol", "ethanol")]


SEVERAL = ["--n-frames=3", "--n-stretched=2", "--n-impulses=0", "--springs.bootstrap=0"]
SHARES = ["--split.train=0.7", "--split.validation=0.2", "--split.test=0.1"]


def test_several_systems_for_a_trainer(two_systems, tmp_path, capsys):
    assert main(["augment", *two_systems, "--for=extxyz", *SEVERAL, *SHARES, f"--out={tmp_path}"]) == 0
    told = capsys.readouterr().out
    assert "methanol: 5 augmented frames, rule force-matched" in told
    assert "ethanol: 5 augmented frames, rule force-matched" in told
    sizes = [len(atoms) for atoms in read(tmp_path / "train.xyz", ":")]
    assert sizes == [6] * 28 + [9] * 28 + [6] * 5 + [9] * 5
    assert len(read(tmp_path / "validation.xyz", ":")) == 16
    assert len(read(tmp_path / "test.xyz", ":")) == 8
    for frames, label in zip(two_systems, ("methanol", "ethanol"), strict=True):
        own = json.loads((tmp_path / "split.json").read_text())["systems"][label]
        augmented = load_frames(tmp_path / "systems" / label / "augmented.xyz")
        parents = load_frames(frames).positions[own["train"]][augmented.info["parent"]]
        assert augmented.positions - augmented.info["displacement"] == pytest.approx(parents, abs=1e-7)
    files = [tmp_path / "systems" / label / "springs.json" for label in ("methanol", "ethanol")]
    methanol, ethanol = (Springs.read(file).pairs["C-O"].k for file in files)
    assert methanol == pytest.approx(ethanol)  # pooled


def test_a_system_that_cannot_be_augmented_stays_raw(two_systems, tmp_path, capsys):
    frames = load_frames(two_systems[0])
    write_extxyz(replace(frames, temperature_K=None), tmp_path / "methanol.xyz")
    arguments = [str(tmp_path / "methanol.xyz"), two_systems[1], "--for=mace", *SEVERAL, *SHARES]
    assert main(["augment", *arguments, f"--out={tmp_path / 'out'}"]) == 0
    told = capsys.readouterr().out
    assert "methanol: " in told and "temperature" in told and "ethanol: 5 augmented frames" in told
    sizes = [len(atoms) for atoms in read(tmp_path / "out" / "train.xyz", ":")]
    assert sizes == [6] * 28 + [9] * 28 + [9] * 5
    alone = ["augment", str(tmp_path / "methanol.xyz"), "--for=mace", *SEVERAL, *SHARES]
    assert main([*alone, f"--out={tmp_path / 'alone'}"]) == 1


def test_a_training_of_several_systems_for_a_trainer(two_systems, tmp_path):
    run, split = tmp_path / "run", Split(np.arange(20, 40), np.arange(12), np.arange(12, 20))
    (run / "systems" / "ethanol" / "delta").mkdir(parents=True)
    sources = [{"source": file} for file in two_systems]
    save_config(load_config(changes={"data": {"sources": sources}}), run / "config.toml")
    write_json(run / "split.json", {"systems": dict.fromkeys(("methanol", "ethanol"), split.to_json())})
    delta = load_frames("ethanol").select(np.array([1, 2, 3]))
    write_extxyz(delta, run / "systems" / "ethanol" / "delta" / "frames.xyz")
    assert main(["augment", str(run), "--for=mace", *SEVERAL, f"--out={tmp_path / 'out'}"]) == 0
    train = read(tmp_path / "out" / "train.xyz", ":")
    assert [len(atoms) for atoms in train] == [6] * 20 + [9] * 20 + [6] * 5 + [9] * 5 + [9] * 3
    np.testing.assert_allclose(train[-1].positions, delta.positions[2], atol=1e-7)
    assert json.loads((tmp_path / "out" / "split.json").read_text()) == json.loads(
        (run / "split.json").read_text()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "2 sources of frames without --for"),
        (["--for=mace", "--springs-file=springs.json"], "--springs-file: for one system"),
    ],
)
def test_what_is_for_one_system_is_refused_for_several(arguments, message, two_systems, tmp_path, capsys):
    (tmp_path / "springs.json").write_text("{}")
    given = [word.replace("springs.json", str(tmp_path / "springs.json")) for word in arguments]
    assert main(["augment", *two_systems, *given, f"--out={tmp_path / 'out'}"]) == 2
    assert message in capsys.readouterr().err
