"""`mdaug frames`: make frames by Langevin MD where there are none."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from mdaug import __version__
from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import counted
from mdaug.data.write import write_extxyz, write_npz
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import warn_of_parting
from mdaug.quantum.calculators import XTB_METHODS, calculator_factory, check_spin
from mdaug.sampling.generate import GenerateOptions, generate_frames
from mdaug.sampling.replica_parts import ReplicaParts
from mdaug.sampling.statistics import SamplingStatistics
from mdaug.sampling.structures import formal_charge, starting_structures


def frames(
    structure: str,
    /,
    *,
    calculator: str = "GFN2-xTB",
    calculator_arguments: str = "{}",
    charge: int | None = None,
    multiplicity: int = 1,
    file_format: Annotated[Literal["xyz", "npz"], Parameter(name="--format")] = "xyz",
    resume: Annotated[bool, Parameter(negative="")] = False,
    sampling: Annotated[GenerateOptions, Parameter(name="*")] = GenerateOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Sample labelled frames of a molecule or cell by Langevin MD.

    Writes frames.xyz (extended xyz, eV and eV/Å) or frames.npz, and frames.json with the measured kinetic
    and virial temperatures and the energy's correlation time. Finished replicas are kept: a run that was
    stopped goes on with --resume and the same options.

    Parameters
    ----------
    structure
        A structure file that ASE reads, or a SMILES string.
    calculator
        GFN2-xTB (or GFN1-xTB, IPEA1-xTB) through tblite, or any ASE calculator as module:Class.
    calculator_arguments
        Keyword arguments of the calculator, as JSON.
    charge
        Total charge in e [default: that of the SMILES; 0 for a file].
    multiplicity
        Spin multiplicity 2S+1.
    file_format
        xyz (extended xyz) or npz (sGDML-like).
    resume
        Go on with the run in --out, or the newest unfinished one.
    """
    charge = _charge(structure, charge)
    make = calculator_factory(
        calculator, _parse_arguments(calculator_arguments), charge=charge, multiplicity=multiplicity
    )
    starts = starting_structures(structure, sampling.n_replicas, sampling.seed)
    if calculator in XTB_METHODS and not starts[0].pbc.any():
        check_spin(starts[0], charge, multiplicity)
    settings = [structure, calculator, calculator_arguments, charge, multiplicity, sampling.model_dump()]
    settings.append([[atoms.numbers.tolist(), atoms.positions.tolist()] for atoms in starts])
    with open_run(output, command="frames", resume=resume) as run:
        parts = ReplicaParts(run.path / "replicas", json.dumps(settings))
        with counted("Langevin MD, steps") as progress:
            made, measured = generate_frames(
                starts,
                make,
                sampling,
                name=structure,
                level_of_theory=calculator.rpartition(":")[2],
                charge=charge,
                multiplicity=multiplicity,
                progress=progress,
                parts=parts,
            )
        path = _write(made, run.path / f"frames.{file_format}", measured, sampling)
        parts.remove()
    warn_of_parting(made)
    _print_summary(f"{len(made)} frames in {path}", measured, sampling)


def _charge(structure: str, given: int | None) -> int:
    """Return the charge that was given, or else that of a SMILES string; the two must agree."""
    stated = formal_charge(structure)
    if None not in (stated, given) and stated != given:
        raise DataError(
            f"{structure}: the SMILES string has charge {stated:+d}, --charge says {given:+d}; "
            "leave --charge out, or write the SMILES with its charge"
        )
    return given or stated or 0


def _write(made: FrameSet, path: Path, measured: SamplingStatistics, sampling: GenerateOptions) -> Path:
    """Write the frames and, beside them, how they were made and what was measured."""
    notes: dict[str, str | int | float] = {
        "command": shlex.join(["mdaug", *sys.argv[1:]]),
        "seed": sampling.seed,
        "mdaug_version": __version__,
    }
    if path.suffix == ".npz":
        write_npz(made, path, notes)
    else:
        write_extxyz(made, path)
    made_so = {"level_of_theory": made.level_of_theory, **sampling.model_dump(), "measured": asdict(measured)}
    write_json(path.with_suffix(".json"), notes | made_so)
    return path


def _parse_arguments(text: str) -> dict:
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"--calculator-arguments {text!r} is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise DataError(f'--calculator-arguments {text!r}: expected a JSON object, as {{"accuracy": 0.1}}')
    return arguments


def _print_summary(first_line: str, measured: SamplingStatistics, sampling: GenerateOptions) -> None:
    console = Console(highlight=False)
    console.print(first_line)
    for verdict in measured.verdicts(sampling.temperature):
        style = None if verdict.verdict == "ok" else "yellow"
        console.print(f"{verdict.mark} {verdict.text} (thermostat)", style=style)
    console.print(
        f"energy correlation time {measured.energy_correlation_time_fs:.0f} fs; correlation between frames "
        f"{sampling.spacing:g} fs apart: {measured.energy_correlation_at_spacing:.2f}",
    )
