"""Commands with --scheduler: the results are those of local processes."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write

from mdaug.cli import app
from mdaug.deployment import export_model
from mdaug.errors import DataError
from mdaug.examination.options import ExaminationOptions
from mdaug.examination.results import PartResult
from mdaug.jobs import Failure, Where
from mdaug.md import DynamicsOptions
from mdaug.verdicts import Verdict
from mdaug.workflows import examination_jobs, validation
from mdaug.workflows.dynamics import new_run
from mdaug.workflows.examined import ExaminedModels
from mdaug.workflows.progress import ignore
from mdaug.workflows.replica_jobs import replicas_as_jobs
from mdaug.workflows.settings.options import CalculatorOptions
from tests.jobs.cluster import scheduler, workers

pytestmark = pytest.mark.dask


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Scheduler file of a cluster of two workers."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as (file, _), workers(file, 2):
        yield file


@pytest.mark.pyscf
@pytest.mark.filterwarnings("ignore:the Dask cluster")
def test_reference_goes_on_after_its_scheduler_is_lost(cluster, tmp_path, capsys):
    """The same command computes what is missing, on another cluster; the curve is that of this machine."""
    command = ["reference", "[H][H]", "--method=hf", "--basis=sto-3g", "--scan=bond:0-1=0.6:0.8:0.004"]
    here, there = tmp_path / "here", tmp_path / "there"
    points = there / "points.jsonl"

    def kill(process):
        while not points.exists() or points.read_bytes().count(b"\n") < 3:
            time.sleep(0.02)
        process.kill()

    with scheduler(tmp_path) as (file, process), workers(file, 1):
        threading.Thread(target=kill, args=(process,)).start()
        assert app.main([*command, f"--scheduler={file}", f"--out={there}"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "is gone" in line]
    assert (
        line.startswith(f"mdaug: error: the Dask scheduler at {file} is gone")
        and "results until now are kept" in line
    )
    finished = points.read_bytes()
    assert 3 <= finished.count(b"\n") < 50
    assert app.main([*command, f"--scheduler={cluster}", f"--out={there}"]) == 0
    keys = [json.loads(line)["key"] for line in points.read_text().splitlines()]
    assert points.read_bytes().startswith(finished) and len(keys) == len(set(keys)) >= 51
    assert app.main([*command, "--workers=1", f"--out={here}"]) == 0
    curves = [np.genfromtxt(folder / "bond-H0-H1.csv", delimiter=",")[1:] for folder in (here, there)]
    np.testing.assert_allclose(*curves, atol=1e-6)


def die_once(sweep, trial_id, config, folder):
    """Replace a training by (ε − 0.1)²; the process of ε = 0.1 is killed at first."""
    epsilon = config.augment.epsilon
    mark = folder.with_suffix(".started")
    mark.parent.mkdir(exist_ok=True)
    if epsilon == 0.1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"validation": {"force_mae_kcal_mol_A": (epsilon - 0.1) ** 2}, "test": None, "scan": None}


@pytest.mark.optuna
def test_a_trial_whose_worker_is_killed_runs_again(cluster, tmp_path, monkeypatch):
    from mdaug.sweep import study
    from mdaug.sweep.options import SweepOptions
    from mdaug.sweep.space import parse_space
    from mdaug.workflows.settings.config import RunConfig

    monkeypatch.setattr(study, "train_trial", die_once)
    config = RunConfig()
    space = parse_space(["augment.epsilon=0.05,0.1,0.2"], config)
    sweep = study.Sweep(config, space, SweepOptions(objective="forces"), tmp_path, cluster)
    trials = study.run_sweep(sweep, lambda *_: None)
    assert {trial.params["augment.epsilon"]: trial.value for trial in trials} == pytest.approx(
        {0.05: 0.0025, 0.1: 0.0, 0.2: 0.01}
    )


def real_model(make_model, folder):
    atoms = molecule("CH3OH")
    reference = {"atomic_numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    return str(export_model(make_model(), folder / "m.pt", training={"reference_structure": reference}))


def test_replicas_of_dynamics(cluster, make_model, tmp_path, capsys):
    """The files are byte for byte those of one batch on this machine; a resume goes on."""
    options = ["--steps=20", "--equilibration=0", "--no-guard", "--timestep=0.1", "--replicas=2", "--extxyz"]
    start = ["nve", real_model(make_model, tmp_path), *options]
    here, there = tmp_path / "here", tmp_path / "there"
    assert app.main([*start, f"--out={here}"]) == 0
    assert app.main([*start, f"--scheduler={cluster}", f"--out={there}"]) == 0
    for name in ("thermo.csv", "trajectory.dcd", "trajectory.xyz"):
        for replica in ("replica-0", "replica-1"):
            assert (here / replica / name).read_bytes() == (there / replica / name).read_bytes()
    summaries = [json.loads((folder / "nve.json").read_text()) for folder in (here, there)]
    assert all(summary.pop("steps_per_second") > 0 for summary in summaries)
    assert summaries[0] == summaries[1]
    resume = ["nve", "--resume", "--steps=40", f"--scheduler={cluster}", f"--out={there}"]
    assert app.main(resume) == 0
    assert json.loads((there / "nve.json").read_text())["completed_steps"] == [40, 40]
    capsys.readouterr()
    assert app.main([*start[:-2], f"--scheduler={cluster}", f"--out={tmp_path / 'one'}"]) == 2
    assert "give their number with --replicas" in capsys.readouterr().err


def test_a_replaced_model_is_refused(make_model, tmp_path):
    """A worker that continues a replica loads the model again, and the file may be another one by then."""
    model = real_model(make_model, tmp_path)
    options = DynamicsOptions(ensemble="nve", steps=2, timestep=0.1, equilibration=0.0, guard=False)
    run = new_run(model, None, options, replicas=2)
    before = [one.completed_steps for one in replicas_as_jobs(run, tmp_path / "runs", Where(1))]
    assert before == [2, 2]
    real_model(partial(make_model, seed=1), tmp_path)
    ended = replicas_as_jobs(replace(run, resume=True), tmp_path / "runs", Where(1))
    assert all(isinstance(one, Failure) for one in ended)
    assert "not the model that this run began with" in ended[0].reason
    other = new_run(model, None, options, replicas=2)
    ended = replicas_as_jobs(replace(other, resume=True), tmp_path / "runs", Where(1))
    assert "replica-0/config.json: this replica began with another model" in ended[0].reason


def test_hot_runs_of_a_validation(cluster, make_model, tmp_path, monkeypatch):
    """They are those of this machine; a run that fails costs only itself."""
    options = DynamicsOptions(ensemble="nvt", steps=20, timestep=0.1, equilibration=0.0, guard=False)
    run = new_run(real_model(make_model, tmp_path), None, options, replicas=2, dtype="float64")
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, where in ((here, Where()), (there, Where(scheduler=cluster))):
        ended = validation._hot_runs(run, folder, where, ignore)
        assert [result.completed_steps for result in ended.values()] == [20, 20]
    for name in ("replica-0/thermo.csv", "replica-1/trajectory.dcd"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    failure = Failure("replica 0", "the disk is full")
    monkeypatch.setattr(validation, "replicas_as_jobs", lambda *_: [failure, ended[1]])
    with pytest.warns(UserWarning, match="replica 0: the disk is full; the other runs are judged"):
        assert validation._hot_runs(run, here, Where(scheduler=cluster), ignore) == {1: ended[1]}
    monkeypatch.setattr(validation, "replicas_as_jobs", lambda *_: [failure, failure])
    with pytest.raises(DataError, match="replica 0: the disk is full"):
        validation._hot_runs(run, here, Where(scheduler=cluster), ignore)


FAILS_ONCE = """
from pathlib import Path

from ase.calculators.emt import EMT


class Potential(EMT):
    def calculate(self, *given):
        super().calculate(*given)
        try:
            Path("broken").unlink()
        except FileNotFoundError:
            return
        raise RuntimeError("no convergence")
"""


def test_frames(cluster, tmp_path, monkeypatch, capsys):
    """Frames of local processes and of a cluster are those of one process; a replica that fails costs only
    itself.
    """
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FAILS_ONCE)
    write("start.xyz", Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]]))
    start = ["frames", "start.xyz", "--calculator=mine:Potential", "--format=npz", "--n-frames=9"]
    start += ["--n-replicas=3", "--spacing=5", "--equilibration=0"]
    assert app.main([*start, "--out=here"]) == 0
    assert app.main([*start, "--workers=2", "--out=local"]) == 0
    Path("broken").touch()
    there = [*start, f"--scheduler={cluster}", "--out=there"]
    capsys.readouterr()
    assert app.main(there) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "no convergence" in line]
    assert "start.xyz: replica " in line and "the calculator failed at MD step 0" in line
    assert "finished replicas are kept: --resume runs the others" in line
    assert len(list(Path("there", "replicas").glob("*.npz"))) == 2
    assert app.main([*there, "--resume"]) == 0
    here, local, there = (np.load(f"{name}/frames.npz") for name in ("here", "local", "there"))
    for key in ("R", "E", "F"):
        assert np.array_equal(here[key], local[key]) and np.array_equal(here[key], there[key])


def test_examination(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("water.xyz", molecule("H2O"))
    start = ["examine", "--calculator=ase.calculators.emt:EMT", "--structure=water.xyz"]
    start += ["--parts", "symmetry", "gradient"]
    assert app.main([*start, "--out=here"]) == 0
    assert app.main([*start, f"--scheduler={cluster}", "--out=there"]) == 0
    here, there = (
        json.loads((tmp_path / name / "examination.json").read_text())["force_fields"]["EMT"]
        for name in ("here", "there")
    )
    assert list(there) == ["symmetry", "gradient"]
    for part in here:
        assert there[part]["checks"] == here[part]["checks"] and there[part]["checks"]
    assert (tmp_path / "there" / "report.html").exists()


def test_parts_of_an_examination_are_given_their_time_and_wait_for_what_they_read(tmp_path, monkeypatch):
    began, ended = [], []

    def examine_part(subject, label, name, seconds):
        began.append((label, name, seconds))
        if name == "gradient":
            raise OSError("the disk is full")
        return PartResult((Verdict(name, "ok", 0, 0, ""),), {})

    monkeypatch.setattr(examination_jobs, "examine_part", examine_part)
    options = ExaminationOptions(minutes=10.0)
    subject = ExaminedModels((), None, options, tmp_path, CalculatorOptions())
    names = ["symmetry", "gradient", "dynamics", "distributions"]
    done = PartResult((Verdict("symmetry", "ok", 0, 0, ""),), {})
    results = examination_jobs.examine_on_cluster(
        subject, names, {"a": {}, "b": {"symmetry": done}}, Where(1), lambda *what: ended.append(what[:2])
    )
    order = [one[:2] for one in began]
    assert all(order.index((label, "distributions")) > order.index((label, "dynamics")) for label in "ab")
    for label in "ab":
        each = {name: seconds for other, name, seconds in began if other == label}
        assert sum(each.values()) == pytest.approx(600.0)
        assert list(results[label]) == names
    assert ("b", "symmetry") not in ended and len(ended) == 7
    assert results["a"]["gradient"].to_json()["verdict"] == "not run"
