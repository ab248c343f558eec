"""`mdaug relax`: the minimum of a model and its harmonic frequencies."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.analysis.relax import RelaxResult, Vibrations, relax_summary, vibrations
from mdaug.analysis.relax import relax as relax_structure
from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.files import atomic_path, write_json
from mdaug.options import Device, Precision
from mdaug.reports.html import Cell, Table
from mdaug.reports.terminal import print_table
from mdaug.workflows.use_model import load_model, start_structure


def relax(
    model: Path | None = None,
    *,
    structure: str | None = None,
    fmax: Annotated[float, Field(gt=0)] = 1e-4,
    max_steps: Annotated[int, Field(ge=1)] = 1000,
    displacement: Annotated[float, Field(gt=0)] = 0.005,
    dtype: Precision = "float64",
    device: Device = "cpu",
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Relax a structure to the nearest minimum and compute its harmonic frequencies.

    Writes relaxed.xyz and relax.json. Translations and rotations are projected out; an imaginary frequency
    is a negative number, and means that the structure is not a minimum.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    structure
        Start from this structure file or SMILES [default: the lowest training frame].
    fmax
        Relaxed when no atom feels a larger force, in eV/Å.
    max_steps
        Give up after this many steps.
    displacement
        Step of the central differences of the forces, in Å.
    dtype
        Precision of the model.
    device
        Where the model is evaluated.
    """
    loaded = load_model(model, device=device, dtype=dtype)
    start = start_structure(loaded.manifest, loaded.path, structure)
    with open_run(output, command="relax") as run:
        relaxed = relax_structure(loaded.calculator, start, fmax_eV_A=fmax, max_steps=max_steps)
        with counted("frequencies") as progress:
            found = vibrations(loaded.calculator, relaxed.atoms, step_A=displacement, progress=progress)
        with atomic_path(run.path / "relaxed.xyz") as path:
            relaxed.atoms.write(path, format="extxyz")
        write_json(run.path / "relax.json", relax_summary(relaxed, found))
    _print_summary(relaxed, found)
    print(run.path / "relaxed.xyz")
    print(run.path / "relax.json")


def _print_summary(relaxed: RelaxResult, found: Vibrations) -> None:
    summary = relax_summary(relaxed, found)
    bonds: list[list[Cell]] = [[name, f"{length:.4f}"] for name, length in summary["bond_lengths_A"].items()]
    print_table(Table(["bond", "length (Å)"], bonds, f"energy {relaxed.energy_eV:.6f} eV"))
    modes: list[list[Cell]] = [[k + 1, f"{value:.1f}"] for k, value in enumerate(found.frequencies_cm1)]
    zero_point = summary["zero_point_energy_kcal_mol"]
    caption = f"harmonic frequencies, zero-point energy {zero_point:.2f} kcal/mol"
    print_table(Table(["mode", "frequency (cm⁻¹)"], modes, caption))
    if not relaxed.converged:
        left = f"a force of {relaxed.max_force_eV_A:.2g} eV/Å is left after {relaxed.n_steps} steps"
        console.print(f"not relaxed: {left}", style="yellow")
    if found.n_imaginary:
        count = f"{found.n_imaginary} imaginary " + ("frequencies" if found.n_imaginary > 1 else "frequency")
        console.print(f"{count} (negative numbers): this is not a minimum", style="bold yellow")
