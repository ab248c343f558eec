"""Read the systems of input.json as `dp --pt train` does: read_deepmd.py FOLDER RESULT.npz"""

import json
import os
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from deepmd.pt.utils.dataloader import DpLoaderSet, get_sampler_from_params
from deepmd.utils.data import DataRequirementItem

folder, result = sys.argv[1:]
result = os.path.abspath(result)
os.chdir(folder)
with open("input.json") as file:
    content = json.load(file)
parameters = content["training"]["training_data"]
loaders = DpLoaderSet(parameters["systems"], parameters["batch_size"], content["model"]["type_map"], seed=1)
loaders.add_data_requirement(
    [
        DataRequirementItem("energy", 1, atomic=False, must=True, high_prec=True),
        DataRequirementItem("force", 3, atomic=True, must=True, high_prec=False),
    ]
)
sampler = get_sampler_from_params(loaders, parameters)
probabilities = sampler.weights.numpy() / sampler.weights.sum().item()
arrays: dict[str, Any] = {"energies": [], "forces": [], "weights_probability": []}
for system, folder, probability in zip(loaders.systems, parameters["systems"], probabilities, strict=True):
    types = np.loadtxt(f"{folder}/type.raw", dtype=int)
    in_file = np.argsort(np.argsort(types, kind="stable"))  # DeePMD-kit sorts the atoms by their types
    for n in range(len(system)):
        frame = system[n]
        arrays["energies"].append(float(np.asarray(frame["energy"]).reshape(())))
        arrays["forces"].append(np.asarray(frame["force"]).reshape(-1, 3)[in_file])
        arrays["weights_probability"].append(probability / len(system))
arrays["weights_probability"] = np.array(arrays["weights_probability"]) / arrays["weights_probability"][0]
arrays["n_atoms"] = [len(forces) for forces in arrays["forces"]]
arrays["forces"] = np.concatenate(arrays["forces"])
np.savez(result, version=version("deepmd-kit"), **arrays)
