"""Several runs in one loop."""

from types import SimpleNamespace

import pytest

from mdaug.errors import DataError
from mdaug.md import DynamicsOptions, loop
from mdaug.md.dynamics import run_replicas
from mdaug.md.prepare import make_ase_integrator


def test_the_preparation_of_one_replica_is_no_time_of_the_others(
    ethanol, springs, tmp_path, monkeypatch
) -> None:
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: clock.seconds))

    def prepare(*args):
        clock.seconds += 1000.0
        return make_ase_integrator(*args)

    def advance(integrators, n_steps):
        clock.seconds += n_steps / 50.0
        return min(integrator.advance(n_steps) for integrator in integrators)

    options = DynamicsOptions(steps=20, equilibration=0.0)
    results = run_replicas(
        ethanol, springs(ethanol), options, tmp_path, 3, make_integrator=prepare, advance=advance
    )
    assert [round(result.steps_per_second, 6) for result in results] == [50.0, 50.0, 50.0]


def test_a_replica_folder_that_is_a_link_is_refused(ethanol, springs, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "replica-1").symlink_to(elsewhere)
    with pytest.raises(DataError, match="replica-1: a symbolic link"):
        run_replicas(
            ethanol,
            springs(ethanol),
            DynamicsOptions(steps=5, equilibration=0.0),
            tmp_path / "run",
            2,
            make_integrator=make_ase_integrator,
            advance=lambda integrators, n_steps: min(one.advance(n_steps) for one in integrators),
        )
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "run" / "replica-0").exists()
