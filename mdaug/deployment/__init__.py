"""model.pt: a trained model as one self-describing TorchScript file; write, read, check."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.deployment.deployed_model import DeployedModel
    from mdaug.deployment.feature_statistics import last_layer_statistics
    from mdaug.deployment.manifest import read_manifest
    from mdaug.deployment.model_file import export_model, load_model, model_bytes

__all__ = [
    "DeployedModel",
    "export_model",
    "last_layer_statistics",
    "load_model",
    "model_bytes",
    "read_manifest",
]

_MODULES = {
    "DeployedModel": "mdaug.deployment.deployed_model",
    "export_model": "mdaug.deployment.model_file",
    "last_layer_statistics": "mdaug.deployment.feature_statistics",
    "load_model": "mdaug.deployment.model_file",
    "model_bytes": "mdaug.deployment.model_file",
    "read_manifest": "mdaug.deployment.manifest",
}
__getattr__ = lazy_exports(__name__, _MODULES)
