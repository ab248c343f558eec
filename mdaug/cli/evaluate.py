"""`mdaug evaluate`: errors of a model on frames."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.analysis.accuracy import AccuracyResult, accuracy
from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.options import Device, Precision
from mdaug.quantum.calculators import calculate_frames
from mdaug.reports.accuracy import save_accuracy_figure
from mdaug.reports.html import Table
from mdaug.reports.terminal import print_table
from mdaug.workflows.use_model import Model, Part, load_model, own_frames


def evaluate(
    model: Path | None = None,
    data: str | None = None,
    *,
    part: Part = "test",
    dtype: Precision | None = None,
    device: Device = "cpu",
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compare a model's energies and forces with those of frames.

    Writes evaluate.json and parity.png. Energies are compared as they are (no shift is fitted), forces by
    component.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    data
        A file of frames or a named set [default: the frames that the run of the model held out].
    part
        Without DATA: which of the frames of the model's run.
    dtype
        Precision of the model [default: that of the file].
    device
        Where the model is evaluated.
    """
    loaded = load_model(model, device=device, dtype=dtype)
    frames = own_frames(loaded.path, part) if data is None else source.load(data)
    if data is not None:
        _warn_of_training_frames(loaded, frames)
    with open_run(output, command="evaluate") as run:
        with counted("frames") as progress:
            result = accuracy(
                lambda frames: calculate_frames(loaded.calculator, frames, progress=progress), frames
            )
        about = {"model": str(loaded.path), "data": frames.name, "part": part if data is None else None}
        write_json(run.path / "evaluate.json", result.to_json() | about)
        save_accuracy_figure(result, run.path / "parity.png")
    print_table(_table(result, f"{loaded.label} on {len(frames)} {f'{part} ' if data is None else ''}frames"))
    print(run.path / "evaluate.json")
    print(run.path / "parity.png")


def _warn_of_training_frames(model: Model, frames: FrameSet) -> None:
    if (model.manifest.get("training") or {}).get("data") == frames.name:
        console.print(
            f"the model was trained on part of {frames.name}, so these errors are too small; "
            "leave DATA out for the frames held out",
            style="yellow",
        )


def _table(result: AccuracyResult, caption: str) -> Table:
    found = result.to_json()
    energy = ["energy (kcal/mol)"] + [
        found[f"energy_{name}_kcal_mol"] for name in ("mae", "rmse", "mean_error", "largest_error")
    ]
    force = [
        "force (kcal/mol/Å)",
        found["force_mae_kcal_mol_A"],
        found["force_rmse_kcal_mol_A"],
        None,
        found["force_largest_error_kcal_mol_A"],
    ]
    elements = [
        [f"force on {element}", error, None, None, None]
        for element, error in found["force_mae_by_element_kcal_mol_A"].items()
    ]
    return Table(["", "MAE", "RMSE", "mean error", "largest"], [energy, force, *elements], caption)
