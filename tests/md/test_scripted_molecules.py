"""Replicas by TorchScript: the trajectories and files of the C++ core, on the CPU by the code for a GPU."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.io import write
from torch.utils._python_dispatch import TorchDispatchMode

from mdaug import MDAugCalculator
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.cli.app import main
from mdaug.deployment import export_model, last_layer_statistics, read_manifest
from mdaug.frames import FrameSet
from mdaug.md import DynamicsOptions, run_dynamics, run_replicas
from mdaug.md.core_integrator import advance_together, core_integrators, script_integrators
from tests.force_fields import random_templates

KINDS = [{"baseline": True}, {"n_vectors": 5, "prior": "pair"}]


@pytest.fixture
def exported(make_model, ethanol, tmp_path):
    def export(baseline: bool = False, **kind) -> Path:
        templates = random_templates("CH3CH2OH") if baseline else []
        model, rng = make_model(**kind), np.random.default_rng(0)
        positions = ethanol.positions + 0.05 * rng.standard_normal((30, len(ethanol), 3))
        frames = FrameSet(ethanol.numbers, positions, np.zeros(30), np.zeros_like(positions))
        statistics = last_layer_statistics(model, [frames])
        reference = {"atomic_numbers": ethanol.numbers.tolist(), "positions": ethanol.positions.tolist()}
        training = {"reference_structure": reference}
        more = {"training": training, "statistics": statistics, "templates": templates}
        return export_model(model, tmp_path / "model.pt", **more)

    return export


def quick(**changes) -> DynamicsOptions:
    """Return a short run; random weights hold no molecule together, so nobody guards the bonds."""
    short = {"steps": 60, "timestep": 0.2, "equilibration": 0.006, "temperature": 30.0, "guard": False}
    return DynamicsOptions(**short | {"thermo_every": 5, "frames_every": 7} | changes)


def core_maker(model: Path, atoms, ensemble: str, make=core_integrators):
    return make(model, read_manifest(model), atoms, ensemble=ensemble, dtype="float64", device="cpu")


def script_maker(model: Path, atoms, ensemble: str):
    return core_maker(model, atoms, ensemble, script_integrators)


def makers(model: Path, atoms, ensemble: str) -> dict:
    return {"core": core_maker(model, atoms, ensemble), "script": script_maker(model, atoms, ensemble)}


def run_three(model, atoms, options, folder, make, **more):
    shared = {"make_integrator": make, "equilibrate_with": make, "advance": advance_together} | more
    return run_replicas(atoms, MDAugCalculator(model, dtype="float64"), options, folder, 3, **shared)


def table(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "thermo.csv", delimiter=",", skiprows=1)


def last_positions(folder: Path) -> np.ndarray:
    return np.load(folder / "restart.npz")["positions"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_the_files_are_those_of_the_core(ethanol, exported, ensemble, kind, tmp_path) -> None:
    model = exported(**kind)
    for name, make in makers(model, ethanol, ensemble).items():
        run_three(model, ethanol, quick(ensemble=ensemble), tmp_path / name, make)
    for k in range(3):
        core, script = tmp_path / "core" / f"replica-{k}", tmp_path / "script" / f"replica-{k}"
        assert sorted(path.name for path in script.iterdir()) == sorted(path.name for path in core.iterdir())
        heads = [(folder / "thermo.csv").read_text().splitlines()[0] for folder in (core, script)]
        assert heads[0] == heads[1]
        assert heads[0].endswith("extrapolation")
        np.testing.assert_allclose(table(script), table(core), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(last_positions(script), last_positions(core), atol=1e-8)
        assert np.ptp(table(core)[:, 3]) > 1e-3  # it does move


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_replicas_follow_single_trajectories_for_a_picosecond(ethanol, exported, ensemble, tmp_path) -> None:
    model, options = exported(), quick(ensemble=ensemble, steps=1000, timestep=1.0, temperature=300.0)
    make = script_maker(model, ethanol, ensemble)
    run_three(model, ethanol, options, tmp_path / "all", make)
    for k in range(3):
        own = options.model_copy(update={"seed": k})
        calculator = MDAugCalculator(model, dtype="float64")
        run_dynamics(ethanol, calculator, own, tmp_path / str(k), make_integrator=make, equilibrate_with=make)
        both = [last_positions(folder) for folder in (tmp_path / "all" / f"replica-{k}", tmp_path / str(k))]
        np.testing.assert_allclose(*both, atol=1e-4)
    ends = [last_positions(tmp_path / str(k)) for k in range(3)]
    assert np.abs(ends[0] - ends[1]).max() > 0.1


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_a_resumed_batch_equals_the_uninterrupted_one(ethanol, exported, ensemble, tmp_path) -> None:
    model, options = exported(), quick(ensemble=ensemble)
    make = script_maker(model, ethanol, ensemble)
    run_three(model, ethanol, options, tmp_path / "whole", make)
    run_three(model, ethanol, options.model_copy(update={"steps": 23}), tmp_path / "parts", make)
    run_three(model, ethanol, options, tmp_path / "parts", make, resume=True)
    for k in range(3):
        for name in ("thermo.csv", "trajectory.dcd"):
            parts, whole = (tmp_path / run / f"replica-{k}" / name for run in ("parts", "whole"))
            assert parts.read_bytes() == whole.read_bytes(), name


def test_a_replica_above_the_limit_stops_and_the_others_go_on(ethanol, exported, tmp_path) -> None:
    model = exported()
    made = makers(model, ethanol, "nve")
    run_three(model, ethanol, quick(), tmp_path / "whole", made["script"])
    largest = [table(tmp_path / "whole" / f"replica-{k}")[:, 6].max() for k in range(3)]
    limit = float(np.sort(largest)[1:].mean())  # only the replica with the largest value exceeds it
    stopped = {}
    for name, make in made.items():
        results = run_three(model, ethanol, quick(halt_above=limit), tmp_path / name, make)
        stopped[name] = [result.stopped_because for result in results]
        assert [reason is not None for reason in stopped[name]] == [value > limit for value in largest]
        assert [result.completed_steps == 60 for result in results] == [value < limit for value in largest]
    assert stopped["script"] == stopped["core"]


def test_a_replica_that_is_lost_leaves_the_others_as_they_are(ethanol, exported, tmp_path) -> None:
    model = exported()
    make = script_maker(model, ethanol, "nvt")
    run_three(model, ethanol, quick(ensemble="nvt"), tmp_path / "whole", make)
    calls = []

    def advance(some, n_steps):
        done = advance_together(some, n_steps)
        calls.append(len(some))
        if len(calls) == 7:
            some[1].forces = np.full_like(some[1].forces, np.inf)  # the next step loses its positions
        return done

    results = run_three(model, ethanol, quick(ensemble="nvt"), tmp_path / "lost", make, advance=advance)
    assert results[1].stopped_because.startswith("energy or positions are not finite")
    assert [result.completed_steps for result in results[::2]] == [60, 60]
    for k in (0, 2):
        found, expected = (table(tmp_path / run / f"replica-{k}") for run in ("lost", "whole"))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert calls[-1] == 2


class Recorded(TorchDispatchMode):
    """Records the names of the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(str(function))
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("kind", [*KINDS, {"filters": "direct"}], ids=str)
def test_a_step_could_be_a_cuda_graph(ethanol, exported, kind) -> None:
    """It reads no number back from the device, makes no tensor from numbers, and has fixed shapes."""
    integrator = script_maker(exported(**kind), ethanol, "nvt")(
        ethanol, quick(ensemble="nvt"), np.random.default_rng(0), None
    )
    scripted = integrator.core
    steps = []
    original = scripted._step
    scripted._step = lambda *given: steps.append(original(*given)) or steps[-1]
    integrator.advance(3)
    with Recorded() as recorded, torch.inference_mode():
        steps[0]()
    assert "aten.index_add.default" in recorded.names
    waiting = (
        "_local_scalar_dense",
        "item",
        "nonzero",
        "unique",
        "masked_select",
        "lift_fresh",
        "linalg_inv",
    )
    assert not [name for name in recorded.names if any(word in name for word in waiting)]


def test_the_command_runs_resumes_and_records_the_engine(exported, ethanol, tmp_path, capsys) -> None:
    model, out = exported(), tmp_path / "out"
    arguments = ["nvt", str(model), "--engine", "torchscript", "--replicas", "2", "--equilibration", "0.002"]
    arguments += ["--steps", "20", "--timestep", "0.1", "--no-guard", "--dtype", "float64"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert json.loads((out / "replica-1" / "config.json").read_text())["about"]["engine"] == "torchscript"
    assert main(["nvt", "--resume", "--steps", "40", "--out", str(out)]) == 0
    assert json.loads((out / "nvt.json").read_text())["completed_steps"] == [40, 40]
    arguments[3] = "core"
    assert main([*arguments, "--out", str(tmp_path / "core")]) == 0
    np.testing.assert_allclose(
        table(out / "replica-1")[:3], table(tmp_path / "core" / "replica-1")[:3], rtol=1e-8, atol=1e-8
    )
    write(tmp_path / "crystal.xyz", bulk("C"))
    refused = ["nve", str(model), "--engine", "torchscript", "--structure", str(tmp_path / "crystal.xyz")]
    assert main([*refused, "--out", str(tmp_path / "no")]) == 1
    assert "--engine torchscript cannot run this system: it supports molecules" in capsys.readouterr().err


def test_without_the_core_replicas_run_by_torchscript(exported, tmp_path, monkeypatch) -> None:
    def no_core(*_, **__):
        raise CoreUnavailableError("no compiler")

    monkeypatch.setattr("mdaug.md.core_integrator.make_core", no_core)
    arguments = ["nve", str(exported()), "--replicas", "2", "--equilibration", "0", "--steps", "10"]
    assert main([*arguments, "--no-guard", "--out", str(tmp_path / "out")]) == 0
    about = json.loads((tmp_path / "out" / "replica-0" / "config.json").read_text())["about"]
    assert about["engine"] == "torchscript"


def test_linear_molecules_move_at_constant_energy_only(exported) -> None:
    model, line = exported(), molecule("CO2")
    with pytest.raises(CoreUnavailableError, match="linear"):
        script_integrators(model, read_manifest(model), line, ensemble="nvt", dtype=None, device="cpu")
    script_integrators(model, read_manifest(model), line, ensemble="nve", dtype=None, device="cpu")
