"""Read frames.npz as train.py does, with the weights in hippynn's loss: read_hippynn.py FOLDER RESULT.npz"""

import sys
from importlib.metadata import version

import hippynn
import numpy as np
import torch
from hippynn.layers.algebra import WeightedMSELoss

ERROR = 1e-2

torch.set_default_dtype(torch.float64)
folder, result = sys.argv[1:]
names = {"inputs": ["Z", "R"], "targets": ["E", "F", "w_E", "w_F"]}
database = hippynn.databases.NPZDatabase(
    f"{folder}/frames.npz", seed=0, auto_split=True, allow_unfound=True, quiet=True, **names
)
train = database.splits["train"]
loss = WeightedMSELoss()
arrays = {"energies": train["E"][:, 0].numpy(), "forces": train["F"].numpy()}
for part, labels, weights in (("energy", "E", "w_E"), ("force", "F", "w_F")):
    of_frames = []
    for n in range(len(train[labels])):
        predicted = train[labels].clone()
        predicted[n] += ERROR
        of_frames.append(loss(predicted, train[labels], train[weights]).item())
    arrays[f"{part}_weights_WeightedMSELoss"] = np.array(of_frames) / of_frames[0]  # frame 0 is a raw one
np.savez(result, version=version("hippynn"), **arrays)
