"""A trained model, or another calculator, for the commands: calculator, manifest, start structure, training
frames, level of theory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.archives import read_json
from mdaug.data.splits import Split
from mdaug.deployment.manifest import read_manifest
from mdaug.errors import DataError
from mdaug.frames import FrameSet, structure_from_json
from mdaug.options import Device, Precision
from mdaug.quantum.calculators import GFN2, charged_calculator
from mdaug.sampling.structures import starting_structures
from mdaug.workflows.run_folders.runs import find_model, model_label
from mdaug.workflows.settings.config import CONFIG, load_recorded_config
from mdaug.workflows.settings.options import Part
from mdaug.workflows.training.data import SPLIT, load_labeled, read_splits
from mdaug.workflows.use_calculator import CalculatorChoice


@dataclass(frozen=True)
class Model:
    """A loaded model, or another calculator.

    Parameters
    ----------
    label
        Name in figures and files.
    calculator
        The calculator.
    manifest
        Manifest of the model; ``{}`` for another calculator.
    path
        The model.pt; None for another calculator.
    choice
        How another calculator was made; None for a model.
    """

    label: str
    calculator: Calculator
    manifest: dict[str, Any]
    path: Path | None = None
    choice: CalculatorChoice | None = None

    @property
    def name(self) -> str:
        """Path of the model, or name of the calculator, for messages and records."""
        return self.choice.name if self.choice else str(self.path)

    @property
    def training(self) -> dict[str, Any]:
        """Entry ``"training"`` of the manifest; charge and multiplicity of another calculator."""
        return self.choice.level if self.choice else self.manifest.get("training") or {}

    def start(self, structure: str | None) -> Atoms:
        """Return the structure of a file or SMILES string, or (None) the lowest training frame.

        Parameters
        ----------
        structure
            A structure file or SMILES string.

        Raises
        ------
        DataError
            If there is none; a calculator has no training frames.
        """
        if self.choice is not None:
            return self.choice.start(structure)
        return start_structure(self.manifest, self.name, structure)


def load_model(
    model: Path | None,
    choice: CalculatorChoice | None = None,
    *,
    device: Device = "cpu",
    dtype: Precision | None = None,
) -> Model:
    """Load a model.pt (a file, that of a run folder, or that of the newest run), or make a calculator.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for ``runs/latest``.
    choice
        A calculator instead of a model.
    device, dtype
        As for `MDAugCalculator`; a calculator does not have them.

    Raises
    ------
    DataError
        If there is none or it cannot be used.
    """
    if choice is not None:
        return Model(choice.label, choice.make(), {}, choice=choice)
    path = find_model(model).resolve()
    # imported late, so that a wrong path is found before torch is imported
    from mdaug.calculators.ase_calculator import MDAugCalculator

    # the commands compare their start with the training frames; a scan would warn of each stretched bond
    calculator = MDAugCalculator(path, device=device, dtype=dtype, strict=None)
    return Model(model_label(path), calculator, calculator.manifest, path)


def load_models(
    models: Sequence[Path],
    choice: CalculatorChoice | None = None,
    *,
    device: Device = "cpu",
    dtype: Precision | None = None,
) -> list[Model]:
    """Load several models and a calculator (by default the model of the newest run) with different labels.

    Parameters
    ----------
    models
        Files model.pt or run folders.
    choice
        A calculator, which comes last.
    device, dtype
        As for `MDAugCalculator`.

    Raises
    ------
    DataError
        If one of them does not exist or cannot be used.
    """
    named: list[Path | None] = [*models] or ([] if choice else [None])
    loaded = [load_model(model, device=device, dtype=dtype) for model in named]
    if choice is not None:
        loaded.append(load_model(None, choice))
    labels = [model.label for model in loaded]
    return [
        model if labels.count(model.label) == 1 else replace(model, label=f"{model.label}-{k + 1}")
        for k, model in enumerate(loaded)
    ]


def start_structure(manifest: dict[str, Any], path: Path | str, structure: str | None) -> Atoms:
    """Return the structure of a file or SMILES string, or (None) the lowest training frame of a model.

    Parameters
    ----------
    manifest, path
        Manifest and path of the model.
    structure
        A structure file, a SMILES string, or the label of a system of the model, for the lowest training
        frame of that system.

    Raises
    ------
    DataError
        If neither is there.
    """
    training = manifest.get("training") or {}
    systems = {record["label"]: record for record in training.get("systems") or []}
    if structure in systems:
        return structure_from_json(systems[structure]["reference_structure"])
    if structure is not None:
        try:
            return starting_structures(structure, 1)[0]
        except DataError as error:
            if not systems or Path(structure).exists():
                raise
            raise DataError(f"{error}; the systems of {path} are {', '.join(systems)}") from error
    reference = training.get("reference_structure")
    if reference is None:
        raise DataError(f"{path}: its manifest holds no reference structure; give one with --structure")
    return structure_from_json(reference)


def own_level(training: dict[str, Any]) -> Calculator | None:
    """Return the calculator of the level of theory that a manifest names; None unless GFN2-xTB.

    Parameters
    ----------
    training
        The entry "training" of the manifest.

    Raises
    ------
    MissingDependencyError
        If tblite is not installed.
    """
    if training.get("level_of_theory") != GFN2:
        return None
    return charged_calculator(GFN2, training.get("charge"), training.get("multiplicity"))


def own_frames(path: Path, part: Part, label: str | None = None) -> FrameSet:
    """Return the frames that the model at `path` was trained, validated or tested on.

    Parameters
    ----------
    path
        A model.pt in the folder of its training, beside config.toml and split.json.
    part
        Which frames.
    label
        Label of the system; None for a model of one system.

    Raises
    ------
    DataError
        If the model does not lie in the folder of its training, the frames are not found or have changed, or
        they are of several systems and none is named.
    """
    systems = own_systems(path, part)
    if label is None and len(systems) > 1:
        raise DataError(f"{path}: trained on several systems ({', '.join(systems)}); name frames of one")
    return next(iter(systems.values())) if label is None else systems[label]


def own_systems(path: Path, part: Part) -> dict[str, FrameSet]:
    """Return the frames of each system that the model at `path` was trained, validated or tested on.

    Parameters
    ----------
    path, part
        As for `own_frames`.

    Returns
    -------
    dict
        Label of a system -> its frames; a system of several may have none.

    Raises
    ------
    DataError
        If the model does not lie in the folder of its training, or the frames are not found or have changed.
    """
    recorded = recorded_systems(path, f"its {part} frames")
    parts = {label: frames.select(getattr(split, part)) for label, (frames, split) in recorded.items()}
    if len(parts) == 1 and not len(next(iter(parts.values()))):
        raise DataError(f"{path.parent / SPLIT}: it has no {part} frames; give frames as DATA")
    return parts


def recorded_systems(path: Path, what: str = "its frames") -> dict[str, tuple[FrameSet, Split]]:
    """Return label, frames and split of each system that the model at `path` was trained on.

    Parameters
    ----------
    path
        A model.pt in the folder of its training, beside config.toml and split.json.
    what
        What is looked for, for messages.

    Raises
    ------
    DataError
        If the model does not lie in the folder of its training, or the frames are not found or have changed.
    """
    config, file = path.parent / CONFIG, path.parent / SPLIT
    if not (config.is_file() and file.is_file()):
        raise DataError(
            f"{path}: no {CONFIG} and {SPLIT} beside it, which record {what}; name frames as DATA"
        )
    systems = load_labeled(load_recorded_config(config).data)
    splits = read_splits(file)
    if len(splits) != len(systems):
        raise DataError(
            f"{file}: splits of {len(splits)} systems, and the data have {len(systems)}; give frames as DATA"
        )
    for (_, frames, _), split in zip(systems, splits, strict=True):
        last = max(int(index.max(initial=0)) for index in (split.train, split.validation, split.test))
        if last >= len(frames):
            raise DataError(
                f"{file}: index {last} is beyond the {len(frames)} frames of {frames.name}; give frames as "
                "DATA"
            )
    return {label: (frames, split) for (label, frames, _), split in zip(systems, splits, strict=True)}


def describe_model(model: Path | None) -> dict[str, Any]:
    """Return path, manifest and (from results.json beside the file, if it exists) results of a model.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for the latest run. Nothing in the file is executed.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    path = find_model(model)
    return {"model": str(path), "manifest": read_manifest(path), "results": _results(path)}


def _results(model: Path) -> dict[str, Any] | None:
    path = model.with_name("results.json")
    if not path.is_file():
        return None
    return read_json(path, "the results of a training")
