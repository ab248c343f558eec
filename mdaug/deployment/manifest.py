"""manifest.json inside a model.pt: the description of the model for every program that reads it."""

import hashlib
import platform
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from ase.data import chemical_symbols
from ase.symbols import Symbols
from torch import nn

import mdaug
from mdaug.archives import check_layout, open_zip, parse_json
from mdaug.deployment.archive_check import short_storage
from mdaug.deployment.committee import is_valid_committee, named, network_file
from mdaug.deployment.deployed_model import DeployedModel
from mdaug.errors import DataError
from mdaug.models import SchNet
from mdaug.models.molecule_template import TEMPLATE_TENSORS
from mdaug.models.molecule_terms import MoleculeTerms
from mdaug.options import PRECISIONS

NAME = "manifest.json"
WITH_TYPE_STATISTICS, WITH_SCALES, WITH_BASELINE, WITH_VECTORS, WITH_PRIOR, PLAIN = 7, 6, 5, 4, 2, 1
"""Format versions of models with statistics of atom types, with output scales, with a baseline, with vectors,
with a prior, and without any: an older reader must refuse what it would leave out, and tensors that it does
not expect."""

READABLE = (PLAIN, WITH_PRIOR, 3, WITH_VECTORS, WITH_BASELINE, WITH_SCALES, WITH_TYPE_STATISTICS)
"""Baselines of version 3 have no angles in radians, those of versions 3 and 4 no atom types."""

_KEYS = ("elements", "cutoff_A", "n_interactions", "dtype", "units", "training", "weights_sha256", "versions")
_VALID: dict[str, Callable[[Any], bool]] = {
    "elements": lambda value: isinstance(value, list) and set(map(str, value)) <= set(chemical_symbols[1:]),
    "cutoff_A": lambda value: isinstance(value, int | float) and 0 < value < float("inf"),
    "dtype": lambda value: value in PRECISIONS,
    "units": lambda value: isinstance(value, dict),
    "training": lambda value: isinstance(value, dict),
    "versions": lambda value: isinstance(value, dict),
    "committee": is_valid_committee,
}
"""Conditions on the values that readers need."""


def build_manifest(
    model: SchNet, deployed: DeployedModel, training: dict[str, Any], dtype: str
) -> dict[str, Any]:
    """Return the manifest of a model.

    Parameters
    ----------
    model
        The trained model.
    deployed
        The same model as it is written, whose tensors are hashed.
    training
        See `export_model`.
    dtype
        Default precision of the network; the file holds float64.

    Returns
    -------
    dict
        format_version; elements (symbols, in the model's order); cutoff_A and the other sizes of the network
        (n_vectors if there are any);
        prior (name, number of knots, parameters of each pair of elements; null if there is none); baseline (a
        list of the kinds of molecules: formula, atomic_numbers, bonds, mean_lengths_A, atom_types, n_terms,
        has_energy, false for those without; null if there is none); units; dtype; training; weights_sha256
        (of all tensors); versions.
        `export_model` adds extrapolation (n_frames, the number of training frames behind its statistics), if
        the model has statistics, and committee (networks, their number), if the file contains others.
    """
    options = model.options
    return {
        "format_version": _format_version(model, deployed),
        "architecture": "SchNet",
        "elements": [chemical_symbols[number] for number in model.atomic_numbers],
        "cutoff_A": options.cutoff,
        "n_interactions": options.n_interactions,
        "n_atom_basis": options.n_atom_basis,
        "n_filters": options.n_filters,
        **({"n_vectors": options.n_vectors} if options.n_vectors else {}),
        "filters": options.filters,
        "n_knots": options.n_knots if options.filters == "spline" else None,
        "filter_network": options.filter_network,
        "n_gaussians": options.gaussians,
        "cutoff_function": options.cutoff_function,
        "prior": None if model.prior is None else model.prior.description,
        "baseline": [_describe_template(terms) for terms in deployed.baseline] or None,
        "units": {"energy": "eV", "length": "angstrom"},
        "dtype": dtype,
        "training": training,
        "weights_sha256": weights_sha256(deployed),
        "versions": {
            "mdaug": mdaug.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _format_version(model: SchNet, deployed: DeployedModel) -> int:
    statistics = deployed.feature_means
    if statistics is not None and len(statistics) > len(model.atomic_numbers):
        return WITH_TYPE_STATISTICS
    if model.output_scales is not None:
        return WITH_SCALES
    if len(deployed.baseline):
        return WITH_BASELINE
    if model.options.n_vectors > 0:
        return WITH_VECTORS
    return PLAIN if deployed.prior_table is None else WITH_PRIOR


def _describe_template(terms: MoleculeTerms) -> dict[str, Any]:
    return {
        "formula": str(Symbols(terms.atomic_numbers.numpy()).get_chemical_formula("hill")),
        "atomic_numbers": terms.atomic_numbers.tolist(),
        "bonds": terms.bonds.tolist(),
        "mean_lengths_A": terms.bond_parameters[:, 0].tolist(),
        "atom_types": terms.atom_types.tolist(),
        "n_terms": len(terms.coefficients),
        "has_energy": terms.has_energy,
    }


def read_manifest(path: str | Path, network: int = 0) -> dict[str, Any]:
    """Return the manifest of a model.pt; nothing in the file is executed.

    Parameters
    ----------
    path
        The file.
    network
        0, or the number of another network of the committee in the file.

    Raises
    ------
    DataError
        The file is missing, was not written by mdaug, is damaged, or has another format version; it does not
        contain the network.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a model.pt written by mdaug train or mdaug export")
    name = named(path, network)
    manifest = _parse(name, _extra_file(network_file(path, network) if network else path, name))
    version = manifest.get("format_version")
    if version not in READABLE:
        raise DataError(
            f"{name}: model of format version {version!r}, expected {READABLE[0]} to {READABLE[-1]}; "
            "export it again with this version of mdaug, or use the version that wrote it"
        )
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise DataError(f"{name}: {NAME} lacks {', '.join(missing)}; export the model again")
    wrong = [key for key, is_valid in _VALID.items() if not is_valid(manifest.get(key))]
    if wrong:
        shown = repr(manifest[wrong[0]])[:80]
        raise DataError(f"{name}: {NAME} has {wrong[0]} = {shown}, which is not valid; export it again")
    return manifest


def _extra_file(source: Path | BinaryIO, name: str) -> bytes:
    """Return the bytes of manifest.json, which TorchScript stores in the folder extra/ of a zip file."""
    try:
        with open_zip(source) as archive:
            names = archive.namelist()
            folder = check_layout(archive)
            damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
            short = short_storage(archive, folder)
            if short is not None:
                raise zipfile.BadZipFile(f"{short} has fewer bytes than its tensor")
            if f"{folder}/extra/{NAME}" in names:
                return archive.read(f"{folder}/extra/{NAME}")
    except Exception as error:  # a broken file makes zipfile raise errors of many kinds
        raise DataError(
            f"{name}: not a model.pt, or damaged ({error}); expected the model.pt of a training; files of "
            "frames are for `mdaug check`"
        ) from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise DataError(f"{name}: a TorchScript file, but without {NAME}; expected one written by mdaug")
    raise DataError(
        f"{name}: not a deployed model (a checkpoint?); expected the model.pt that mdaug train writes"
    )


def _parse(name: str, content: bytes) -> dict[str, Any]:
    try:
        manifest = parse_json(content)
    except ValueError as error:
        raise DataError(f"{name}: {NAME} is not readable JSON ({error}); export the model again") from error
    if not isinstance(manifest, dict):
        raise DataError(f"{name}: {NAME} holds no JSON object; export the model again")
    return manifest


def weights_sha256(deployed: DeployedModel | torch.jit.ScriptModule) -> str:
    """Return the SHA-256 of all tensors and their names.

    Parameters
    ----------
    deployed
        The module before it is written, or loaded from a file.
    """
    digest = hashlib.sha256()
    tensors = deployed.state_dict()
    if deployed.prior_table is not None:
        tensors["prior_table"] = deployed.prior_table
    output_scales = getattr(deployed, "output_scales", None)  # files of earlier versions lack it
    if output_scales is not None:
        tensors["output_scales"] = output_scales
    if hasattr(deployed, "baseline"):  # files of earlier versions lack it
        for n, terms in cast("nn.ModuleList", deployed.baseline).named_children():
            own = [name for name in TEMPLATE_TENSORS if hasattr(terms, name)]  # earlier versions lack some
            tensors |= {f"baseline.{n}.{name}": getattr(terms, name) for name in own}
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
