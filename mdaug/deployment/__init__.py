"""model.pt: the trained model as one self-describing TorchScript file."""

from mdaug.deployment.deployed_model import DeployedModel
from mdaug.deployment.manifest import read_manifest
from mdaug.deployment.model_file import export_model, load_model

__all__ = ["DeployedModel", "export_model", "load_model", "read_manifest"]
