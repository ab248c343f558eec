"""Cases of one molecule: energy and forces, and a step of molecular dynamics, by every evaluator."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import CalculatorError

from mdaug.bench.autograd import directed, load_autograd
from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.lower_bounds import bare_products, evaluation_products
from mdaug.bench.options import BenchOptions
from mdaug.bench.roofline import roofline_cases
from mdaug.bench.timing import Case, local_case, repeated
from mdaug.calculators import MDAugCalculator
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.calculators.lammps import PLUGIN, plugin_folder
from mdaug.deployment import load_model
from mdaug.geometry.verlet_list import PairList
from mdaug.md import DynamicsOptions
from mdaug.md.ase_integrator import AseIntegrator
from mdaug.md.core_integrator import CoreIntegrator, advance_together
from mdaug.md.lammps_integrator import LammpsIntegrator

MOLECULE_RATIOS = (
    ("core", "products"),
    ("core", "roofline"),
    ("torchscript", "core"),
    ("autograd", "core"),
    ("autograd_networks", "core"),
    ("autograd_networks", "torchscript"),
    ("own_step", "core"),
    ("ase_step", "own_step"),
    ("lammps_step", "own_step"),
)
"""Pairs of cases whose times are divided, if both were measured."""

DYNAMICS = DynamicsOptions(timestep=0.5)


def molecule_cases(model: BenchmarkModel, options: BenchOptions, notes: list[str]) -> list[Case]:
    """Return the cases of the structure in the model's manifest.

    Parameters
    ----------
    model
        The model.
    options
        Device, precision, number of replicas.
    notes
        List to which a sentence is added for each case that is not available.
    """
    device = torch.device(options.device)
    products = evaluation_products(model.sizes, len(model.atoms))
    lower_bound = bare_products(products, getattr(torch, options.dtype), device)
    cases = [
        local_case("products", f"{len(products)} bare matrix products", repeated(lower_bound), device=device),
        local_case("torchscript", "closed form, TorchScript", _script(model, options), device=device),
        *_autograd_cases(model, options),
        local_case("ase", "energy and forces through ASE", _ase(model, options), device=device),
        local_case("ase_step", "NVE step, ASE's integrator", _ase_step(model, options), device=device),
    ]
    try:
        cases[1:1] = _core_cases(model, options)
    except CoreUnavailableError as error:
        notes.append(f"no C++ core: {error}")
    if options.device == "cpu" and _lammps_is_built(notes):
        try:
            engine = LammpsIntegrator(_resting(model), DYNAMICS.timestep, model.path, options.dtype)
            cases.append(local_case("lammps_step", "NVE step, LAMMPS", engine.advance))
        except CalculatorError as error:
            notes.append(f"no LAMMPS: {error}")
    return cases


def _core_cases(model: BenchmarkModel, options: BenchOptions) -> list[Case]:
    core = model.make_core(options.dtype, options.device, threads=1)
    species, positions = model.species, cycle(model.rattled(16)[:, None])

    def evaluate() -> None:
        core.evaluate_molecules(species, next(positions))

    def engine() -> CoreIntegrator:
        return CoreIntegrator(_resting(model), core, species, DYNAMICS, np.random.default_rng(0))

    def stepping(n_replicas: int) -> Callable[[int], None]:
        engines = [engine() for _ in range(n_replicas)]
        start, forces = model.atoms.get_positions(), engines[0].forces

        def steps(n: int) -> None:
            for one_engine in engines:
                _rest(one_engine.atoms, start)
                one_engine.forces = forces
            _in_intervals(n, lambda k: advance_together(engines, k))

        return steps

    n = options.replicas
    return [
        *roofline_cases(model.sizes, len(model.atoms), options.dtype),
        local_case("core", "C++ core", repeated(evaluate)),
        local_case("own_step", "NVE step, own loop", stepping(1)),
        local_case("replicas_step", f"NVE step, own loop, {n} replicas", stepping(n), items=n),
    ]


def _in_intervals(n_steps: int, advance: Callable[[int], int]) -> None:
    """Advance in the intervals in which `mdaug nve` writes thermo data."""
    while n_steps > 0:
        advance(min(n_steps, DYNAMICS.thermo_every))
        n_steps -= DYNAMICS.thermo_every


def _script(model: BenchmarkModel, options: BenchOptions) -> Callable[[int], None]:
    device = torch.device(options.device)
    script = load_model(model.path, options.dtype, options.device)
    species, pairs = torch.from_numpy(model.species).to(device), _pairs(model, device)
    positions = cycle(torch.from_numpy(model.rattled(16)))

    def evaluate() -> None:
        with torch.inference_mode():
            out = script.evaluate(species, next(positions).to(device), *pairs)
        out["forces"].cpu()

    return repeated(evaluate)


def _autograd_cases(model: BenchmarkModel, options: BenchOptions) -> list[Case]:
    device = torch.device(options.device)
    models = {"autograd": ("autograd, TorchScript", model.path)}
    if model.direct_path is not None:
        models["autograd_networks"] = ("autograd, filter networks at every pair", model.direct_path)
    return [
        local_case(name, label, _autograd(model, path, options), device=device)
        for name, (label, path) in models.items()
    ]


def _autograd(model: BenchmarkModel, path: Path, options: BenchOptions) -> Callable[[int], None]:
    device = torch.device(options.device)
    autograd = load_autograd(path, options.dtype, options.device)
    species = torch.from_numpy(model.species).to(device)
    pairs = directed(*_pairs(model, device))
    positions = cycle(torch.from_numpy(model.rattled(16)))

    def evaluate() -> None:
        autograd(species, next(positions).to(device), *pairs)[1].cpu()

    return repeated(evaluate)


def _ase(model: BenchmarkModel, options: BenchOptions) -> Callable[[int], None]:
    atoms = _resting(model)
    atoms.calc = MDAugCalculator(model.path, device=options.device, dtype=options.dtype, strict=None)
    positions = cycle(model.rattled(16))

    def evaluate() -> None:
        atoms.positions = next(positions)
        atoms.get_potential_energy()
        atoms.get_forces()

    return repeated(evaluate)


def _ase_step(model: BenchmarkModel, options: BenchOptions) -> Callable[[int], None]:
    atoms = _resting(model)
    atoms.calc = MDAugCalculator(model.path, device=options.device, dtype=options.dtype, strict=None)
    engine = AseIntegrator(atoms, "nve", DYNAMICS, np.random.default_rng(0))
    start, forces = atoms.get_positions(), engine.forces

    def steps(n: int) -> None:
        _rest(atoms, start)
        engine.forces = forces
        engine.advance(n)

    return steps


def _lammps_is_built(notes: list[str]) -> bool:
    try:
        if (plugin_folder() / PLUGIN).exists():
            return True
        notes.append("no LAMMPS: its plugin is not built, run `mdaug lammps build`")
    except ModuleNotFoundError as error:
        notes.append(f"no LAMMPS: {error}")
    return False


def _pairs(model: BenchmarkModel, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    atoms = model.atoms
    return PairList(model.sizes.cutoff, 1.0, device).pairs(atoms.get_positions(), None, (False,) * 3)


def _resting(model: BenchmarkModel) -> Atoms:
    atoms = model.atoms.copy()
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    return atoms


def _rest(atoms: Atoms, positions: np.ndarray) -> None:
    """Put the atoms at rest at the start positions of each measurement."""
    atoms.set_positions(positions)
    atoms.set_momenta(np.zeros((len(atoms), 3)))
