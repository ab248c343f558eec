"""The force fields that an examination is of: models and calculators with frames and start structures."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from mdaug.calculators.trained_systems import label_for, manifest_for
from mdaug.errors import DataError
from mdaug.examination.force_field import ExaminedForceField
from mdaug.examination.options import ExaminationOptions
from mdaug.examination.runs import RUNS
from mdaug.frames import FloatArray, FrameSet
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import Model, load_models, own_frames, recorded_systems


@dataclass(frozen=True)
class ExaminedModels:
    """The force fields of an examination, and what they are examined with; small enough to send to workers.

    Parameters
    ----------
    models
        Files model.pt or run folders; empty for the calculator alone, or else for the latest run.
    frames
        Held-out frames; None for the test frames of each model's own training.
    options
        Parts, time and start structure.
    folder
        Output folder.
    calculator
        A calculator that is examined instead of a model or beside the models.
    """

    models: tuple[Path, ...]
    frames: FrameSet | None
    options: ExaminationOptions
    folder: Path
    calculator: CalculatorOptions

    def load(self) -> list[Model]:
        """Return the models and the calculator.

        Raises
        ------
        DataError
            One of them is not found, or cannot be used.
        """
        choice = CalculatorChoice.from_options(self.calculator, self.options.structure)
        return load_models(self.models, choice, dtype="float64")

    def force_field(self, loaded: Sequence[Model], label: str) -> ExaminedForceField:
        """Return one of the force fields.

        A calculator beside models, without DATA and ``--structure``, has the frames of the first model.

        Parameters
        ----------
        loaded
            From `load`.
        label
            Its name.

        Raises
        ------
        DataError
            It has no start structure, or one of other atoms than the frames.
        """
        temperature_K = next((T for model in loaded if (T := model.training.get("temperature_K"))), None)
        model, first = next(model for model in loaded if model.label == label), loaded[0]
        borrows = self.frames is None and self.options.structure is None and first.choice is None
        source = first if model.choice is not None and borrows else model
        examined = _force_field(source, self.frames, self.options, self.folder, temperature_K)
        return examined if source is model else _with_calculator(examined, model, self.folder)


def _force_field(
    model: Model, frames: FrameSet | None, options: ExaminationOptions, folder: Path, known_K: float | None
) -> ExaminedForceField:
    """Return what is examined; where the frames state no temperature, that of a model's training is used."""
    model, label = _of_system(model, frames, options.structure)
    held_out, may_be_trained_on = _held_out(model, frames, label)
    start, training = _start(model, held_out, options.structure), model.training
    if held_out is not None and not np.array_equal(start.numbers, held_out.atomic_numbers):
        if frames is not None:
            raise DataError(
                f"{options.structure}: {start.get_chemical_formula()} has other atoms, or another order of "
                f"them, than the frames of {frames.name}; examine it without DATA, or with frames of its own"
            )
        held_out = None  # another molecule than that of the training
    temperature = None if held_out is None else held_out.temperature_K
    return ExaminedForceField(
        label=model.label,
        calculator=model.calculator,
        start=start,
        folder=folder / RUNS / model.label,
        manifest=model.manifest,
        model=model.path,
        frames=held_out,
        may_be_trained_on=may_be_trained_on,
        temperature_K=temperature or training.get("temperature_K") or known_K,
        charge=int(training.get("charge") or 0),
        multiplicity=int(training.get("multiplicity") or 1),
        seed=options.seed,
    )


def _with_calculator(examined: ExaminedForceField, model: Model, folder: Path) -> ExaminedForceField:
    """Return what a calculator is examined with: start and frames of a model."""
    return replace(
        examined,
        label=model.label,
        calculator=model.calculator,
        folder=folder / RUNS / model.label,
        manifest={},
        model=None,
        may_be_trained_on=False,
        charge=model.training["charge"],
        multiplicity=model.training["multiplicity"],
    )


def _of_system(model: Model, frames: FrameSet | None, structure: str | None) -> tuple[Model, str | None]:
    """Return the model with the records of the system that is examined, and its label; None for one system.

    Of several systems it is that of `structure`, else that of the frames, else the first.
    """
    if not model.training.get("systems"):
        return model, None
    if frames is not None and structure is None:
        atoms = Atoms(frames.atomic_numbers, pbc=frames.pbc)
    else:
        atoms = model.start(structure)
    manifest = manifest_for(model.manifest, atoms)
    return replace(model, manifest=manifest), label_for(manifest, atoms)


def _held_out(model: Model, frames: FrameSet | None, label: str | None) -> tuple[FrameSet | None, bool]:
    """Return the frames, and whether the model may have been trained on them.

    Of a set that it was trained on, those that its training left out are returned.
    """
    if model.path is None:
        return frames, False
    if frames is not None and model.training.get("data") != frames.name:
        held_out = _left_out(frames, model.path, label)
        return (held_out, False) if len(held_out) else (frames, True)
    try:
        own = own_frames(model.path, "test", label)
    except DataError:
        return frames, True
    return (own, False) if len(own) else (frames, True)


def _left_out(frames: FrameSet, path: Path, label: str | None) -> FrameSet:
    """Return the frames without those that the model was trained on, from a file of another name."""
    try:
        systems = recorded_systems(path)
        own, split = next(iter(systems.values())) if label is None else systems[label]
    except (DataError, KeyError):
        return frames
    if not np.array_equal(own.atomic_numbers, frames.atomic_numbers):
        return frames
    trained = {_rounded(own.positions[n]) for n in np.concatenate([split.train, split.validation])}
    is_left_out = np.array([_rounded(positions) not in trained for positions in frames.positions])
    if not is_left_out.all():
        warnings.warn(
            f"{frames.name}: {(~is_left_out).sum()} of {len(frames)} frames are training frames of {path}; "
            "it is examined without them",
            stacklevel=2,
        )
    return frames.select(np.flatnonzero(is_left_out))


def _rounded(positions: FloatArray) -> bytes:
    """Return positions to 0.001 Å, which files of several formats have in common."""
    return (np.round(positions, 3) + 0.0).tobytes()  # 0.0: no negative zeros


def _start(model: Model, frames: FrameSet | None, structure: str | None) -> Atoms:
    """Return the start structure: the one named, or the frame of lowest energy."""
    if structure is not None or frames is None:
        return model.start(structure)
    return frames.structure(int(np.argmin(frames.energies)))
