"""The C++ core moves molecules as ASE does, one or many at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mdaug import MDAugCalculator
from mdaug.deploy import export_model, read_manifest
from mdaug.engines.core import CoreUnavailableError
from mdaug.simulate import DynamicsOptions, run_dynamics
from mdaug.simulate.core_engine import advance_replicas, core_engines
from mdaug.simulate.replicas import run_replicas

FILES = ("thermo.csv", "trajectory.dcd", "topology.pdb")


@pytest.fixture
def model(make_model, tmp_path) -> Path:
    return export_model(make_model(), tmp_path / "model.pt", training={})


@pytest.fixture
def engines(model, ethanol):
    return core_engines(model, read_manifest(model), ethanol, ensemble="nve", dtype=None, device="cpu")


def quick(**changes) -> DynamicsOptions:
    """Return a short run; random weights hold no molecule together, so nobody guards the bonds."""
    few = {"steps": 60, "timestep": 0.2, "equilibration": 0.002, "temperature": 30.0, "guard": False}
    return DynamicsOptions(**few | {"thermo_every": 5, "frames_every": 7} | changes)


def table(folder):
    return np.loadtxt(folder / "thermo.csv", delimiter=",", skiprows=1)


def test_same_trajectory_as_ase(ethanol, model, engines, tmp_path) -> None:
    for name, make in (("ase", None), ("core", engines)):
        run_dynamics(ethanol, MDAugCalculator(model), quick(), tmp_path / name, make_engine=make)
    ase, core = table(tmp_path / "ase"), table(tmp_path / "core")
    assert np.ptp(core[:, 3]) > 1e-3  # it does move
    np.testing.assert_allclose(core, ase, rtol=1e-10)


def test_a_resumed_run_equals_the_uninterrupted_one(ethanol, model, engines, tmp_path) -> None:
    calculator = MDAugCalculator(model)
    run_dynamics(ethanol, calculator, quick(), tmp_path / "whole", make_engine=engines)
    run_dynamics(ethanol, calculator, quick(steps=23), tmp_path / "parts", make_engine=engines)
    run_dynamics(ethanol, calculator, quick(), tmp_path / "parts", make_engine=engines, resume=True)
    for name in FILES:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def replicas(ethanol, model, engines, folder, options, **more):
    more = {"advance": advance_replicas, "make_engine": engines} | more
    return run_replicas(ethanol, MDAugCalculator(model), options, folder, 3, **more)


def test_each_replica_is_the_run_that_it_would_be_alone(ethanol, model, engines, tmp_path) -> None:
    told = []
    results = replicas(
        ethanol, model, engines, tmp_path / "all", quick(seed=4), progress=lambda *args: told.append(args)
    )
    assert [result.completed_steps for result in results] == [60, 60, 60]
    for k in range(3):
        run_dynamics(
            ethanol, MDAugCalculator(model), quick(seed=4 + k), tmp_path / str(k), make_engine=engines
        )
        for name in FILES:
            mine = (tmp_path / "all" / f"replica-{k}" / name).read_bytes()
            assert mine == (tmp_path / str(k) / name).read_bytes(), name
    assert len({(tmp_path / str(k) / "thermo.csv").read_bytes() for k in range(3)}) == 3
    assert told[0][::2] == ("equilibration", 30)
    assert told[-1] == ("dynamics", 60, 60)


def test_a_failing_replica_drops_out(ethanol, model, engines, tmp_path) -> None:
    sizes = []

    def advance(some, n_steps):
        done = advance_replicas(some, n_steps)
        sizes.append(len(some))
        if len(sizes) == 3:
            some[1].atoms.positions[0, 0] = np.nan
        return done

    results = replicas(ethanol, model, engines, tmp_path, quick(), advance=advance)
    assert [result.completed_steps for result in results] == [60, 10, 60]
    assert results[1].stopped_because == "energy or positions are not finite, at step 10"
    assert sizes[:4] == [3, 3, 3, 2]
    written = json.loads((tmp_path / "nve.json").read_text())
    assert written["completed_steps"] == [60, 10, 60]
    assert written["stopped_because"] == [None, results[1].stopped_because, None]
    assert table(tmp_path / "replica-1")[-1, 0] == 10


def test_replicas_killed_at_different_steps_go_on_together(ethanol, model, engines, tmp_path) -> None:
    replicas(ethanol, model, engines, tmp_path / "whole", quick())
    replicas(ethanol, model, engines, tmp_path / "parts", quick(steps=20))
    ahead = quick(steps=40, seed=1)
    folder = tmp_path / "parts" / "replica-1"
    run_dynamics(ethanol, MDAugCalculator(model), ahead, folder, make_engine=engines, resume=True)
    replicas(ethanol, model, engines, tmp_path / "parts", quick(), resume=True)
    for k in range(3):
        for name in FILES:
            parts, whole = (tmp_path / part / f"replica-{k}" / name for part in ("parts", "whole"))
            assert parts.read_bytes() == whole.read_bytes(), (k, name)


def test_what_the_core_cannot_move_is_refused(ethanol, model) -> None:
    manifest, here = read_manifest(model), {"dtype": None, "device": "cpu"}
    with pytest.raises(CoreUnavailableError, match="these atoms are periodic"):
        core_engines(model, manifest, bulk("C"), ensemble="nve", **here)
    with pytest.raises(CoreUnavailableError, match="no thermostat"):
        core_engines(model, manifest, ethanol, ensemble="nvt", **here)
