"""model.pt: what is in it, and what is refused."""

import json
import zipfile

import pytest
import torch
from torch import nn

from mdaug.deployment import export_model, load_model, read_manifest
from mdaug.deployment.manifest import WITH_PRIOR, WITH_VECTORS
from mdaug.errors import DataError

TRAINING = {"data": "ethanol", "temperature_K": 500.0, "n_train": 3, "bonds": []}


@pytest.fixture
def path(make_model, tmp_path):
    return export_model(make_model().float(), tmp_path / "model.pt", training=TRAINING)


def rewrite(path, content):
    """Put another manifest into the file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, content if name.endswith("extra/manifest.json") else data)


def test_manifest(path):
    manifest = read_manifest(path)
    assert manifest["format_version"] == 1
    assert manifest["prior"] is None
    assert manifest["elements"] == ["H", "C", "O"]
    assert manifest["cutoff_A"] == 4.0
    assert (manifest["n_interactions"], manifest["n_atom_basis"], manifest["n_filters"]) == (2, 12, 16)
    assert manifest["filters"] == "spline"
    assert manifest["units"] == {"energy": "eV", "length": "angstrom"}
    assert manifest["dtype"] == "float32"
    assert manifest["training"] == TRAINING
    assert manifest["versions"]["torch"] == torch.__version__
    assert set(manifest["versions"]) == {"mdaug", "torch", "python"}


def test_the_manifest_has_the_number_of_vectors_if_there_are_any(make_model, tmp_path, path):
    assert "n_vectors" not in read_manifest(path)
    with_vectors = read_manifest(export_model(make_model(n_vectors=5), tmp_path / "vectors.pt", training={}))
    assert (with_vectors["n_vectors"], with_vectors["format_version"]) == (5, WITH_VECTORS)


def test_digest_tells_networks_apart(make_model, tmp_path):
    digests = [
        read_manifest(export_model(make_model(seed), tmp_path / "m.pt", training={}))["weights_sha256"]
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_prior_is_told_and_kept_from_readers_of_version_1(make_model, tmp_path):
    model = make_model(prior="pair")
    manifest = read_manifest(export_model(model, tmp_path / "m.pt", training={}))
    assert manifest["format_version"] == WITH_PRIOR == 2
    assert manifest["prior"]["name"] == "pair"
    assert manifest["prior"]["pairs"]["H-O"]["r0_A"] == 0.96
    model.prior.table[0, 0, 5] += 0.1
    other = read_manifest(export_model(model, tmp_path / "m.pt", training={}))
    assert other["weights_sha256"] != manifest["weights_sha256"]


def test_precision(make_model, path, tmp_path):
    assert load_model(path).network.readout.weight.dtype == torch.float32
    assert load_model(path, "float64").network.readout.weight.dtype == torch.float64
    assert torch.jit.load(str(path)).network.readout.weight.dtype == torch.float64
    wide = export_model(make_model().float(), tmp_path / "wide.pt", training={}, dtype="float64")
    assert load_model(wide).network.readout.weight.dtype == torch.float64
    with pytest.raises(DataError, match="expected 'float32' or 'float64'"):
        load_model(path, "float16")


def test_the_file_is_written_whole_or_not_at_all(make_model, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(torch.jit, "save", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        export_model(make_model(1), path, training={})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_nan_in_the_summary_is_refused(make_model, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        export_model(make_model(), tmp_path / "model.pt", training={"temperature_K": float("nan")})
    assert not list(tmp_path.iterdir())


def test_missing_and_foreign_files_are_refused(tmp_path):
    for name in ("absent.pt", "."):
        with pytest.raises(DataError, match="no such file; expected a model"):
            read_manifest(tmp_path / name)
    text = tmp_path / "text.pt"
    text.write_text("H 0 0 0\n")
    with pytest.raises(DataError, match=r"text.pt: not a model.pt, or damaged"):
        read_manifest(text)
    other = tmp_path / "other.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(other))
    with pytest.raises(DataError, match="but without manifest"):
        load_model(other)


def test_a_checkpoint_is_refused_and_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"state": Trap()}, checkpoint)
    with pytest.raises(DataError, match="a checkpoint"):
        load_model(checkpoint)
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="damaged"):
        load_model(path)


def test_damage_inside_is_refused(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            if not name.endswith("constants.pkl"):
                archive.writestr(name, data)
    with pytest.raises(DataError, match=r"TorchScript cannot load the model"):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ("[]", "no JSON object"),
        ("{}", "format version None, expected 1 to 7"),
        (json.dumps({"format_version": 8}), "format version 8, expected 1 to 7; export it again"),
        (json.dumps({"format_version": 1, "elements": []}), "lacks cutoff_A, n_interactions, dtype"),
    ],
)
def test_manifests_that_are_refused(path, content, message):
    rewrite(path, content)
    with pytest.raises(DataError, match=message):
        read_manifest(path)
