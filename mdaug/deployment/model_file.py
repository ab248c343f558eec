"""model.pt: a TorchScript file that contains its manifest."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mdaug.deployment.committee import extra_name, named, network_file
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
    committee: Sequence[bytes] = (),
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
    training, dtype, templates, statistics, committee
        As for `model_bytes`.
    """
    path = Path(path)
    content = model_bytes(
        model,
        training=training,
        dtype=dtype,
        templates=templates,
        statistics=statistics,
        committee=committee,
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def model_bytes(
    model: SchNet,
    *,
    training: dict[str, Any],
    dtype: Precision | None = None,
    templates: Sequence[MoleculeTemplate] = (),
    statistics: FeatureStatistics | None = None,
    committee: Sequence[bytes] = (),
) -> bytes:
    """Return the content of the file that `export_model` writes.

    Parameters
    ----------
    model
        The trained model; it is not changed.
    training
        Description of the training for the manifest: data, level_of_theory, temperature_K, n_train,
        distance_range_A, bonds, reference_structure. JSON values only, no NaN.
    dtype
        Default precision of the network; None for that of the training.
    templates
        The baseline of each kind of molecule, whose energies and forces the frames of the training lacked.
    statistics
        From `last_layer_statistics`; without them the file gives no extrapolation.
    committee
        The other networks of a committee, each as this function returns it.
    """
    deployed = DeployedModel(model, templates, None if statistics is None else statistics[:2]).eval()
    dtype = dtype or str(next(model.parameters()).dtype).removeprefix("torch.")  # type: ignore[assignment]
    manifest = build_manifest(model, deployed, training, str(dtype))
    if statistics is not None:
        manifest["extrapolation"] = {"n_frames": statistics.n_frames}
    if committee:
        manifest["committee"] = {"networks": 1 + len(committee)}
    text = json.dumps(manifest, indent=2, allow_nan=False)
    others = {extra_name(k): content for k, content in enumerate(committee, start=1)}
    stream = io.BytesIO()  # torch stores the name of a file in the archive
    torch.jit.save(torch.jit.script(deployed), stream, _extra_files={NAME: text} | others)
    return stream.getvalue()


def load_model(
    path: str | Path, dtype: Precision | None = None, device: str = "cpu", network: int = 0
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
    network
        0, or the number of another network of the committee in the file.

    Raises
    ------
    DataError
        `read_manifest` refuses the file, TorchScript cannot load it, or dtype or device is not available.
    """
    manifest, name = read_manifest(path, network), named(Path(path), network)
    source = network_file(Path(path), network) if network else str(path)
    dtype = dtype or manifest["dtype"]
    if dtype not in PRECISIONS:
        raise DataError(f"dtype {dtype!r} for {name}: expected 'float32' or 'float64'")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"device {device!r} for {name}: torch sees no CUDA device; use 'cpu'")
    try:
        model = torch.jit.load(source, map_location=device)
        sha256 = weights_sha256(model)
    except Exception as error:  # a broken file makes torch raise errors of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{name}: TorchScript cannot load the model ({reason}); export it again") from error
    if sha256 != manifest["weights_sha256"]:
        raise DataError(f"{name}: its weights are not those of its manifest; take the original file")
    return model.to(getattr(torch, dtype)).eval()
