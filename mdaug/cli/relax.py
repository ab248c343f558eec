"""`mdaug relax`: the minimum of a model and its harmonic frequencies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import MODEL_OPTIONS, check_calculator, given_options, subject_of
from mdaug.cli.progress import console, print_next, progress_bars, warn
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import CalculatorOptions, OutputOptions
from mdaug.workflows.settings.workflow_options import RelaxOptions

if TYPE_CHECKING:
    from mdaug.workflows.relax import Relaxation


def relax(
    model: Path | None = None,
    *,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    options: Annotated[RelaxOptions, Parameter(name="*")] = RelaxOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Relax a structure to the nearest minimum and compute its harmonic frequencies.

    Writes relaxed.xyz and relax.json. Translations and rotations are projected out. An imaginary frequency
    is given as a negative number and means that the structure is not a minimum.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    """
    from mdaug.workflows.relax import relax_model

    model_options = [name for name in given_options(options) if name in MODEL_OPTIONS]
    check_calculator(calculator, models=model is not None, model_options=model_options)
    inputs = [model, options.structure]
    subject = subject_of([] if model is None else [model], calculator)
    with (
        open_run(output, command="relax", subject=subject, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        relaxation = relax_model(model, options, run.path, progress, calculator=calculator)
    _print_summary(relaxation)
    print_text(run.path / "relaxed.xyz")
    print_text(run.path / "relax.json")
    print_next("mdaug scan --bond I J  stretches and compresses a bond", "mdaug nve  runs molecular dynamics")


def _print_summary(relaxation: "Relaxation") -> None:
    from mdaug.reports.html import Cell, Table
    from mdaug.reports.terminal import print_table

    relaxed, frequencies = relaxation.relaxed, relaxation.vibrations
    summary = relaxation.to_json()
    bonds: list[list[Cell]] = [[name, f"{length:.4f}"] for name, length in summary["bond_lengths_A"].items()]
    print_table(Table(["bond", "length (Å)"], bonds, f"energy {relaxed.energy_eV:.6f} eV"))
    modes: list[list[Cell]] = [[k + 1, f"{value:.1f}"] for k, value in enumerate(frequencies.frequencies_cm1)]
    zero_point = summary["zero_point_energy_kcal_mol"]
    caption = f"harmonic frequencies, zero-point energy {zero_point:.2f} kcal/mol"
    print_table(Table(["mode", "frequency (cm⁻¹)"], modes, caption))
    if not relaxed.converged:
        force = f"a force of {relaxed.max_force_eV_A:.2g} eV/Å is left after {relaxed.n_steps} steps"
        warn(f"not relaxed: {force}; give more with --max-steps")
    if frequencies.n_imaginary:
        count = f"{frequencies.n_imaginary} imaginary "
        count += "frequencies" if frequencies.n_imaginary > 1 else "frequency"
        console.print(f"{count} (negative numbers): this is not a minimum", style="bold yellow")
