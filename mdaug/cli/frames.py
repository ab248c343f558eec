"""`mdaug frames`: sampling of labeled frames by Langevin MD."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.progress import print_next, progress_bars
from mdaug.sampling.options import GenerateOptions
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import ClusterOptions, OutputOptions, Switch

if TYPE_CHECKING:
    from mdaug.sampling.statistics import SamplingStatistics


def frames(
    structure: str,
    /,
    *,
    calculator: str = "GFN2-xTB",
    calculator_arguments: str = "{}",
    charge: int | None = None,
    multiplicity: int = 1,
    file_format: Annotated[Literal["xyz", "npz"], Parameter(name="--format")] = "xyz",
    workers: Annotated[int, Field(ge=1)] = 1,
    resume: Switch = False,
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    sampling: Annotated[GenerateOptions, Parameter(name="*")] = GenerateOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Sample labeled frames of a molecule or cell by Langevin MD.

    Writes frames.xyz (extended xyz, eV and eV/Å) or frames.npz, and frames.json with the measured kinetic
    and virial temperatures and the correlation time of the energy. Finished replicas are kept: --resume with
    the same options continues a run that was stopped.

    Parameters
    ----------
    structure
        A structure file that ASE reads, or a SMILES string.
    calculator
        GFN2-xTB (or GFN1-xTB, IPEA1-xTB) through tblite, or any ASE calculator as module:Class.
    calculator_arguments
        Keyword arguments of the calculator, as JSON.
    charge
        Total charge in e [default: that of the SMILES string; 0 for a file].
    multiplicity
        Spin multiplicity 2S+1.
    file_format
        xyz (extended xyz) or npz (sGDML-like).
    workers
        Number of single-threaded processes that run the replicas; with 1 they run one after another in this
        process. With --scheduler the cluster decides their number.
    resume
        Continue the run in --out, or the newest unfinished run of this command.
    """
    from mdaug.workflows.frames import Molecule, sample_frames

    molecule = Molecule(structure, calculator, calculator_arguments, charge, multiplicity)
    with (
        open_run(output, command="frames", resume=resume, inputs=[structure]) as run,
        progress_bars() as progress,
    ):
        where = cluster.where(workers)
        sampled = sample_frames(
            molecule, sampling, run.path, file_format=file_format, where=where, progress=progress
        )
    _print_summary(f"{sampled.n_frames} frames in {sampled.path}", sampled.statistics, sampling)
    print_next(
        f"mdaug springs {sampled.path}  fits the springs of all element pairs",
        f"mdaug train {sampled.path}  trains a force field",
    )


def _print_summary(first_line: str, measured: "SamplingStatistics", sampling: GenerateOptions) -> None:
    from mdaug.text import make_console

    console = make_console()
    console.print(first_line, markup=False, soft_wrap=True)
    for verdict in measured.verdicts(sampling.temperature):
        style = None if verdict.verdict == "ok" else "yellow"
        console.print(f"{verdict.mark} {verdict.text} (thermostat)", style=style)
    console.print(
        f"energy correlation time {measured.energy_correlation_time_fs:.0f} fs; correlation between frames "
        f"{sampling.spacing:g} fs apart: {measured.energy_correlation_at_spacing:.2f}",
    )
