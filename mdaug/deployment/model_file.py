"""model.pt: a TorchScript file that contains its manifest."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mdaug.deployment.deployed_model import DeployedModel
from mdaug.deployment.feature_statistics import FeatureStatistics
from mdaug.deployment.manifest import NAME, build_manifest, read_manifest, weights_sha256
from mdaug.errors import DataError
from mdaug.files import atomic_path
from mdaug.models import SchNet
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.options import PRECISIONS, Precision


def export_model(
    model: SchNet,
    path: str | Path,
    *,
    training: dict[str, Any],
    dtype: Precision | None = None,
    templates: Sequence[MoleculeTemplate] = (),
    statistics: FeatureStatistics | None = None,
) -> Path:
    """Write `model` as a TorchScript file that anyone can load, and return its path.

    The file is not frozen and uses operators of torch only: ``torch.jit.load(path)`` works without mdaug (see
    `DeployedModel.forward` for inputs and outputs). Its weights are float64, whatever the training used.

    Parameters
    ----------
    model
        The trained model; it is not changed.
    path
        The file, written atomically.
    training
        Description of the training for the manifest: data, level_of_theory, temperature_K, n_train,
        distance_range_A, bonds, reference_structure. JSON values only, no NaN.
    dtype
        Default precision of the network; None for that of the training.
    templates
        The baseline of each kind of molecule, whose energies and forces the frames of the training lacked.
    statistics
        From `last_layer_statistics`; without them the file gives no extrapolation.
    """
    path = Path(path)
    deployed = DeployedModel(model, templates, None if statistics is None else statistics[:2]).eval()
    dtype = dtype or str(next(model.parameters()).dtype).removeprefix("torch.")  # type: ignore[assignment]
    manifest = build_manifest(model, deployed, training, str(dtype))
    if statistics is not None:
        manifest["extrapolation"] = {"n_frames": statistics.n_frames}
    text = json.dumps(manifest, indent=2, allow_nan=False)
    content = io.BytesIO()  # torch stores the name of a file in the archive
    torch.jit.save(torch.jit.script(deployed), content, _extra_files={NAME: text})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return path


def load_model(
    path: str | Path, dtype: Precision | None = None, device: str = "cpu"
) -> torch.jit.ScriptModule:
    """Load a model.pt as a function of atoms and pairs (see `DeployedModel.forward`).

    Parameters
    ----------
    path
        The file.
    dtype
        Precision of the network, ``float32`` or ``float64``; None for that of the manifest.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    DataError
        `read_manifest` refuses the file, TorchScript cannot load it, or dtype or device is not available.
    """
    manifest = read_manifest(path)
    dtype = dtype or manifest["dtype"]
    if dtype not in PRECISIONS:
        raise DataError(f"dtype {dtype!r} for {path}: expected 'float32' or 'float64'")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"device {device!r} for {path}: torch sees no CUDA device; use 'cpu'")
    try:
        model = torch.jit.load(str(path), map_location=device)
        sha256 = weights_sha256(model)
    except Exception as error:  # a broken file makes torch raise errors of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: TorchScript cannot load the model ({reason}); export it again") from error
    if sha256 != manifest["weights_sha256"]:
        raise DataError(f"{path}: its weights are not those of its manifest; take the original file")
    return model.to(getattr(torch, dtype)).eval()
