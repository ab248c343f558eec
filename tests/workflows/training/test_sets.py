"""What the frames of a training are called, and how many they are."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mdaug.data import Split, load_frames, write_extxyz
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.training.baseline import BaselineChoice
from mdaug.workflows.training.delta_learning import with_delta_frames
from mdaug.workflows.training.network import n_steps
from mdaug.workflows.training.sets import Sets, kind_of_model
from mdaug.workflows.training.summary import frame_energies_kcal_mol


@pytest.fixture(scope="module")
def frames() -> FrameSet:
    return load_frames("ethanol", every=100)


def sets_of(frames: FrameSet, **others: Any) -> Sets:
    none = np.empty(0, dtype=np.int64)
    split = Split(np.arange(len(frames)), none, none)
    return Sets(split, frames, frames, frames, **others)


@pytest.mark.parametrize(
    ("added", "kind"),
    [
        ([()], "raw"),
        ([("augmented",)], "augmented"),
        ([("explored",)], "augmented"),
        ([("delta",)], "Δ-learning"),
        ([("augmented", "delta")], "augmented"),
        ([(), ("augmented",)], "augmented"),  # one model of two systems
        ([(), ("delta",)], "Δ-learning"),
    ],
)
def test_a_model_is_named_by_the_frames_it_is_trained_on(frames, added, kind):
    assert kind_of_model([sets_of(frames, **dict.fromkeys(names, frames)) for names in added]) == kind


@pytest.mark.parametrize(
    ("added", "kind"), [((), "with baseline"), (("delta",), "Δ-learning"), (("augmented",), "augmented")]
)
def test_a_model_with_a_baseline_is_not_raw(frames, added, kind):
    """Comparisons may leave augmented frames out and keep the baseline."""
    sets = sets_of(frames, baseline=BaselineChoice(True, ""), **dict.fromkeys(added, frames))
    assert kind_of_model([sets]) == kind


def test_energies_of_each_kind_of_frames_have_its_name(frames):
    """Explored frames and those by Δ-learning state no kind themselves."""
    above = {kind: replace(frames, energies=frames.energies + n) for n, kind in enumerate("aed", 1)}
    kinds = np.array(["stretch"] * 4 + ["impulse"] * (len(frames) - 4))
    augmented = replace(above["a"], info={"kind": kinds})
    sets = sets_of(frames, augmented=augmented, explored=above["e"], delta=above["d"])
    energies = frame_energies_kcal_mol(sets)
    raw = (frames.energies - frames.energies.min()) * KCAL_MOL_PER_EV
    assert list(energies) == ["raw", "stretch", "impulse", "explored", "Δ-learning"]
    np.testing.assert_allclose(energies["raw"], raw)
    np.testing.assert_allclose(energies["stretch"], raw[:4] + KCAL_MOL_PER_EV)
    np.testing.assert_allclose(energies["explored"], raw + 2 * KCAL_MOL_PER_EV)
    np.testing.assert_allclose(energies["Δ-learning"], raw + 3 * KCAL_MOL_PER_EV)
    assert list(frame_energies_kcal_mol(sets_of(frames))) == ["raw"]


def test_steps_without_delta_learning_are_those_of_the_frames_before_it(frames, tmp_path):
    """Δ-learning adds augmented frames, but every third, say, of 110 is not in proportion."""

    def copies(n: int) -> FrameSet:
        return frames.select(np.arange(n) % len(frames))

    info = {"parent": np.arange(110) % 30, "kind": np.full(110, "stretch")}
    made = replace(copies(110), info=info | {"displacement": np.zeros((110, frames.n_atoms, 3))})
    all_augmented = SimpleNamespace(frames=made)
    baseline = BaselineChoice(True, "")
    sets = sets_of(copies(30), augmented=copies(10), augmentation=all_augmented, baseline=baseline)
    config = load_config(changes={"training": {"epochs": 7, "batch_size": 1}})
    assert n_steps([sets], config) == 7 * 40
    (tmp_path / "delta").mkdir()
    write_extxyz(copies(120), tmp_path / "delta/frames.xyz")
    (with_delta,) = with_delta_frames([sets], config, tmp_path)
    assert (len(with_delta.delta), len(with_delta.augmented)) == (120, 37)
    assert with_delta.n_training == len(with_delta.all_training) == 187
    assert n_steps([with_delta], config) == 7 * 40
