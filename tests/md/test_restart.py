import json
from pathlib import Path

import numpy as np
import pytest

from mdaug.errors import DataError
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.restart import RESTART_FILE, Restart, check_own_record, read_restart, write_restart


@pytest.fixture
def restart(tmp_path) -> Restart:
    (tmp_path / "thermo.csv").write_text("x" * 100)
    (tmp_path / "trajectory.dcd").write_text("x" * 200)
    rng = np.random.default_rng(4)
    arrays = {name: rng.standard_normal((3, 3)) for name in ("positions", "momenta", "forces")}
    state = {"state": dict(rng.bit_generator.state)}
    return Restart(
        70,
        **arrays,
        random_state=state,
        thermo_bytes=100,
        trajectory_bytes=200,
        n_rows=8,
        temperature_sum_K=0.1,
    )


def test_read_gives_back_what_was_written(tmp_path, restart) -> None:
    write_restart(tmp_path, restart)
    again = read_restart(tmp_path, 3)
    assert again.step == 70
    assert again.random_state == restart.random_state
    assert np.array_equal(again.momenta, restart.momenta)
    assert (again.n_rows, again.temperature_sum_K) == (8, 0.1)


def test_no_file_is_no_restart(tmp_path) -> None:
    assert read_restart(tmp_path, 3) is None


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_damaged_file(tmp_path, restart, keep) -> None:
    write_restart(tmp_path, restart)
    path = tmp_path / RESTART_FILE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="not a restart file of 3 atoms"):
        read_restart(tmp_path, 3)


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_are_not_opened(tmp_path) -> None:
    trace = tmp_path / "executed"
    np.savez(tmp_path / RESTART_FILE, integers=np.array([Touch(trace)], dtype=object))
    with pytest.raises(DataError, match="not a restart file"):
        read_restart(tmp_path, 3)
    assert not trace.exists()


def test_other_atoms_and_lost_tables(tmp_path, restart) -> None:
    write_restart(tmp_path, restart)
    with pytest.raises(DataError, match="not a restart file of 4 atoms"):
        read_restart(tmp_path, 4)
    (tmp_path / "thermo.csv").write_text("x" * 99)
    with pytest.raises(DataError, match=r"thermo.csv: 99 bytes, but 100"):
        read_restart(tmp_path, 3)


@pytest.fixture
def begun(ethanol, springs, tmp_path) -> Path:
    folder = tmp_path / "run"
    run_dynamics(ethanol, springs(ethanol), SHORT, folder)
    return folder


SHORT = DynamicsOptions(steps=20, equilibration=0.0)


@pytest.mark.parametrize("name", ["thermo.csv", "shadow.csv", "trajectory.dcd", "config.json", "restart.npz"])
def test_a_link_in_the_folder_of_a_run_is_never_written_through(ethanol, springs, begun, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    content = (begun / name).read_bytes() + b"more than the restart file counts"
    elsewhere.write_bytes(content)
    (begun / name).unlink()
    (begun / name).symlink_to(elsewhere)
    longer = SHORT.model_copy(update={"steps": 40})
    with pytest.raises(DataError, match=rf"{name}: a symbolic link"):
        run_dynamics(ethanol, springs(ethanol), longer, begun, resume=True)
    assert elsewhere.read_bytes() == content
    for leftover in ("restart.npz", "config.json"):
        (begun / leftover).unlink(missing_ok=True)
    if name in ("thermo.csv", "shadow.csv", "trajectory.dcd"):
        with pytest.raises(DataError, match=rf"{name}: a symbolic link"):
            run_dynamics(ethanol, springs(ethanol), SHORT, begun)
        assert elsewhere.read_bytes() == content


def test_a_folder_without_the_mark_of_mdaug_is_not_resumed(ethanol, springs, begun):
    config = json.loads((begun / "config.json").read_text())
    assert config["written_by"].startswith("mdaug ")
    del config["written_by"]
    (begun / "config.json").write_text(json.dumps(config))
    before = (begun / "thermo.csv").read_bytes()
    with pytest.raises(DataError, match=r"config.json: not written by mdaug"):
        run_dynamics(ethanol, springs(ethanol), SHORT, begun, resume=True)
    assert (begun / "thermo.csv").read_bytes() == before


def test_the_record_of_another_user_is_recognized(begun, monkeypatch):
    check_own_record(begun)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(DataError, match=r"config.json belongs to another user.*name the model"):
        check_own_record(begun)
