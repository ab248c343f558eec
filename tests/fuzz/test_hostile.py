"""Files made to run code when read: none does, and each is refused in one line."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from mdaug.deployment import load_model
from mdaug.errors import DataError
from tests.fuzz import samples
from tests.fuzz.commands import commands_for, complaint, put, touches
from tests.fuzz.mutations import pack, zipped


def saved(content, *, zipped_container: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped_container)
    return stream.getvalue()


def in_props(payload, house) -> bytes:
    return saved({"props": samples.nff_props() | {"spin": payload}})


def instead_of_props(payload, house) -> bytes:
    return saved(payload)


def in_the_old_container(payload, house) -> bytes:
    return saved({"props": samples.nff_props() | {"spin": payload}}, zipped_container=False)


def in_an_array(payload, house) -> bytes:
    with np.load(house.good("npz")) as archive:
        return pack(
            {key: archive[key] for key in archive.files} | {"theory": np.array(payload, dtype=object)}
        )


def in_positions(payload, house) -> bytes:
    with np.load(house.good("npz")) as archive:
        return pack({key: archive[key] for key in archive.files} | {"R": np.array([payload], dtype=object)})


def in_a_checkpoint(payload, house) -> bytes:
    state = {"model": samples.network().state_dict(), "best": payload}
    return saved({"format": "mdaug checkpoint 1", "fingerprint": "", "state": state})


def in_an_old_checkpoint(payload, house) -> bytes:
    return saved({"format": "mdaug checkpoint 1", "state": payload}, zipped_container=False)


def instead_of_a_model(payload, house) -> bytes:
    return saved(payload)


def in_a_model(payload, house) -> bytes:
    """A good manifest and a pickle that is none of TorchScript's."""
    with zipfile.ZipFile(house.good("model.pt")) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    (data,) = [name for name in held if name.endswith("/data.pkl")]
    return zipped(held | {data: pickle.dumps(payload)})


HOSTILE = {
    "nff": [in_props, instead_of_props, in_the_old_container],
    "npz": [in_an_array, in_positions],
    "checkpoint.pt": [in_a_checkpoint, in_an_old_checkpoint],
    "model.pt": [instead_of_a_model, in_a_model],
}


def test_the_payload_works_where_pickles_are_trusted(house) -> None:
    pickle.loads(pickle.dumps(touches(house.canary)))
    assert house.canary.exists()


@pytest.mark.parametrize(("kind", "made"), [(kind, made) for kind in HOSTILE for made in HOSTILE[kind]])
def test_no_code_is_executed(kind, made, house, capsys) -> None:
    file = put(kind, made(touches(house.canary), house), house.path / "hostile", house)
    for argv in commands_for(kind, file, house)[:3]:
        assert complaint(argv, file, house, capsys) is None
    assert house.counts.get("exit 0", 0) <= (kind == "model.pt")  # `info` reads the manifest and no more


def test_a_raw_pickle_is_no_data(house, capsys) -> None:
    for kind in ("nff", "extxyz", "structure", "points.jsonl", "springs.json"):
        file = put(kind, pickle.dumps(touches(house.canary)), house.path / "hostile", house)
        assert complaint(commands_for(kind, file, house)[0], file, house, capsys) is None
    assert "exit 0" not in house.counts


def test_a_flipped_byte_of_the_weights_is_seen(house, capsys) -> None:
    """Torch checks no sums of its zip: it would be another model."""
    content = bytearray(house.good("model.pt").read_bytes())
    with zipfile.ZipFile(house.good("model.pt")) as archive:
        weights = max(
            (one for one in archive.infolist() if "/data/" in one.filename), key=lambda one: one.file_size
        )
    content[content.index(weights.filename.encode(), weights.header_offset) + 200] ^= 64
    file = put("model.pt", bytes(content), house.path / "hostile", house)
    for argv in commands_for("model.pt", file, house)[:2]:
        assert complaint(argv, file, house, capsys) is None
    assert house.counts == {"exit 1": 2}


def test_weights_of_another_hash_are_refused(house) -> None:
    with zipfile.ZipFile(house.good("model.pt")) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    (manifest,) = [name for name in held if name.endswith("manifest.json")]
    content = json.loads(held[manifest]) | {"weights_sha256": "0" * 64}
    file = put(
        "model.pt", zipped(held | {manifest: json.dumps(content).encode()}), house.path / "hostile", house
    )
    load_model(house.good("model.pt"))
    with pytest.raises(DataError, match="weights are not those of its manifest"):
        load_model(file)
