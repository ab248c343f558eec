"""model.pt: the trained model as one self-describing TorchScript file."""

from mdaug.deploy.deployed import DeployedModel
from mdaug.deploy.manifest import read_manifest
from mdaug.deploy.model_file import export_model, load_model

__all__ = ["DeployedModel", "export_model", "load_model", "read_manifest"]
