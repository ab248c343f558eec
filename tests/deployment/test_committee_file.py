"""Several networks in one model.pt: each is the model that it was, and a damaged one is refused by name."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.deployment import export_model, load_model, read_manifest
from mdaug.errors import DataError

pytestmark = pytest.mark.slow

N = 3
WATER = (
    np.array([2, 0, 0]),
    np.array([[0, 0, 0], [0.97, 0, 0], [-0.24, 0.93, 0]]),
    np.array([0, 0, 1]),
    np.array([1, 2, 2]),
    np.zeros((3, 3)),
)

Members = dict[str, bytes]


@pytest.fixture
def alone(make_model, tmp_path: Path) -> list[Path]:
    """A file for each network."""
    training = {"data": "x"}
    return [export_model(make_model(seed), tmp_path / f"{seed}.pt", training=training) for seed in range(N)]


@pytest.fixture
def together(make_model, alone: list[Path], tmp_path: Path) -> Path:
    """One file of all networks."""
    others = [path.read_bytes() for path in alone[1:]]
    return export_model(make_model(0), tmp_path / "all.pt", training={"data": "x"}, committee=others)


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members: Members, path: Path, method: Callable[[str], int] = lambda _: zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, method(name))
    return path


def assert_refused(path: Path, network: int, words: str) -> None:
    """Python and the core refuse the network, in one line that names it."""
    for read in (read_manifest, lambda path, network: Core(path, network=network)):
        with pytest.raises((DataError, CoreUnavailableError), match=words) as caught:
            read(path, network)
        assert str(caught.value).startswith(f"{path}, network {network} of its committee: ")
        assert "\n" not in str(caught.value)


def test_the_first_network_is_the_model_of_the_file(alone, together) -> None:
    whole, first = read_manifest(together), read_manifest(alone[0])
    assert whole.pop("committee") == {"networks": N}
    assert whole == first
    for load in (load_model, torch.jit.load):
        forces = load(str(together)).evaluate(*map(torch.from_numpy, WATER))["forces"]
        expected = load_model(alone[0]).evaluate(*map(torch.from_numpy, WATER))["forces"]
        torch.testing.assert_close(forces, expected, rtol=0, atol=0)
    assert Core(together).n_networks == N
    assert Core(alone[0]).n_networks == 1


@pytest.mark.parametrize("network", range(N))
def test_each_network_is_that_of_its_own_file(network, alone, together) -> None:
    assert (
        read_manifest(together, network)["weights_sha256"] == read_manifest(alone[network])["weights_sha256"]
    )
    core, script = Core(together, network=network), load_model(together, network=network)
    for name, expected in Core(alone[network]).evaluate(*WATER).items():
        np.testing.assert_array_equal(core.evaluate(*WATER)[name], expected)
    forces = script.evaluate(*map(torch.from_numpy, WATER))["forces"].numpy()
    np.testing.assert_allclose(forces, core.evaluate(*WATER)["forces"], rtol=1e-10, atol=1e-12)
    other = Core(alone[(network + 1) % N]).evaluate(*WATER)["forces"]
    assert np.abs(forces - other).max() > 1e-3


def test_a_network_that_is_not_there(alone, together) -> None:
    assert_refused(together, N, "the file does not contain it")
    assert_refused(together, -1, "the file does not contain it")
    assert_refused(alone[0], 1, "the file does not contain it")
    for path, words in (
        (together, f"{N} networks; expected network 0 to {N - 1}$"),
        (alone[0], "1 network; expected network 0$"),
    ):
        with pytest.raises(DataError, match=words):
            read_manifest(path, 5)


def test_a_flipped_byte_anywhere(together, tmp_path) -> None:
    """The checksum of the outer archive is that of the whole network."""
    content, inner = together.read_bytes(), members_of(together)["archive/extra/committee/network-2.pt"]
    place = content.index(inner)
    for at in np.linspace(0, len(inner) - 1, 20).astype(int):
        forged = bytearray(content)
        forged[place + at] ^= 1
        (tmp_path / "flipped.pt").write_bytes(forged)
        assert_refused(tmp_path / "flipped.pt", 2, "(wrong checksum of|Bad CRC-32 for file).*network-2")
        with pytest.raises(DataError, match=r"wrong checksum of .*network-2"):
            read_manifest(tmp_path / "flipped.pt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda inner: inner[:-1000], "damaged"),
        (lambda inner: inner + b"x", "damaged"),
        (lambda inner: b"", "damaged"),
        (lambda inner: inner[:5000] + b"x" + inner[5001:], "wrong checksum"),
        (lambda inner: b"not a model", "damaged"),
    ],
)
def test_a_damaged_network_with_a_right_checksum(change, words, together, tmp_path) -> None:
    members = members_of(together)
    name = next(name for name in members if name.endswith("network-1.pt"))
    forged = pack(members | {name: change(members[name])}, tmp_path / "forged.pt")
    assert_refused(forged, 1, words)
    Core(forged), load_model(forged), Core(forged, network=2), load_model(forged, network=2)


def test_the_members_of_a_network_are_checked(flip_a_weight, alone, together, tmp_path) -> None:
    """Those of a file of its own are: tensors without their bytes, other weights, two members of one name."""
    inner = members_of(alone[1])
    largest = max((name for name in inner if "/data/" in name), key=lambda name: len(inner[name]))
    members = members_of(together)
    name = next(name for name in members if name.endswith("network-1.pt"))

    def assert_network_is_refused(content: bytes, words: str) -> None:
        forged = pack(members | {name: content}, tmp_path / "forged.pt")
        with pytest.raises(DataError, match=f"network 1 of its committee: .*({words})"):
            load_model(forged, network=1)
        with pytest.raises(CoreUnavailableError, match=f"network 1 of its committee: .*({words})"):
            Core(forged, network=1)

    short = pack(inner | {largest: inner[largest][:-8]}, tmp_path / "short.pt").read_bytes()
    assert_network_is_refused(short, "fewer bytes than its tensor|other sizes than the bytes stored")
    flipped = flip_a_weight(alone[1], tmp_path / "weight.pt").read_bytes()
    assert_network_is_refused(flipped, "its weights are not those of its manifest")
    twice = pack(inner | {largest.upper(): b"x"}, tmp_path / "twice.pt").read_bytes()
    assert_network_is_refused(twice, "2 members are named|folders")


def test_a_compressed_network_is_refused(together, tmp_path) -> None:
    """It could unpack to far more than the file has."""
    forged = pack(
        members_of(together),
        tmp_path / "packed.pt",
        lambda name: zipfile.ZIP_DEFLATED if name.endswith("network-1.pt") else zipfile.ZIP_STORED,
    )
    assert_refused(forged, 1, "is compressed, which torch does not do")


@pytest.mark.parametrize(
    "value", [4, [], {}, {"networks": "3"}, {"networks": 1}, {"networks": 2.0}, {"networks": 1001}]
)
def test_impossible_numbers_of_networks(value, together, tmp_path) -> None:
    members = members_of(together)
    name = next(name for name in members if name.endswith("manifest.json"))
    manifest = json.loads(members[name]) | {"committee": value}
    forged = pack(members | {name: json.dumps(manifest).encode()}, tmp_path / "forged.pt")
    for read in (read_manifest, Core):
        with pytest.raises((DataError, CoreUnavailableError), match=r"manifest\.json has committee = "):
            read(forged)
