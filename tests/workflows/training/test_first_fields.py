"""Force-matched fields of systems that all have few frames are the priors of each other."""

from pathlib import Path

import pytest

from mdaug.data import load_frames
from mdaug.data.write import write_extxyz
from mdaug.workflows.progress import ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.preparation import first_fields, prepare_systems
from mdaug.workflows.training.sets import TrainingCallbacks

DATA = Path(__file__).parents[2] / "data"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def few():
    """Return a dozen frames of methanol and of ethanol."""
    return [load_frames(data).select(slice(0, 12)) for data in (DATA / "methanol.npz", "ethanol")]


def test_each_system_with_few_frames_has_a_field(few):
    fields = first_fields([*few, few[0].select([0])], RunConfig())
    assert {n: donor.n_frames for n, donor in fields.items()} == {0: 12, 1: 12}


def test_one_system_or_another_rule_has_none(few):
    config = RunConfig()
    springs = config.model_copy(update={"augment": config.augment.model_copy(update={"rule": "springs"})})
    assert first_fields(few[:1], config) == {}
    assert first_fields(few, springs) == {}


def test_a_training_compares_fields_with_and_without_them(few, tmp_path):
    files = [tmp_path / name for name in ("methanol.xyz", "ethanol.xyz")]
    for frames, path in zip(few, files, strict=True):
        write_extxyz(frames, path)
    sources = [{"source": str(path), "temperature": 400.0} for path in files]
    config = RunConfig.model_validate({"data": {"sources": sources}})
    methanol, _ = prepare_systems(config, TrainingCallbacks(stage=ignore))
    assert methanol.augmentation is not None
    assert "parameters of equal environments in other systems" in methanol.augmentation.changed[0]


def test_many_systems_have_lines_for_all_instead_of_each(few, tmp_path, monkeypatch):
    monkeypatch.setattr("mdaug.workflows.training.preparation.MANY_SYSTEMS", 1)
    path = tmp_path / "few.xyz"
    write_extxyz(few[0], path)
    write_extxyz(few[1], tmp_path / "other.xyz")
    sources = [{"source": str(tmp_path / name), "temperature": 400.0} for name in ("few.xyz", "other.xyz")]
    config = RunConfig.model_validate({"data": {"sources": sources}})
    lines, parts = [], []
    callbacks = TrainingCallbacks(stage=lines.append, part=lambda *part: parts.append(part))
    systems = prepare_systems(config, callbacks)
    sound = [sets.augmentation for sets in systems if sets.augmentation.failed is None]
    assert len(sound) == 1
    assert lines == [
        "24 frames of 2 systems: 21 training, 1 validation, 2 test",
        "fitting springs to the training frames of 2 systems at 400 K",
        f"{len(sound[0].frames)} augmented frames of 1 of 2 systems; what failed of the others: "
        "held-out forces (1)",
    ]
    assert parts == [(part, n, 2) for part in ("force fields", "augmented frames") for n in (1, 2)]
