"""NequIP and Allegro: extended xyz, weights with which a sampler draws frames, and a configuration."""

import json
from pathlib import Path

import numpy as np
from ase import Atoms

from mdaug.data.trainers.training_data import Instructions, Trainer, TrainingData
from mdaug.data.trainers.xyz import FILES, TEST, TRAIN, VALIDATION, labeled_atoms, write_sets
from mdaug.files import atomic_path, write_text
from mdaug.frames import FrameSet

CONFIG, WEIGHTS_FILE = "nequip.yaml", "weights.txt"

WEIGHTS = f"""\
NequIP (checked: 0.19.1) has no weight of a frame in its losses. {CONFIG} therefore draws the frames of
each epoch with probabilities proportional to the numbers in {WEIGHTS_FILE} (one for each frame of
{TRAIN}), by PyTorch's `WeightedRandomSampler` in `train_dataloader`. In the mean over many steps every
frame counts as its weight says. Without this sampler all frames are equally important: a stretched
molecule then counts as much as a frame of the data."""


def _write(data: TrainingData, folder: Path, _repeats: int | None) -> Instructions:
    """Write the three sets, weights.txt and nequip.yaml."""
    write_sets(data, folder, _atoms)
    with atomic_path(folder / WEIGHTS_FILE) as temporary:
        np.savetxt(temporary, data.weights, fmt="%.10g")
    write_text(folder / CONFIG, _config(data))
    return Instructions(
        WEIGHTS,
        f"nequip-train -cn {CONFIG}",
        (
            "Run the command in this folder, with one process.",
            "Allegro reads the same files; replace the model in the configuration.",
            "Stresses are left out, because augmented frames have none.",
            f"Sizes of the network and epochs in {CONFIG} are a start; choose your own.",
        ),
    )


def _atoms(frames: FrameSet, n: int) -> Atoms:
    return labeled_atoms(frames, n)


def _config(data: TrainingData) -> str:
    has_test = len(data.test) > 0
    metrics = """\
    _target_: nequip.train.EnergyForceMetrics
    coeffs: {total_energy_mae: 1.0, forces_mae: 1.0}"""
    test_data = f"\n  test_file_path: {TEST}\n  test_dataloader: ${{data.val_dataloader}}" if has_test else ""
    return f"""\
run: [train{", test" if has_test else ""}]
seed: 0
cutoff_radius: 5.0
model_type_names: {json.dumps(data.symbols)}

data:
  _target_: nequip.data.datamodule.ASEDataModule
  seed: ${{seed}}
  train_file_path: {TRAIN}
  val_file_path: {VALIDATION}{test_data}
  transforms:
    - _target_: nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper
      model_type_names: ${{model_type_names}}
    - _target_: nequip.data.transforms.NeighborListTransform
      r_max: ${{cutoff_radius}}
  train_dataloader:
    _target_: torch.utils.data.DataLoader
    batch_size: 5
    sampler:
      _target_: torch.utils.data.WeightedRandomSampler
      weights: {{_target_: numpy.loadtxt, fname: {WEIGHTS_FILE}}}
      num_samples: {len(data.weights)}
  val_dataloader:
    _target_: torch.utils.data.DataLoader
    batch_size: 10
  stats_manager:
    _target_: nequip.data.CommonDataStatisticsManager
    type_names: ${{model_type_names}}
    dataloader_kwargs: {{batch_size: 10}}

trainer:
  _target_: lightning.Trainer
  max_epochs: 200
  accelerator: auto
  callbacks:
    - _target_: lightning.pytorch.callbacks.ModelCheckpoint
      monitor: val0_epoch/weighted_sum
      dirpath: ${{hydra:runtime.output_dir}}
      filename: best
      save_last: true

training_module:
  _target_: nequip.train.EMALightningModule
  loss:
    _target_: nequip.train.EnergyForceLoss
    per_atom_energy: true
    coeffs: {{total_energy: 1.0, forces: 1.0}}
  val_metrics:
{metrics}
  test_metrics: ${{training_module.val_metrics}}
  optimizer: {{_target_: torch.optim.Adam, lr: 0.005}}
  model:
    _target_: nequip.model.NequIPGNNModel
    seed: ${{seed}}
    model_dtype: float32
    type_names: ${{model_type_names}}
    r_max: ${{cutoff_radius}}
    l_max: 1
    parity: true
    num_layers: 3
    num_features: 32
    radial_mlp_depth: 1
    radial_mlp_width: 64
    avg_num_neighbors: ${{training_data_stats:num_neighbors_mean}}
    per_type_energy_shifts: ${{training_data_stats:per_atom_energy_mean}}
    per_type_energy_scales: ${{training_data_stats:forces_rms}}
"""


TRAINER = Trainer(
    "NequIP",
    FILES | {WEIGHTS_FILE: "weights of the frames of train.xyz", CONFIG: "configuration for nequip-train"},
    _write,
)
