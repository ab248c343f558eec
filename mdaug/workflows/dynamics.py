"""Molecular dynamics with a model or another calculator: started or resumed, one run or several."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.calculators.applicability import check_applicability
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.errors import DataError
from mdaug.geometry.rigid_motion import NONLINEAR, n_rigid_motions
from mdaug.md import DynamicsOptions, DynamicsResult, run_dynamics
from mdaug.md.core_integrator import advance_together, core_integrators, script_integrators
from mdaug.md.dynamics import run_replicas
from mdaug.md.lammps_integrator import lammps_integrators
from mdaug.md.loop import MakeIntegrator
from mdaug.md.restart import CONFIG_FILE, check_own_record, read_start
from mdaug.options import Device, Precision
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.runs import find_model
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.settings.workflow_options import ModelRunOptions
from mdaug.workflows.trajectory_files import EXTXYZ, MODEL_DEVI, committee_of, write_trajectory_files, written
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import start_structure

BATCH_ENGINES: dict[str, Callable[..., MakeIntegrator]] = {
    "core": core_integrators,
    "torchscript": script_integrators,
}
"""Engines that integrate replicas as one batch."""


@dataclass(frozen=True)
class ModelRun:
    """A prepared run, new or resumed.

    Parameters
    ----------
    start
        The start structure.
    calculator
        The model, or another calculator.
    options
        Options of the run.
    about
        The record of the model or calculator in ``config.json``.
    resume
        Whether the run is resumed.
    extxyz
        Whether the trajectory is also written as extended xyz.
    model_devi
        Whether the deviation of a committee is written for each frame.
    """

    start: Atoms
    calculator: Calculator
    options: DynamicsOptions
    about: dict[str, Any]
    resume: bool
    extxyz: bool = False
    model_devi: bool = False

    @property
    def manifest(self) -> dict[str, Any]:
        """Manifest of the model; ``{}`` for another calculator."""
        return getattr(self.calculator, "manifest", {})


def prepare_run(
    model: Path | None,
    settings: ModelRunOptions,
    options: DynamicsOptions,
    folder: Path,
    *,
    calculator: CalculatorOptions = CalculatorOptions(),
    on_cluster: bool = False,
) -> ModelRun:
    """Return the run that `settings` describe; a resumed run without a restart file starts from the
    beginning.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for the latest run.
    settings
        Start structure, integrator, replicas.
    options
        Options of the dynamics.
    folder
        The run folder.
    calculator
        A calculator instead of a model.
    on_cluster
        Whether replicas run one by one as jobs, which every calculator allows.

    Raises
    ------
    DataError
        If there is no such model, structure or run, the structure is unlike the training frames and
        `settings` are strict, or there is no committee whose deviation could be written.
    """
    run = _prepared(model, settings, options, folder, calculator=calculator, on_cluster=on_cluster)
    # a resumed run makes the trajectory longer, and files of a part of it would pass for whole ones
    before = written(folder) if settings.resume else []
    extxyz, model_devi = settings.extxyz or EXTXYZ in before, settings.model_devi or MODEL_DEVI in before
    if model_devi:
        committee_of(run.about)  # fails now rather than after the run
    return replace(run, resume=settings.resume, extxyz=extxyz, model_devi=model_devi)


def _prepared(
    model: Path | None,
    settings: ModelRunOptions,
    options: DynamicsOptions,
    folder: Path,
    *,
    calculator: CalculatorOptions,
    on_cluster: bool,
) -> ModelRun:
    """Return the run, without what is written after it."""
    recorded, run_folder = None, folder
    choice = CalculatorChoice.from_options(calculator, settings.structure)
    if settings.resume:
        run_folder = folder if (folder / CONFIG_FILE).exists() else folder / "replica-0"
        recorded = read_start(run_folder)
    if recorded is not None:
        start, before, about = recorded
        if model is None and choice is None:
            check_own_record(run_folder)
        changed = before.model_copy(update=options.model_dump(exclude_unset=True))
        if choice is not None or "calculator" in about:
            same = _same_calculator(about, model, choice, run_folder / CONFIG_FILE)
        else:
            same = _same_model(about, model)
        return ModelRun(start, same, changed, about, resume=True)
    if choice is not None:
        return _calculator_run(choice, settings, options, on_cluster=on_cluster)
    run = new_run(
        find_model(model).resolve(),
        settings.structure,
        options,
        replicas=settings.replicas or 1,
        dtype=settings.dtype,
        device=settings.device or "cpu",
        engine=settings.engine or "auto",
    )
    check_applicability(run.start, run.manifest, strict=settings.strict)
    return run


def new_run(
    path: Path,
    start: Atoms | str | None,
    options: DynamicsOptions,
    *,
    replicas: int = 1,
    dtype: Precision | None = None,
    device: Device = "cpu",
    engine: str = "auto",
) -> ModelRun:
    """Return a run that begins with a structure.

    Parameters
    ----------
    path
        A model.pt.
    start
        The start structure: atoms, a structure file, a SMILES string, or None for the lowest training frame.
    options
        Options of the dynamics.
    replicas, dtype, device, engine
        As in `ModelRunOptions`.

    Raises
    ------
    DataError
        If the file is not a model, or the structure cannot be read.
    """
    calculator = MDAugCalculator(path, device=device, dtype=dtype, strict=None)
    about = {
        "model": str(path),
        "weights_sha256": calculator.manifest["weights_sha256"],
        "dtype": dtype,
        "device": device,
        "engine": engine,
        "replicas": replicas,
    }
    if not isinstance(start, Atoms):
        start = start_structure(calculator.manifest, path, start)
    return ModelRun(start, calculator, options, about, resume=False)


def run_model(run: ModelRun, folder: Path, progress: Progress = ignore) -> list[DynamicsResult]:
    """Run the dynamics to the end and return the result of each replica.

    Parameters
    ----------
    run
        From `prepare_run`.
    folder
        The run folder.
    progress
        Called with the phase and the numbers of steps done and in all.

    Raises
    ------
    DataError
        If the integrator named by --engine cannot run this system.
    """
    n_replicas = run.about.get("replicas", 1)
    integrators, about = integrators_of(run, together=n_replicas > 1)
    shared: dict[str, Any] = {**integrators, "resume": run.resume, "about": about, "progress": progress}
    if n_replicas == 1:
        results = [run_dynamics(run.start, run.calculator, run.options, folder, **shared)]
    else:
        results = run_replicas(
            run.start, run.calculator, run.options, folder, n_replicas, advance=advance_together, **shared
        )
    write_trajectory_files(run, [folder] if n_replicas == 1 else sorted(folder.glob("replica-*")))
    return results


def recorded_model(about: dict[str, Any]) -> MDAugCalculator:
    """Return the model of a run, and refuse a file that was replaced meanwhile.

    Parameters
    ----------
    about
        The record of the model in ``config.json``.

    Raises
    ------
    DataError
        The file has other weights than the run began with.
    """
    calculator = MDAugCalculator(
        Path(about["model"]), device=about["device"], dtype=about["dtype"], strict=None
    )
    if calculator.manifest["weights_sha256"] != about["weights_sha256"]:
        raise DataError(f"{about['model']}: not the model that this run began with; name that one as MODEL")
    return calculator


def integrators_of(run: ModelRun, *, together: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the factories of integrators for `run_dynamics`, and the record of the run with its engine.

    Parameters
    ----------
    run
        The run.
    together
        Whether several replicas are integrated as one batch.

    Returns
    -------
    tuple of dict
        ``make_integrator`` and ``equilibrate_with``, each None for the integrators of ASE; and the record.

    Raises
    ------
    DataError
        If the integrator named by --engine cannot run this system.
    """
    about, engine = dict(run.about), run.about.get("engine", "ase")
    if engine == "lammps":
        if run.options.ensemble != "nve" or together:
            raise DataError(
                "engine lammps takes one run at constant energy (its thermostat would turn molecules); "
                "use --engine auto"
            )
        make = lammps_integrators(Path(about["model"]), about["dtype"], run.start)
        return {"make_integrator": make, "equilibrate_with": None}, about
    about["engine"], batch = _batch_integrators(run, engine, together=together)
    # the thermostat of a batch takes molecules that turn about three axes
    thermostat = batch if n_rigid_motions(run.start) == NONLINEAR else None
    return {"make_integrator": batch, "equilibrate_with": thermostat}, about


def _batch_integrators(run: ModelRun, engine: str, *, together: bool) -> tuple[str, MakeIntegrator | None]:
    """Return the name of the engine, and its factory of integrators; None for those of ASE."""
    about, names, reason = run.about, [engine], "--engine is ase"
    if engine == "auto":
        names = ["core", "torchscript"] if together or about["device"] == "cuda" else ["core"]
    given = {"ensemble": run.options.ensemble, "dtype": about.get("dtype"), "device": about.get("device")}
    for name in names:
        if name in BATCH_ENGINES:
            try:
                return name, BATCH_ENGINES[name](Path(about["model"]), run.manifest, run.start, **given)
            except CoreUnavailableError as error:
                reason = str(error)
    if engine in BATCH_ENGINES:
        raise DataError(f"--engine {engine} cannot run this system: {reason}; use --engine ase")
    if together:
        raise DataError(
            f"--replicas needs the C++ core or TorchScript, not used here: {reason}; leave --replicas out"
        )
    return "ase", None


def _calculator_run(
    choice: CalculatorChoice, settings: ModelRunOptions, options: DynamicsOptions, *, on_cluster: bool
) -> ModelRun:
    """Return a run with a calculator that begins with a structure."""
    replicas = settings.replicas or 1
    if replicas > 1 and not on_cluster:
        raise DataError(
            f"--replicas needs the C++ core, which {choice.name} is not of; start several runs with their "
            "own --seed, or run the replicas on a cluster (--scheduler)"
        )
    about = {**choice.to_json(), "engine": "ase", "replicas": replicas}
    return ModelRun(choice.start(settings.structure), choice.make(), options, about, resume=False)


def _same_calculator(
    about: dict[str, Any], model: Path | None, given: CalculatorChoice | None, record: Path
) -> Calculator:
    """Return the calculator of the resumed run."""
    if "calculator" not in about or model is not None:
        began = f"calculator {about['calculator']}" if "calculator" in about else f"model {about['model']}"
        raise DataError(f"{record}: the run began with the {began}; resume it with that one")
    return CalculatorChoice.resumed(about, given, record).make()


def _same_model(about: dict[str, Any], model: Path | None) -> MDAugCalculator:
    """Return the model of the resumed run, and record its present path in `about`."""
    if model is not None:
        about["model"] = str(find_model(model).resolve())
    return recorded_model(about)
