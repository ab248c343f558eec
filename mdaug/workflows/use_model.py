"""A trained model as the commands that use it need it: calculator, manifest, start, own frames and level."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.data.splits import Split
from mdaug.errors import DataError
from mdaug.frames import FrameSet, structure_from_json
from mdaug.options import Device, Precision
from mdaug.quantum.calculators import GFN2, charged_calculator
from mdaug.sampling.structures import starting_structures
from mdaug.workflows.config import load_config
from mdaug.workflows.runs import find_model

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Model:
    """A loaded model; `label` names it in figures and files."""

    path: Path
    label: str
    calculator: Calculator
    manifest: dict[str, Any]


def load_model(model: Path | None, *, device: Device = "cpu", dtype: Precision | None = None) -> Model:
    """Load a model.pt, that of a run folder, or (None) that of the newest run.

    Raises
    ------
    DataError
        If there is none or it cannot be used.
    """
    path = find_model(model).resolve()
    # imported late, so that a wrong path is told before torch is loaded
    from mdaug.calculators.ase_calculator import MDAugCalculator

    calculator = MDAugCalculator(path, device=device, dtype=dtype)
    label = path.parent.name if path.name == "model.pt" else path.stem
    return Model(path, label, calculator, calculator.manifest)


def load_models(
    models: Sequence[Path], *, device: Device = "cpu", dtype: Precision | None = None
) -> list[Model]:
    """Load several models (none named: the newest run's) under labels that differ."""
    named: list[Path | None] = [*models] or [None]
    loaded = [load_model(model, device=device, dtype=dtype) for model in named]
    labels = [model.label for model in loaded]
    return [
        model
        if labels.count(model.label) == 1
        else Model(model.path, f"{model.label}-{k + 1}", model.calculator, model.manifest)
        for k, model in enumerate(loaded)
    ]


def start_structure(manifest: dict[str, Any], path: Path, structure: str | None) -> Atoms:
    """Return the structure of a file or SMILES, or (None) the lowest training frame of a model.

    Raises
    ------
    DataError
        If neither is there.
    """
    if structure is not None:
        return starting_structures(structure, 1)[0]
    reference = (manifest.get("training") or {}).get("reference_structure")
    if reference is None:
        raise DataError(f"{path}: its manifest holds no reference structure; give one with --structure")
    return structure_from_json(reference)


def own_level(training: dict[str, Any]) -> Calculator | None:
    """Return the calculator of the level of theory that a manifest's `training` names; None unless GFN2-xTB.

    Raises
    ------
    MissingDependencyError
        If tblite is not installed.
    """
    if training.get("level_of_theory") != GFN2:
        return None
    return charged_calculator(GFN2, training.get("charge"), training.get("multiplicity"))


def own_frames(path: Path, part: Part) -> FrameSet:
    """Return the frames that the model at `path` was trained, validated or tested on.

    Raises
    ------
    DataError
        If the model does not lie in the folder of its training, whose config.toml and split.json tell.
    """
    config, split = path.parent / "config.toml", path.parent / "split.json"
    if not (config.is_file() and split.is_file()):
        raise DataError(
            f"{path}: no config.toml and split.json beside it to tell its {part} frames; name frames as DATA"
        )
    frames = load_config(config).data.load_frames()
    index = getattr(Split.from_json(json.loads(split.read_text(encoding="utf-8"))), part)
    if len(index) == 0 or index.max() >= len(frames):
        raise DataError(
            f"{split}: no {part} frames, or not among the {len(frames)} of {frames.name}; name frames as DATA"
        )
    return frames.select(index)
