"""model.pt from the checkpoint of a training, finished or not."""

from pathlib import Path

from mdaug.deployment import export_model
from mdaug.errors import DataError
from mdaug.options import Precision
from mdaug.training.checkpoint import restore_model
from mdaug.workflows.baseline import recorded_baseline
from mdaug.workflows.config import load_config
from mdaug.workflows.train import CONFIG, NO_BASELINE
from mdaug.workflows.training_summary import summarize_training
from mdaug.workflows.use_model import own_frames


def export_run(run: Path, path: Path | None = None, *, dtype: Precision | None = None) -> Path:
    """Write the best weights so far of the training in folder `run` as a model file and return its path.

    Parameters
    ----------
    run
        Folder of a training.
    path
        File to write [default: model.pt in `run`].
    dtype
        Default precision of the model when it is evaluated [default: that of the training].

    Raises
    ------
    DataError
        If `run` contains no checkpoint of a training.
    """
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.is_file():
        raise DataError(f"no checkpoint in {run}; name the folder of a `mdaug train`")
    config = load_config(run / CONFIG)
    frames = own_frames(run / "model.pt", "train")
    baseline = recorded_baseline(run) or NO_BASELINE
    network = baseline.network_options(config.model)
    model = restore_model(checkpoint, network, sorted(set(frames.atomic_numbers.tolist())))
    summary = summarize_training(frames, config.model.cutoff) | {"augmented": config.augment.enabled}
    return export_model(
        model, path or run / "model.pt", training=summary, dtype=dtype, templates=baseline.templates
    )
