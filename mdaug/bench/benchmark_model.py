"""What is measured: a model.pt, its sizes, and the molecule it is asked about."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mdaug.bench.options import BenchOptions
from mdaug.calculators.structures import species_of
from mdaug.deployment import export_model, read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray, structure_from_json
from mdaug.models import SchNet, SchNetOptions

ENERGY_UNIT_EV = 1e-6
"""Energy unit of untrained networks, ours and the baseline's: forces are so weak that atoms hardly move."""

_SIZES = (
    "n_atom_basis",
    "n_filters",
    "n_gaussians",
    "n_interactions",
    "filter_network",
    "filters",
    "cutoff_function",
)


@dataclass(frozen=True)
class BenchmarkModel:
    """A model.pt and the structure in its manifest.

    `direct_path` is the same network with filters evaluated on every pair, where there is one.
    """

    path: Path
    manifest: dict[str, Any]
    sizes: SchNetOptions
    atoms: Atoms
    direct_path: Path | None = None

    @property
    def species(self) -> IntArray:
        """Each atom's index (n_atoms,) among the model's elements."""
        return species_of(self.atoms.numbers, self.manifest["elements"])

    def rattled(self, n: int, sigma_A: float = 0.02) -> FloatArray:
        """Positions (n, n_atoms, 3) near those of the structure, always the same ones."""
        noise = np.random.default_rng(0).normal(scale=sigma_A, size=(n, *self.atoms.positions.shape))
        return self.atoms.get_positions() + noise


def read_benchmark_model(path: Path) -> BenchmarkModel:
    """Return the model at `path`.

    Raises
    ------
    DataError
        It is no model of ours, or its manifest holds no structure.
    """
    manifest = read_manifest(path)
    reference = (manifest.get("training") or {}).get("reference_structure")
    if reference is None:
        raise DataError(f"{path}: its manifest holds no reference structure; export it again from its run")
    prior = (manifest.get("prior") or {"name": "none"})["name"]
    sizes = {key: manifest[key] for key in _SIZES} | {"cutoff": manifest["cutoff_A"], "prior": prior}
    if manifest["n_knots"] is not None:
        sizes["n_knots"] = manifest["n_knots"]
    return BenchmarkModel(path, manifest, SchNetOptions(**sizes), structure_from_json(reference))


def untrained_sizes(options: BenchOptions) -> SchNetOptions:
    """Return the sizes of the network, without a prior, that is measured where no model is named."""
    return SchNetOptions(
        n_atom_basis=options.width,
        n_filters=options.width,
        n_interactions=options.interactions,
        n_gaussians=options.gaussians,
        filter_network=options.filter_network,
        n_knots=options.knots,
        cutoff=options.cutoff,
        prior="none",
    )


def untrained_benchmark_model(options: BenchOptions, frames: FrameSet, folder: Path) -> BenchmarkModel:
    """Write model.pt with random weights for the molecule of `frames` into `folder`, and return it.

    direct.pt has the same weights, and its filter networks are evaluated on every pair.
    """
    torch.manual_seed(0)
    elements = sorted(set(frames.atomic_numbers.tolist()))
    sizes = untrained_sizes(options)
    model = SchNet(sizes, elements, [0.0] * len(elements), ENERGY_UNIT_EV)
    direct = SchNet(
        sizes.model_copy(update={"filters": "direct"}), elements, [0.0] * len(elements), ENERGY_UNIT_EV
    )
    direct.load_state_dict(model.state_dict())
    structure = {
        "atomic_numbers": frames.atomic_numbers.tolist(),
        "positions": frames.positions[frames.energies.argmin()].tolist(),
    }
    training = {"data": "none: random weights", "reference_structure": structure}
    paths = [
        export_model(network, folder / name, training=training, dtype=options.dtype)
        for network, name in ((model, "model.pt"), (direct, "direct.pt"))
    ]
    return replace(read_benchmark_model(paths[0]), direct_path=paths[1])
