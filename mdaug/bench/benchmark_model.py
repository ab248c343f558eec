"""The model that is measured: a model.pt, its sizes, and the structure in its manifest."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mdaug.bench.options import BenchOptions
from mdaug.calculators.core import Core
from mdaug.calculators.evaluators import find_molecules, make_core, set_molecules
from mdaug.calculators.structures import elements_of
from mdaug.deployment import export_model, read_manifest
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray, structure_from_json
from mdaug.models import SchNet, SchNetOptions
from mdaug.options import Precision

ENERGY_UNIT_EV = 1e-6
"""Energy unit of untrained networks, for mdaug and the baseline: forces are so weak that atoms hardly
move."""

RATTLE_A = 0.02
"""Standard deviation of the noise in positions, Å."""

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

    Attributes
    ----------
    path
        The model.pt.
    manifest
        Its manifest.
    sizes
        Sizes of the network.
    atoms
        The reference structure of the manifest.
    direct_path
        The same network with filters that are evaluated at every pair; None for a trained model.
    """

    path: Path
    manifest: dict[str, Any]
    sizes: SchNetOptions
    atoms: Atoms
    direct_path: Path | None = None

    @property
    def species(self) -> IntArray:
        """Index (n_atoms,) of each atom's element among the model's."""
        return elements_of(self.atoms.numbers, self.manifest["elements"])

    def make_core(self, dtype: Precision | None, device: str, threads: int) -> Core:
        """Return the C++ core with the model, ready to evaluate replicas of the structure.

        Parameters
        ----------
        dtype, device, threads
            As for `mdaug.calculators.evaluators.make_core`.

        Raises
        ------
        CoreUnavailableError
            The core cannot evaluate the model here.
        """
        core = make_core(self.path, dtype, device, threads)
        set_molecules(core, find_molecules(self.manifest, self.atoms))
        return core

    def rattled(self, n: int) -> FloatArray:
        """Return positions (n, n_atoms, 3), Å, of the structure plus Gaussian noise, with a fixed seed.

        Parameters
        ----------
        n
            Number of sets of positions.
        """
        noise = np.random.default_rng(0).normal(scale=RATTLE_A, size=(n, *self.atoms.positions.shape))
        return self.atoms.get_positions() + noise


def read_benchmark_model(path: Path) -> BenchmarkModel:
    """Return the model in a file.

    Parameters
    ----------
    path
        A model.pt.

    Raises
    ------
    DataError
        The file was not written by mdaug, or its manifest has no structure.
    """
    manifest = read_manifest(path)
    reference = (manifest.get("training") or {}).get("reference_structure")
    if reference is None:
        raise DataError(f"{path}: its manifest has no reference structure; export it again from its run")
    prior = (manifest.get("prior") or {"name": "none"})["name"]
    sizes = {key: manifest[key] for key in _SIZES} | {"cutoff": manifest["cutoff_A"], "prior": prior}
    sizes["n_vectors"] = manifest.get("n_vectors", 0)
    if manifest["n_knots"] is not None:
        sizes["n_knots"] = manifest["n_knots"]
    return BenchmarkModel(path, manifest, SchNetOptions(**sizes), structure_from_json(reference))


def untrained_sizes(options: BenchOptions) -> SchNetOptions:
    """Return the sizes of the untrained network, which has no prior.

    Parameters
    ----------
    options
        Options of the measurement.
    """
    return SchNetOptions(
        n_atom_basis=options.width,
        n_filters=options.width,
        n_vectors=options.vectors,
        n_interactions=options.interactions,
        n_gaussians=options.gaussians,
        filter_network=options.filter_network,
        n_knots=options.knots,
        cutoff=options.cutoff,
        prior="none",
    )


def untrained_benchmark_model(options: BenchOptions, frames: FrameSet, folder: Path) -> BenchmarkModel:
    """Write and return a model with random weights.

    direct.pt beside it has the same weights, and its filter networks are evaluated at every pair.

    Parameters
    ----------
    options
        Sizes of the network.
    frames
        Frames of the molecule; the one of lowest energy is the reference structure.
    folder
        Folder for model.pt and direct.pt.
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
