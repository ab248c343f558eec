"""Read the data of nequip.yaml as nequip-train does: read_nequip.py FOLDER RESULT.npz"""

import os
import sys
from importlib.metadata import version

import numpy as np
from hydra.utils import instantiate
from nequip.utils.global_state import set_global_state
from omegaconf import OmegaConf

folder, result = sys.argv[1:]
result = os.path.abspath(result)
os.chdir(folder)
set_global_state()
config = OmegaConf.load("nequip.yaml")
module = instantiate(OmegaConf.to_container(config.data, resolve=True), _recursive_=False)
module.setup("fit")
(frames,) = module.train_dataset
loader = module.train_dataloader()
arrays = {
    "energies": [frames[n]["total_energy"].item() for n in range(len(frames))],
    "forces": [frames[n]["forces"].numpy() for n in range(len(frames))],
    "weights_sampler": loader.sampler.weights.numpy(),
}
arrays["n_atoms"] = [len(forces) for forces in arrays["forces"]]
arrays["forces"] = np.concatenate(arrays["forces"])
np.savez(result, version=version("nequip"), **arrays)
