"""`mdaug export`: model.pt from the checkpoint of a training."""

from pathlib import Path

from mdaug.cli.progress import print_next
from mdaug.errors import MDAugError
from mdaug.options import Precision
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import RUNS
from mdaug.workflows.settings.options import Switch


def export(
    run: Path = RUNS / "latest",
    *,
    out: Path | None = None,
    dtype: Precision | None = None,
    overwrite: Switch = False,
) -> None:
    """Write model.pt from the best weights of a training, finished or not.

    `mdaug train` writes model.pt at its end. Use this command while a training is running, after it was
    stopped, or to change the precision.

    Parameters
    ----------
    run
        Folder of a training.
    out
        The file to write [default: model.pt in the run folder].
    dtype
        Default precision of the model when it is evaluated [default: that of the training].
    overwrite
        Replace an existing model.
    """
    from mdaug.cli.lammps import prepare_lammps
    from mdaug.workflows.export import export_run

    path = out or run / "model.pt"
    if path.exists() and not overwrite:
        raise MDAugError(f"{path} exists; name another file with --out, or --overwrite to replace it")
    print_text(export_run(run, path, dtype=dtype))
    prepare_lammps()
    print_next(f"mdaug info {path}  shows what it is", f"mdaug nve {path}  runs molecular dynamics")
