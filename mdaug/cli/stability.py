"""`mdaug stability`: first broken bond of a trajectory."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.arguments import check_calculator, given_options, refuse, typed
from mdaug.cli.progress import print_next, progress_bars, warn
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import CalculatorOptions, DataOptions, OutputOptions, Switch

if TYPE_CHECKING:
    from mdaug.analysis.stability_result import StabilityResult


def stability(
    trajectory: Path,
    *,
    topology: Path | None = None,
    data: str | None = None,
    model: Path | None = None,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    tolerance: Annotated[float | None, Field(gt=0)] = None,
    frame_time: Annotated[float | None, Field(gt=0)] = None,
    strict: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Find the first broken bond of a trajectory, and compare the trajectory with the training frames.

    A bond is broken when its length differs by more than the tolerance from its mean in the training frames
    (arXiv:2210.07237). The distributions of distances h(r) and of torsions include the frames before the
    first broken bond. Writes stability.json, stability.png and report.html. In a crystal "broken" means that
    two neighbors have separated; in a liquid only bonds within molecules count. With --calculator no training
    frames are compared: the bonds are those of its minimum next to the first frame.

    Parameters
    ----------
    trajectory
        Any trajectory that MDAnalysis reads, or a folder of `mdaug nve` or `mdaug nvt`.
    topology
        File that names the atoms [default: topology.pdb beside the trajectory].
    data
        The training frames: a file or the name of a set [default: those of the model].
    model
        The model whose training frames are used [default: the model that made the trajectory, or the latest
        run].
    tolerance
        Largest deviation of a bond's length from its mean, in Å [default: 0.5].
    frame_time
        Time between frames in fs, for files without it (xyz, LAMMPS dump and DCD).
    strict
        Refuse a trajectory that starts from a structure unlike the model's training frames (other molecules
        or bonds, closer atoms) instead of warning.
    """
    from mdaug.reports.terminal import print_verdicts
    from mdaug.workflows.stability import judge_trajectory, minimum_bonds, training_bonds

    has_bonds = model is not None or data is not None
    check_calculator(calculator, models=has_bonds, model_options=typed(strict=strict))
    if data is None:
        refuse(given_options(source), "without --data")
    else:
        refuse(typed(model=model, strict=strict), "with --data")
    inputs = [trajectory, topology, data, model]
    with (
        open_run(output, command="stability", subject=trajectory, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        frames = None if data is None else source.load(data)
        if calculator.calculator:
            bonds = minimum_bonds(trajectory, calculator, topology=topology, frame_time_fs=frame_time)
        else:
            bonds = training_bonds(trajectory, frames, model, topology)
        judged = judge_trajectory(
            trajectory,
            bonds,
            run.path,
            topology=topology,
            tolerance_A=tolerance,
            frame_time_fs=frame_time,
            strict=strict,
            progress=progress,
        )
    print_verdicts(judged.result.verdicts)
    _print_summary(judged.result)
    print_text(run.path / "stability.json")
    print_text(f"report {judged.report}")
    print_next("mdaug drift  fits the energy drift of an NVE run", "mdaug explore  labels spurious minima")


def _print_summary(result: "StabilityResult") -> None:
    from mdaug.reports.html import Table
    from mdaug.reports.terminal import print_table

    summary = result.to_json()
    if result.time_to_failure_ps is None:
        print_text(f"no bond broke in {summary['duration_ps']:g} ps ({summary['n_frames']} frames)")
    else:
        print_text(f"{summary['first_broken_bond']} broke at {summary['time_to_failure_ps']:g} ps")
    if result.parted_at_ps is not None:
        warn(
            f"the molecules separated (more than 6 Å) at {result.parted_at_ps:g} ps: from there on the "
            "trajectory is no longer of the system that the frames are of"
        )
    largest = f"{summary['max_bond_deviation_A']:.3f} Å"
    print_text(f"largest deviation of a bond from {result.bonds.expected_lengths}: {largest}")
    if result.distance_histogram_error is not None:
        print_text(f"distances: ∫|h(r) − h_training(r)| dr = {result.distance_histogram_error:.3f} (0 to 2)")
    rows = [
        [name, which, *(round(fraction, 3) for fraction in populations.values())]
        for name, both in summary["torsion_populations"].items()
        for which, populations in both.items()
        if populations is not None
    ]
    if rows:
        caption = "torsion populations before failure"
        print_table(Table(["torsion", "frames", "trans", "gauche+", "gauche−"], rows, caption))
