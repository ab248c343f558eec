"""Commands with --scheduler: the results are those of local processes."""

import json
import os
import signal

import pytest
from ase.build import molecule
from ase.io import write

from mdaug.cli import app
from mdaug.deployment import export_model
from tests.jobs.cluster import scheduler, workers

pytestmark = pytest.mark.dask


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Scheduler file of a cluster of two workers."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as (file, _), workers(file, 2):
        yield file


@pytest.mark.pyscf
@pytest.mark.filterwarnings("ignore:the Dask cluster")
def test_reference(cluster, tmp_path):
    scan = ["reference", "[H][H]", "--method=hf", "--basis=sto-3g", "--scan=bond:0-1=0.7:0.9:0.1"]
    for name, where in (("here", "--workers=1"), ("there", f"--scheduler={cluster}")):
        assert app.main([*scan, where, f"--out={tmp_path / name}"]) == 0
    here, there = ((tmp_path / name / "bond-H0-H1.csv").read_text() for name in ("here", "there"))
    assert here == there and len(here.splitlines()) == 4


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
@pytest.mark.parametrize("n", [1, None], ids=["one process", "cluster"])
def test_a_trial_whose_worker_is_killed_runs_again(n, request, tmp_path, monkeypatch):
    from mdaug.sweep import study
    from mdaug.sweep.options import SweepOptions
    from mdaug.sweep.space import parse_space
    from mdaug.workflows.config import RunConfig

    monkeypatch.setattr(study, "train_trial", die_once)
    config = RunConfig()
    space = parse_space(["augment.epsilon=0.05,0.1,0.2"], config)
    file = None if n else request.getfixturevalue("cluster")
    sweep = study.Sweep(config, space, SweepOptions(objective="forces", workers=n), tmp_path, file)
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


def test_examination(cluster, tmp_path, monkeypatch):
    """The parts that do not depend on time are those of one process; distributions come after dynamics."""
    monkeypatch.chdir(tmp_path)
    write("water.xyz", molecule("H2O"))
    start = ["examine", "--calculator=ase.calculators.emt:EMT", "--structure=water.xyz", "--minutes=0.2"]
    parts = ["--parts", "symmetry", "gradient", "dynamics", "distributions"]
    assert app.main([*start, "--parts", "symmetry", "gradient", "--out=here"]) == 0
    app.main([*start, *parts, f"--scheduler={cluster}", "--out=there"])
    here, there = (
        json.loads((tmp_path / name / "examination.json").read_text())["force_fields"]["EMT"]
        for name in ("here", "there")
    )
    assert list(there) == ["symmetry", "gradient", "dynamics", "distributions"]
    for part in here:
        assert there[part]["checks"] == here[part]["checks"] and there[part]["checks"]
    assert there["dynamics"]["checks"]
    assert there["distributions"]["verdict"] == "not run"
    assert (tmp_path / "there" / "report.html").exists()
