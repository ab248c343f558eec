"""The minimum of a model and its harmonic frequencies, with their files."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mdaug.analysis.relax import RelaxResult, Vibrations, relax, relax_summary, vibrations
from mdaug.calculators.applicability import check_applicability
from mdaug.files import atomic_path, write_json
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.settings.workflow_options import RelaxOptions
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import load_model


@dataclass(frozen=True)
class Relaxation:
    """A relaxed structure, its frequencies, and how the start differs from the model's training frames."""

    relaxed: RelaxResult
    vibrations: Vibrations
    unlike_training: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the content of relax.json."""
        summary = relax_summary(self.relaxed, self.vibrations)
        return summary | {"unlike_training": list(self.unlike_training)}


def relax_model(
    model: Path | None,
    options: RelaxOptions,
    folder: Path,
    progress: Progress = ignore,
    *,
    calculator: CalculatorOptions = CalculatorOptions(),
) -> Relaxation:
    """Relax a structure with a model and write relaxed.xyz and relax.json into `folder`.

    Parameters
    ----------
    model
        A model.pt, a run folder, or None for the latest run.
    options
        Start, limits and precision.
    folder
        Output folder.
    progress
        Called with the stage "frequencies" and the numbers of displacements done and in all.
    calculator
        A calculator instead of a model.

    Raises
    ------
    DataError
        If the model or the structure is not found, the model cannot evaluate the structure, or it is unlike
        the training frames and `options` are strict.
    """
    choice = CalculatorChoice.from_options(calculator, options.structure)
    loaded = load_model(model, choice, device=options.device, dtype=options.dtype)
    start = loaded.start(options.structure)
    differences = check_applicability(start, loaded.manifest, strict=options.strict)
    relaxed = relax(loaded.calculator, start, fmax_eV_A=options.fmax, max_steps=options.max_steps)
    frequencies = vibrations(
        loaded.calculator,
        relaxed.atoms,
        step_A=options.displacement,
        progress=partial(progress, "frequencies"),
    )
    with atomic_path(folder / "relaxed.xyz") as path:
        relaxed.atoms.write(path, format="extxyz")
    relaxation = Relaxation(relaxed, frequencies, tuple(differences))
    write_json(folder / "relax.json", relaxation.to_json())
    return relaxation
