"""Trials are run once, shared out, taken up again after a kill, and judged by what they found."""

import errno
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mdaug.cli import app
from mdaug.errors import DataError, MDAugError
from mdaug.sweep import study as study_module
from mdaug.sweep.options import SweepOptions
from mdaug.sweep.results import write_results
from mdaug.sweep.space import parse_space
from mdaug.sweep.storage import Sweep, open_study, own_trials
from mdaug.sweep.study import queue, run_sweep, work
from mdaug.sweep.trial import objective_of, run_trial, trial_name
from mdaug.workflows.settings.config import RunConfig

pytestmark = [pytest.mark.optuna, pytest.mark.slow]

TINY = {
    "data": {"every": 40},
    "split": {"train": 16, "validation": 4, "test": 5},
    "augment": {"n_frames": 4, "weight": 1.0},
    "model": {"n_atom_basis": 8, "n_filters": 8, "n_gaussians": 8, "n_interactions": 1, "n_knots": 32},
    "training": {"epochs": 2},
}


@pytest.fixture
def make_sweep(tmp_path):
    def make(*vary, **options):
        config = RunConfig().replace(TINY)
        given = SweepOptions(**({"objective": "forces"} | options))
        return Sweep(config, parse_space(vary, config), given, tmp_path)

    return make


@pytest.fixture
def pretend(monkeypatch):
    """Replace trainings by (ε − 0.1)²; return the parameters of those that were run."""
    ran = []

    def run(config, folder, reference, epoch, device):
        ran.append(config.augment.epsilon)
        error = (config.augment.epsilon - 0.1) ** 2
        return {"validation": {"force_mae_kcal_mol_A": error}, "test": None, "scan": None}

    monkeypatch.setattr(study_module, "run_trial", run)
    return ran


def run_here(sweep):
    """Run the trials that are left in this process."""
    study = open_study(sweep)
    queue(study, sweep)
    work(sweep, study)


def test_every_point_of_a_grid_is_run_once(make_sweep, pretend):
    sweep = make_sweep("augment.epsilon=0.05,0.1,0.2")
    run_here(sweep)
    run_here(sweep)  # a second start finds nothing to do
    assert sorted(pretend) == [0.05, 0.1, 0.2]
    best = min(own_trials(open_study(sweep), sweep), key=lambda trial: trial.value)
    assert best.params == {"augment.epsilon": 0.1}


def test_a_sweep_goes_on_with_its_own_settings_only(make_sweep, tmp_path, monkeypatch):
    """Nothing is trained again for the new settings, so the old results would pass for theirs."""
    monkeypatch.setattr(study_module, "work", lambda sweep, study, *_: work(sweep, study))
    monkeypatch.setattr(
        study_module, "run_trial", lambda *_, **__: {"validation": {"force_mae_kcal_mol_A": 1.0}}
    )
    curve = tmp_path / "curve.csv"
    curve.write_text("distance_A,energy_kcal_mol\n")
    sweep = make_sweep("augment.epsilon=0.05,0.1", reference=curve)
    assert len(run_sweep(sweep, lambda *_: None)) == 2
    allowed = {"workers": 2, "device": "cpu", "trials": 50, "seed": 3, "reference": curve}
    run_sweep(make_sweep("augment.epsilon=0.05,0.1", **allowed), lambda *_: None)
    longer = sweep.config.replace({"training": {"epochs": 500}})
    others = {
        "training.epochs = 2, now it is 500": replace(sweep, config=longer),
        "--objective = forces, now it is scan": make_sweep(
            "augment.epsilon=0.05,0.1", reference=curve, objective="scan"
        ),
        "--vary = augment.epsilon=0.05,0.1, now it is augment.epsilon=0.05": make_sweep(
            "augment.epsilon=0.05", reference=curve
        ),
        "--reference = file with SHA-256 .*, now it is None": make_sweep("augment.epsilon=0.05,0.1"),
    }
    for said, other in others.items():
        shared, fresh = (
            replace(other, folder=folder, options=other.options.model_copy(update={"storage": storage}))
            for folder, storage in ((tmp_path / "elsewhere", sweep.storage), (tmp_path, "sqlite://"))
        )
        shared.folder.mkdir(exist_ok=True)
        for wrong in (other, shared, fresh):
            with pytest.raises(MDAugError, match=f"the sweep in .* was started with {said}; give the same"):
                run_sweep(wrong, lambda *_: None)
        assert not list(shared.folder.iterdir())
    curve.write_text("distance_A,energy_kcal_mol\n1.0,0.0\n")
    with pytest.raises(MDAugError, match="--reference = file with SHA-256"):
        run_sweep(sweep, lambda *_: None)


def test_a_search_stops_at_its_number_and_goes_towards_the_best(make_sweep, pretend):
    sweep = make_sweep("augment.epsilon=0.01:0.5", trials=25)
    run_here(sweep)
    assert len(pretend) == 25
    assert abs(np.median(pretend[15:]) - 0.1) < abs(np.median(pretend[:8]) - 0.1)
    assert min(abs(epsilon - 0.1) for epsilon in pretend) < 0.02


def test_a_killed_workers_trial_is_run_again(make_sweep, pretend):
    sweep = make_sweep("augment.epsilon=0.05,0.1")
    study = open_study(sweep)
    queue(study, sweep)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getpid()):  # the second one is alive: its trial is its own
        trial = study.ask()
        trial.suggest_categorical("augment.epsilon", (0.05, 0.1))
        trial.set_user_attr("worker", f"{socket.gethostname()}:{process}")
    run_here(sweep)
    assert pretend == [0.05]
    states = [trial.state.name for trial in own_trials(study, sweep)]
    assert sorted(states) == ["COMPLETE", "RUNNING"]


def test_a_trial_that_fails_is_told_and_the_others_go_on(make_sweep, monkeypatch):
    def run(config, folder, reference, epoch, device):
        if config.augment.epsilon == 0.1:
            raise DataError("no room between the atoms")
        return {"validation": {"force_mae_kcal_mol_A": 1.0}}

    monkeypatch.setattr(study_module, "run_trial", run)
    sweep = make_sweep("augment.epsilon=0.05,0.1")
    run_here(sweep)
    found = {t.params["augment.epsilon"]: t for t in own_trials(open_study(sweep), sweep)}
    assert found[0.05].value == 1.0
    assert found[0.1].state.name == "FAIL"
    assert found[0.1].user_attrs["error"] == "no room between the atoms"


def test_what_a_trial_is_judged_by():
    found = {
        "validation": {"force_mae_kcal_mol_A": 0.3},
        "scan": {"reference": {"rmse_below_150_kcal_mol": 7.0}},
    }
    assert objective_of(found, "forces") == 0.3
    assert objective_of(found, "scan") == 7.0
    with pytest.raises(DataError, match="--reference FILE"):
        objective_of(found | {"scan": None}, "scan")


def test_names_of_trials_differ_wherever_their_settings_do(make_sweep):
    config = make_sweep("augment.epsilon=0.1").config
    names = {
        trial_name({"augment.epsilon": 0.1}, config),
        trial_name({"augment.epsilon": 0.2}, config),
        trial_name({"augment.epsilon": 0.1}, config.replace({"training": {"epochs": 3}})),
    }
    assert len(names) == 3


def test_a_finished_trial_is_read_not_run(make_sweep, tmp_path, monkeypatch):
    config = make_sweep("augment.epsilon=0.1").config
    first = run_trial(config, tmp_path / "trial", None, lambda state: None)
    assert first["scan"]["bond"].endswith("H8") and first["scan"]["reference"]["label"] == "GFN2-xTB"
    assert first["validation"]["n_frames"] == 4
    monkeypatch.delattr("mdaug.sweep.trial.train_force_field")
    assert run_trial(config, tmp_path / "trial", None, lambda state: None) == first


def test_trials_are_trained_on_the_device_asked_for(make_sweep, monkeypatch):
    devices = []

    def train(config, folder, *, device, **how):
        devices.append(device)
        raise DataError("enough")

    monkeypatch.setattr("mdaug.sweep.trial.train_force_field", train)
    sweep = make_sweep("augment.epsilon=0.1", device="cuda")
    run_here(sweep)
    assert devices == ["cuda"]


def test_two_workers_and_the_files_they_leave(make_sweep):
    sweep = make_sweep("augment.epsilon=0.05,0.2", workers=2)
    told = []
    trials = run_sweep(sweep, lambda done, total, text: told.append((done, total)))
    assert told[-1] == (2, 2)
    rows = write_results(sweep, trials)
    assert [row.state for row in rows] == ["complete", "complete"]
    assert rows[0].objective <= rows[1].objective
    kept = json.loads((sweep.folder / "sweep.json").read_text())
    assert [trial["folder"] for trial in kept["trials"]] == [row.folder.name for row in rows]
    assert (sweep.folder / "scans.png").stat().st_size > 10_000
    assert (sweep.folder / "sweep.csv").read_text().startswith("augment.epsilon,objective,state,")


def test_the_table_of_one_machine_has_the_errors_of_all(make_sweep, pretend, tmp_path):
    """Two machines share a study; the trials' folders are where they were trained."""
    here = make_sweep("augment.epsilon=0.05,0.2", storage=f"sqlite:///{tmp_path / 'shared.db'}")
    there = replace(here, folder=tmp_path / "there")
    there.folder.mkdir()
    run_here(there)
    rows = write_results(here, own_trials(open_study(here), here))
    assert not any(row.folder.exists() for row in rows)
    table = (here.folder / "sweep.csv").read_text().splitlines()
    column = table[0].split(",").index("validation_force_mae_kcal_mol_A")
    found = [float(row.split(",")[column]) for row in table[1:]]
    assert found == pytest.approx([0.05**2, 0.1**2])


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("nonsense", "Could not parse SQLAlchemy URL"),
        ("sqlite:////nowhere/study.db", "unable to open database file"),
        ("oracle://host/study", "needs another package"),
    ],
)
def test_a_storage_that_does_not_work_is_told_in_one_line(make_sweep, storage, reason):
    with pytest.raises(MDAugError, match=reason) as told:
        run_sweep(make_sweep("augment.epsilon=0.05", storage=storage), lambda *_: None)
    assert storage in str(told.value)
    assert "\n" not in str(told.value)


def test_a_storage_that_is_damaged_on_the_way_is_told(make_sweep, monkeypatch):
    """The study has been opened here before, so that only the first trial meets it."""
    sweep = make_sweep("augment.epsilon=0.05")

    def damage(study, sweep):
        queue(study, sweep)
        (sweep.folder / "study.db").write_bytes(b"no database" * 1000)

    monkeypatch.setattr(study_module, "queue", damage)
    with pytest.raises(MDAugError, match=r"file is not a database.*--resume continues the sweep"):
        run_sweep(sweep, lambda *_: None)


def test_a_trial_on_a_full_disk_fails_alone(make_sweep, pretend, monkeypatch):
    def full(config, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "checkpoint.pt")

    monkeypatch.setattr(study_module, "run_trial", full)
    sweep = make_sweep("augment.epsilon=0.05")
    run_here(sweep)
    (trial,) = own_trials(open_study(sweep), sweep)
    assert "No space left" in trial.user_attrs["error"]


def test_pruning_a_scan_is_refused(make_sweep):
    with pytest.raises(MDAugError, match="--objective forces"):
        run_sweep(make_sweep("augment.epsilon=0.1", prune=True, objective="scan"), lambda *_: None)


def test_pruning_stops_trainings_worse_than_the_median(make_sweep, monkeypatch):
    epochs = []

    def run(config, folder, reference, epoch, device):
        from types import SimpleNamespace

        error = config.augment.epsilon
        for n in (1, 2):
            epoch(SimpleNamespace(epoch=n, force_mae_kcal_mol_A=error))
            epochs.append((error, n))
        return {"validation": {"force_mae_kcal_mol_A": error}}

    monkeypatch.setattr(study_module, "run_trial", run)
    sweep = make_sweep("augment.epsilon=0.1,0.11,0.12,0.13,0.5", prune=True)
    run_here(sweep)
    assert {
        t.params["augment.epsilon"] for t in own_trials(open_study(sweep), sweep) if t.state.name == "PRUNED"
    } == {0.5}
    assert (0.5, 2) not in epochs


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mdaug.sweep.run_sweep", lambda plan, progress: pytest.fail(str(plan.options)))
    assert app.main(["sweep", "--vary", "augment.rul=a"]) == 2
    assert "did you mean 'rule'" in capsys.readouterr().err
