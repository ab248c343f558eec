"""Train HIP-NN on the frames.npz in this folder: python train.py [EPOCHS]

Written by `mdaug augment --for hippynn`; it needs hippynn only. Sizes of network and training are a start.
"""

import sys

import hippynn
import numpy as np
import torch
from hippynn.experiment import SetupParams, setup_and_train
from hippynn.experiment.assembly import assemble_for_training
from hippynn.experiment.controllers import PatienceController, RaiseBatchSizeOnPlateau
from hippynn.graphs import IdxType, inputs, loss, networks, physics, targets
from hippynn.graphs.nodes.misc import ListNode

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 500
FRAMES = "frames.npz"

arrays = np.load(FRAMES)
elements = [int(number) for number in np.unique(arrays["Z"])]

species = inputs.SpeciesNode(db_name="Z")
positions = inputs.PositionsNode(db_name="R")
cells = [inputs.CellNode(db_name="cell")] if "cell" in arrays else []
network = networks.Hipnn(
    "network",
    (species, positions, *cells),
    periodic="cell" in arrays,
    module_kwargs={
        "possible_species": [0, *elements],
        "n_features": 40,
        "n_sensitivities": 20,
        "dist_soft_min": 0.5,
        "dist_soft_max": 5.5,
        "dist_hard_max": 6.5,
        "n_interaction_layers": 2,
        "n_atom_layers": 3,
    },
)
energy = targets.HEnergyNode("energy", network, db_name="E")
forces = physics.GradientNode("forces", (energy, positions), sign=-1, db_name="F")

of_frames = getattr(IdxType, "Systems", None) or IdxType.Molecules  # its name in hippynn before 0.1
of_atoms = getattr(IdxType, "SysAtom", None) or IdxType.MolAtom
energy_weights = inputs.InputNode(db_name="w_E", index_state=of_frames)
force_weights = inputs.InputNode(db_name="w_F", index_state=of_atoms)
ListNode("weighted atoms", (species, force_weights))  # hippynn looks for the species of the weighted atoms
# squared errors times the weight of their frame, divided by the mean weight of the batch
energy_loss = loss.WeightedMSELoss.of_node(energy, energy_weights)
force_loss = loss.WeightedMSELoss.of_node(forces, force_weights)
total_loss = 0.01 * energy_loss + force_loss

validation_losses = {
    "energy_MAE_eV": loss.MAELoss.of_node(energy),
    "force_MAE_eV_A": loss.MAELoss.of_node(forces),
    "loss": total_loss,
}
modules, db_info = assemble_for_training(total_loss, validation_losses)
# allow_unfound keeps the arrays that are neither inputs nor targets, among them the masks of the split
database = hippynn.databases.NPZDatabase(
    FRAMES, seed=0, auto_split=True, allow_unfound=True, quiet=True, **db_info
)

optimizer = torch.optim.Adam(modules.model.parameters(), lr=1e-3)
scheduler = RaiseBatchSizeOnPlateau(optimizer=optimizer, max_batch_size=64, patience=20, factor=0.5)
controller = PatienceController(
    optimizer=optimizer,
    scheduler=scheduler,
    batch_size=20,  # of fewer frames, some batches would hold augmented frames only
    eval_batch_size=100,
    max_epochs=EPOCHS,
    termination_patience=100,
    stopping_key="loss",
)
setup_and_train(
    training_modules=modules,
    database=database,
    setup_params=SetupParams(controller=controller, device="cuda" if torch.cuda.is_available() else "cpu"),
)
