"""Read frames.db and split.npz as spktrain does: read_schnetpack.py FOLDER RESULT.npz"""

import sys
from importlib.metadata import version

import numpy as np
from schnetpack.data import AtomsDataModule

folder, result = sys.argv[1:]
module = AtomsDataModule(
    f"{folder}/frames.db",
    batch_size=10,
    split_file=f"{folder}/split.npz",
    distance_unit="Ang",
    property_units={"energy": "eV", "forces": "eV/Ang"},
    num_workers=0,
)
module.setup()
drawn = np.bincount([int(n) for batch in module.train_dataloader() for n in batch["_idx"]])
n_training = min(module.val_idx)
frames = [module.dataset[n] for n in range(n_training)]
arrays = {
    "energies": [frame["energy"].item() for frame in frames],
    "forces": [frame["forces"].numpy() for frame in frames],
    "weights_repetition": np.pad(drawn, (0, n_training - len(drawn))) / drawn.max(),
}
arrays["n_atoms"] = [len(forces) for forces in arrays["forces"]]
arrays["forces"] = np.concatenate(arrays["forces"])
np.savez(result, version=version("schnetpack"), **arrays)
