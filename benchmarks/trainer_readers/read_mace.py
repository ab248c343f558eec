"""Read train.xyz as MACE does; measure the weights of frames in its losses: read_mace.py FOLDER RESULT.npz"""

import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

torch.set_default_dtype(torch.float64)

from mace import data, modules, tools
from mace.data.utils import KeySpecification
from mace.tools.torch_geometric.dataloader import DataLoader

ERROR = 1e-3
"""Error (eV, eV/Å) that is added to labels: in the quadratic part of the Huber loss."""

folder, result = sys.argv[1:]
_, configurations = data.load_from_xyz(f"{folder}/train.xyz", KeySpecification.from_defaults())
table = tools.AtomicNumberTable(sorted({int(z) for c in configurations for z in c.atomic_numbers}))
frames = [data.AtomicData.from_config(c, z_table=table, cutoff=5.0) for c in configurations]
losses = {
    "weighted": modules.WeightedEnergyForcesLoss(1, 1),
    "universal": modules.UniversalLoss(1, 1, 0, huber_delta=0.01),
}
arrays: dict[str, Any] = {"energies": [], "forces": []}
for batch in DataLoader(frames, batch_size=1, shuffle=False):
    arrays["energies"].append(batch.energy.item())
    arrays["forces"].append(batch.forces.numpy())
    exact = {"energy": batch.energy, "forces": batch.forces, "stress": batch.stress}
    for name, loss in losses.items():
        of_energy = loss(batch, exact | {"energy": batch.energy + ERROR * batch.num_nodes}).item()
        of_forces = loss(batch, exact | {"forces": batch.forces + ERROR}).item()
        for part, value in (("energy", of_energy), ("force", of_forces)):
            arrays.setdefault(f"{part}_weights_{name}", []).append(value / ERROR**2)
arrays["n_atoms"] = [len(forces) for forces in arrays["forces"]]
arrays["forces"] = np.concatenate(arrays["forces"])
np.savez(result, version=version("mace-torch"), **arrays)
