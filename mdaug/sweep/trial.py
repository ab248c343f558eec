"""One trial of a sweep: a training in its own folder, its scan and its errors."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mdaug.analysis.model_scan import bond_to_hydrogen, scan_grid, scan_model
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.archives import read_json
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.errors import DataError
from mdaug.files import write_json, write_text
from mdaug.frames import structure_from_json
from mdaug.locks import locked
from mdaug.training import TrainState
from mdaug.workflows.settings.config import CONFIG, RunConfig
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.sets import TrainingCallbacks

RESULT = "trial.json"


def run_trial(
    config: RunConfig,
    folder: Path,
    reference: Path | None,
    epoch: Callable[[TrainState], None],
    *,
    device: str = "auto",
) -> dict[str, Any]:
    """Train and scan, or continue a trial that was killed; return the content of trial.json.

    A finished trial is not run again. Two workers never run the same trial at once. A trial is trained as its
    settings say, without the comparison of `augment.compare`: the sweep itself compares.

    Parameters
    ----------
    config
        Settings of the training.
    folder
        Folder of the trial.
    reference
        CSV file with the reference curve of the O-H (or other X-H) scan, zero at the model's reference
        structure; None for GFN2-xTB if the model was trained on its frames, and no reference otherwise.
    epoch
        Called with the state of the training after each epoch.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", what=str(folder), on_wait=lambda: None):
        if (folder / RESULT).exists():
            return read_trial(folder)
        config = config.replace({"augment": {"compare": False}})
        resume = (folder / "checkpoint.pt").exists() and (folder / CONFIG).exists()
        outcome = train_force_field(
            config, folder, device=device, resume=resume, callbacks=TrainingCallbacks(epoch=epoch)
        )
        scan = outcome.scan if reference is None else _scan(outcome.model_path, reference)
        results = read_json(folder / "results.json", "the results of a training")
        content = {"validation": results["validation"], "test": results["test"], "scan": None}
        if scan is not None:
            write_text(folder / "scan.csv", scan.to_csv())
            content["scan"] = scan_metrics(scan)
        write_json(folder / RESULT, content)
        return content


def read_trial(folder: Path) -> dict[str, Any]:
    """Return the content of trial.json.

    Parameters
    ----------
    folder
        Folder of a finished trial.

    Raises
    ------
    DataError
        The file does not have the form that `run_trial` writes.
    """
    content = read_json(folder / RESULT, "the result of a trial")
    missing = {"validation", "test", "scan"} - content.keys()
    if missing:
        raise DataError(
            f"{folder / RESULT}: lacks {', '.join(sorted(missing))}; remove it to run the trial again"
        )
    return content


def trial_name(parameters: dict[str, Any], config: RunConfig) -> str:
    """Return the name of a trial's folder: its parameters, and a hash of all settings.

    Parameters
    ----------
    parameters
        Values by SECTION.KEY.
    config
        Settings of the training.
    """
    text = "_".join(f"{key.rpartition('.')[2]}={value}" for key, value in sorted(parameters.items()))
    digest = hashlib.sha256(repr(config).encode()).hexdigest()[:8]
    return f"{text.replace('/', '-')[:80]}_{digest}"


def objective_of(result: dict[str, Any], objective: str) -> float:
    """Return the number that the sweep minimizes.

    Parameters
    ----------
    result
        Content of trial.json.
    objective
        ``scan`` or ``forces``.

    Raises
    ------
    DataError
        The trial has no scan with a reference.
    """
    if objective == "forces":
        return float(result["validation"]["force_mae_kcal_mol_A"])
    reference = (result["scan"] or {}).get("reference")
    if reference is None:
        raise DataError(
            "the scan has no reference curve; give one with --reference FILE, "
            "or minimize the errors of the validation forces with --objective forces"
        )
    return float(reference["rmse_below_150_kcal_mol"])


def _scan(model: Path, reference: Path) -> ScanResult | None:
    """Scan a bond to hydrogen; both energies are zero at the model's reference structure."""
    calculator = MDAugCalculator(model, dtype="float64", strict=None)
    training = calculator.manifest["training"]
    start = structure_from_json(training["reference_structure"])
    bond = bond_to_hydrogen(training, start)
    if bond is None:
        return None
    return scan_model(
        calculator,
        calculator.manifest,
        start,
        bond,
        scan_grid(start, bond),
        label=model.parent.name,
        reference=reference,
    )
