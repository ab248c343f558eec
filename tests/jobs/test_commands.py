"""Commands with --scheduler: the results are those of local processes."""

import os
import signal

import pytest

from mdaug.cli import app
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
