"""JSON files that mdaug reads back: duplicate keys, depth, size and numbers are checked."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule

from mdaug import archives
from mdaug.analysis.thermo_log import _refuse_thermostat
from mdaug.archives import MAX_DEPTH, parse_json, read_json
from mdaug.data.splits import Split
from mdaug.errors import DataError
from mdaug.md.options import DynamicsOptions
from mdaug.md.restart import Restart, read_restart, read_start, write_restart, write_start
from mdaug.quantum.point_store import PointStore
from mdaug.springs import Springs
from mdaug.sweep.space import record_settings
from mdaug.sweep.trial import read_trial
from mdaug.workflows.drift import _why_stopped
from mdaug.workflows.run_folders.run_record import read_record
from mdaug.workflows.stability import _made_by
from mdaug.workflows.training.augmentation_choice import AugmentationChoice, recorded_choice
from mdaug.workflows.training.baseline import NO_BASELINE, recorded_baseline
from mdaug.workflows.training.delta_choice import DeltaChoice, recorded_delta
from mdaug.workflows.training.hot_runs import HotRuns, recorded_runs
from mdaug.workflows.use_calculator import parse_arguments
from mdaug.workflows.use_model import _results

ATOMS = molecule("H2O")
SPRING = {"distance": 1.0, "k": 900.0, "weight": 1.0}


@dataclass(frozen=True)
class Kind:
    """A file, content that is accepted, and its reader."""

    name: str
    content: Any
    read: Callable[[Path], object]


def _start() -> dict[str, Any]:
    start = {"atomic_numbers": ATOMS.numbers.tolist(), "positions": ATOMS.positions.tolist()}
    options = DynamicsOptions().model_dump()
    return {"written_by": "mdaug 1", "options": options, "about": {"model": "model.pt"}, "start": start}


REFUSED = [
    Kind(
        "springs.json",
        {"temperature_K": 300.0, "units": "", "pairs": {"H-O": [SPRING]}},
        Springs.read,
    ),
    Kind("points.jsonl", {"key": "a", "energy_eV": 1.0}, PointStore),
    Kind("split.json", {"train": [0, 1], "validation": [2], "test": []}, Split.read),
    Kind(
        "settings.json", {"--objective": "scan"}, lambda p: record_settings(p.parent, {"--objective": "scan"})
    ),
    Kind("trial.json", {"validation": {}, "test": None, "scan": None}, lambda p: read_trial(p.parent)),
    Kind("results.json", {"test": None}, lambda p: _results(p.with_name("model.pt"))),
    Kind("config.json", _start(), lambda p: read_start(p.parent)),
    Kind("augmentation.json", AugmentationChoice(True, "").to_json(), lambda p: recorded_choice(p.parent)),
    Kind("baseline.json", NO_BASELINE.to_json(), lambda p: recorded_baseline(p.parent)),
    Kind("delta.json", asdict(DeltaChoice(False, "")), lambda p: recorded_delta(p.parent)),
    Kind("search.json", {"runs": [asdict(HotRuns(300.0, (1.0,), (None,), 5, 1, 2.0))]}, recorded_runs),
]
"""Files without which the command cannot go on."""

IGNORED = [
    Kind("run.json", {"command": "train", "files": []}, lambda p: read_record(p.parent)),
    Kind("nve.json", {"stopped_because": "x"}, lambda p: _why_stopped(p.parent)),
    Kind("config.json", {"about": {"model": os.fspath(Path(__file__))}}, lambda p: _made_by(p.parent)),
]
"""Files that may be of other programs: treated as if they were not there."""


def _as_line(content: Any) -> str:
    return json.dumps(content) + "\n"


FORGED = {
    "twice": (lambda t: t.replace("{", '{"x": 1, "x": 2, ', 1), "occurs twice"),
    "deep": (
        lambda t: t.replace("{", '{"x": ' + "[" * 100_000 + "]" * 100_000 + ", ", 1),
        "nests too deeply",
    ),
    "less deep": (lambda t: t.replace("{", '{"x": ' + "[" * 300 + "]" * 300 + ", ", 1), "nests too deeply"),
    "long": (lambda t: t.replace("{", '{"x": ' + "9" * 5000 + ", ", 1), "too large"),
    "large": (lambda t: t.replace("{", '{"x": ' + str(1 << 129) + ", ", 1), "too large"),
    "NaN": (lambda t: t.replace("{", '{"x": NaN, ', 1), "NaN is no number"),
    "infinite": (lambda t: t.replace("{", '{"x": -1e999, ', 1), "is no number"),
    "no object": (lambda t: f"[{t.strip()}]\n", "expected"),
    "cut": (lambda t: t.strip()[:-1] + "\n", "expected"),
}


@pytest.mark.parametrize("kind", [*REFUSED, *IGNORED], ids=lambda kind: kind.name)
def test_what_mdaug_writes_is_read(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / kind.name
    path.write_text(_as_line(kind.content))
    found = kind.read(path)
    assert kind not in IGNORED or found is not None


@pytest.mark.parametrize("way", FORGED)
@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.name)
def test_forged_files_are_refused_by_name(kind: Kind, way: str, tmp_path: Path) -> None:
    forge, message = FORGED[way]
    path = tmp_path / kind.name
    path.write_text(forge(_as_line(kind.content)))
    with pytest.raises(DataError, match=message) as caught:
        kind.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["augmentation.json", "baseline.json", "delta.json", "search.json"])
@pytest.mark.parametrize("content", [{}, {"x": 1}, {"runs": [{"x": 1}]}, {"runs": 1}])
def test_records_with_other_keys_are_refused_by_name(name: str, content: Any, tmp_path: Path) -> None:
    (kind,) = (kind for kind in REFUSED if kind.name == name)
    (tmp_path / name).write_text(_as_line(content))
    with pytest.raises(DataError, match=f"{name}: not the "):
        kind.read(tmp_path / name)


@pytest.mark.parametrize("way", FORGED)
@pytest.mark.parametrize("kind", IGNORED, ids=lambda kind: kind.name)
def test_forged_files_of_others_are_ignored(kind: Kind, way: str, tmp_path: Path) -> None:
    path = tmp_path / kind.name
    path.write_text(FORGED[way][0](_as_line(kind.content)))
    assert kind.read(path) is None


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.name)
def test_long_files_are_not_read(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / kind.name
    path.write_text(_as_line(kind.content))
    monkeypatch.setattr(archives, "MAX_JSON_BYTES", 10)
    with pytest.raises(DataError, match="more than 10 bytes") as caught:
        kind.read(path)
    assert str(path) in str(caught.value)


def test_a_thermostatted_run_with_a_forged_record_is_not_recognized(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"options": {"ensemble": "nvt"}}')
    with pytest.raises(DataError, match="constant temperature"):
        _refuse_thermostat(config)
    config.write_text('{"options": {"ensemble": "nvt", "ensemble": "nve"}}')
    _refuse_thermostat(config)


def test_the_state_of_a_generator_in_a_restart_file(tmp_path: Path) -> None:
    state = np.random.default_rng(3).bit_generator.state
    zeros = np.zeros((3, 3))
    for name in ("thermo.csv", "trajectory.dcd"):
        (tmp_path / name).write_text("")
    write_restart(tmp_path, Restart(1, zeros, zeros, zeros, state, 0, 0, 0, 0.0))
    back = read_restart(tmp_path, 3)
    assert back is not None and back.random_state == state
    with np.load(tmp_path / "restart.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["random_state"] = np.array('{"state": 1, "state": 2}')
    np.savez(tmp_path / "restart.npz", **arrays)
    with pytest.raises(DataError, match=r"restart\.npz.*occurs twice"):
        read_restart(tmp_path, 3)


def test_arguments_of_a_calculator() -> None:
    assert parse_arguments('{"accuracy": 0.1}') == {"accuracy": 0.1}
    for text in ('{"a": 1, "a": 2}', "[" * 100_000, "{", "[1]", '{"a": NaN}'):
        with pytest.raises(DataError, match="--calculator-arguments"):
            parse_arguments(text)


def test_indices_of_a_split_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    for train in ([-1], [[0]], [0.5], ["0"], [1 << 70], 3, None, {}):
        path.write_text(json.dumps({"train": train, "validation": [], "test": []}))
        with pytest.raises(DataError, match=r"split\.json.*expected the split"):
            Split.read(path)


def test_numbers_of_a_run_beyond_64_bits_are_refused(tmp_path: Path) -> None:
    write_start(tmp_path, ATOMS, DynamicsOptions(), {"model": "model.pt"})
    assert read_start(tmp_path) is not None
    content = json.loads((tmp_path / "config.json").read_text())
    content["start"]["atomic_numbers"][0] = 1 << 100
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"config\.json"):
        read_start(tmp_path)


def test_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "run.json"
    os.mkfifo(pipe)
    assert read_record(tmp_path) is None
    with pytest.raises(DataError, match="no regular file"):
        read_json(pipe, "JSON")
    with pytest.raises((DataError, OSError), match=str(tmp_path)):
        read_json(tmp_path, "JSON")


def test_depth_is_counted_in_containers() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deepest)
    with pytest.raises(ValueError, match="nests too deeply"):
        parse_json(f"[{deepest}]")
    with pytest.raises(ValueError, match="nests too deeply"):
        parse_json('{"a": ' * MAX_DEPTH + deepest + "}" * MAX_DEPTH)


def test_only_utf_8_is_text() -> None:
    for encoding in ("utf-16", "utf-32"):
        with pytest.raises(ValueError, match="utf-8"):
            parse_json('{"a": 1}'.encode(encoding))
