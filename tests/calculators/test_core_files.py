"""Model files made to mean two things to two programs, or to end one: Python and the C++ core refuse them."""

import copy
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
import torch

from mdaug.archives import MAX_DEPTH, parse_json
from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.deployment import export_model, load_model, read_manifest
from mdaug.deployment.deployed_model import DeployedModel
from mdaug.deployment.manifest import build_manifest
from mdaug.errors import DataError
from mdaug.models import SchNet

pytestmark = pytest.mark.slow

Members = dict[str, bytes]
MANIFEST = "a/extra/manifest.json"


@pytest.fixture
def members(make_model, tmp_path: Path) -> Members:
    """The members of a good model, in the folder a."""
    with zipfile.ZipFile(export_model(make_model(), tmp_path / "good.pt", training={"data": "x"})) as archive:
        return {f"a/{name.partition('/')[2]}": archive.read(name) for name in archive.namelist()}


def packed(members: Members, change: Callable[[zipfile.ZipFile], None] | None = None) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if change is not None:
            change(archive)
    return stream.getvalue()


def assert_refused(content: bytes, folder: Path, core: str, python: str | None = None) -> None:
    """Both readers refuse the file; `core` and `python` are in their messages."""
    path = folder / "forged.pt"
    path.write_bytes(content)
    with pytest.raises(CoreUnavailableError, match=core) as caught:
        Core(path)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(DataError, match=python or core):
        load_model(path)


def again(name: str, content: bytes) -> Callable[[zipfile.ZipFile], None]:
    """Write one more member, which may have the name of another."""

    def change(archive: zipfile.ZipFile) -> None:
        archive.NameToInfo.pop(name, None)  # so that zipfile does not warn
        archive.writestr(name, content)

    return change


def test_the_members_packed_anew_are_a_model(members: Members, tmp_path: Path) -> None:
    path = tmp_path / "packed.pt"
    path.write_bytes(packed(members))
    Core(path)
    load_model(path)


@pytest.mark.parametrize("name", [MANIFEST, "a/data.pkl", "a/data/2", "A/Extra/Manifest.JSON", "a/DATA.pkl"])
def test_two_members_of_one_name(name: str, members: Members, tmp_path: Path) -> None:
    """Torch ignores the case of names: it may find either."""
    assert_refused(packed(members, again(name, b"x")), tmp_path, "2 members are named (?i:a/)")


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("b/extra/manifest.json", "several folders"),
        ("manifest.json", "several folders"),
        ("a/é", "beyond ASCII"),
        ("a/\x1b[2J", "beyond ASCII"),
    ],
)
def test_names_of_members(name: str, core: str, members: Members, tmp_path: Path) -> None:
    assert_refused(packed(members | {name: b"x"}), tmp_path, core, "beyond ASCII|folders")


def test_a_name_with_a_zero_byte(members: Members, tmp_path: Path) -> None:
    content = packed(members, again("a/extra/manifest.jsonX", b"{}"))
    assert_refused(
        content.replace(b"manifest.jsonX", b"manifest.json\0"), tmp_path, "beyond ASCII", "named|ASCII"
    )


def test_a_manifest_elsewhere_is_none(members: Members, tmp_path: Path) -> None:
    moved = {name: content for name, content in members.items() if name != MANIFEST}
    moved["a/code/extra/manifest.json"] = members[MANIFEST]
    assert_refused(packed(moved), tmp_path, r"without manifest\.json")


def test_another_list_of_members_before_the_end(members: Members, tmp_path: Path) -> None:
    """One reader trusts the stated place, another looks before the end record."""
    good, other = packed(members), packed(members | {MANIFEST: b"{}"})
    start, end = (struct.unpack("<L", other[-6:-2])[0], len(other) - 22)
    for forged in (
        good[:-22] + other[start:end] + good[-22:],
        b"x" * 100 + good,
        good + b"x",
        good + good[-22:],
    ):
        assert_refused(
            forged,
            tmp_path,
            "not where it states|no zip file|damaged|is missing",
            "not where it states|File is not a zip|Bad magic",
        )


def test_a_comment_behind_the_end_record(members: Members, tmp_path: Path) -> None:
    def comment(archive: zipfile.ZipFile) -> None:
        archive.comment = b"PK\5\6" + bytes(18)

    assert_refused(
        packed(members, comment), tmp_path, "no zip file|not where it states", "not where it states|not a zip"
    )


def test_a_list_of_another_length_than_stated(members: Members, tmp_path: Path) -> None:
    good = bytearray(packed(members))
    good[-12:-10] = struct.pack("<H", len(members) - 1)
    assert_refused(bytes(good), tmp_path, "another length")


def test_members_that_overlap(members: Members, tmp_path: Path) -> None:
    def change(archive: zipfile.ZipFile) -> None:
        for n in range(3):
            other = copy.copy(max(archive.filelist, key=lambda member: member.file_size))
            other.filename = f"a/more/{n}"
            archive.filelist.append(other)

    members = members | {"a/code/large": bytes(100_000)}
    assert_refused(packed(members, change), tmp_path, "overlap|another name in its header", "overlap")


def entry_of(content: bytes, name: str) -> int:
    """Where the entry of a member begins in the list of members."""
    return content.rindex(name.encode()) - 46


@pytest.mark.parametrize(
    ("offset", "number"),
    [
        (
            20,
            "<LL",
        ),
        (20, "<L"),
        (24, "<L"),
        (42, "<L"),
    ],
)
@pytest.mark.parametrize("value", [0xFFFFFFFE, 0xFFFFFFFF, 1 << 31, 1_000_000])
def test_sizes_and_places_beyond_the_file(
    offset: int, number: str, value: int, members: Members, tmp_path: Path
) -> None:
    forged = bytearray(packed(members))
    place = entry_of(forged, "a/data/2") + offset
    struct.pack_into(number, forged, place, *[value] * (len(number) - 1))
    assert_refused(bytes(forged), tmp_path, "damaged", "damaged|not a model")


@pytest.mark.parametrize("value", [(1 << 64) - 1, (1 << 64) - 26, (1 << 64) - 30, 1 << 63, 1 << 40])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_64_bit_sizes_that_wrap(which: int, value: int, members: Members, tmp_path: Path) -> None:
    extra = [8, 8, 0]

    def change(archive: zipfile.ZipFile) -> None:
        info = archive.filelist[-1]
        extra[:2], extra[2] = [info.file_size, info.compress_size], info.header_offset
        extra[which] = value
        info.extra = struct.pack("<HHQQQ", 1, 24, *extra)

    forged = bytearray(packed(members, change))
    place = forged.rindex(struct.pack("<HHQQQ", 1, 24, *extra)) - len(list(members)[-1]) - 46
    struct.pack_into("<LL", forged, place + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<L", forged, place + 42, 0xFFFFFFFF)
    assert_refused(bytes(forged), tmp_path, "damaged", "damaged|not a model")


def test_a_64_bit_size_outside_its_field(members: Members, tmp_path: Path) -> None:
    def change(archive: zipfile.ZipFile) -> None:
        archive.filelist[-1].extra = struct.pack("<HHL", 1, 4, 0)

    forged = bytearray(packed(members, change))
    place = forged.rindex(struct.pack("<HHL", 1, 4, 0)) - len(list(members)[-1]) - 46
    struct.pack_into("<L", forged, place + 24, 0xFFFFFFFF)
    assert_refused(bytes(forged), tmp_path, "64-bit size is missing", "zip64|not a model")


def test_a_model_that_unpacks_to_gigabytes(members: Members, tmp_path: Path) -> None:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, zipfile.ZIP_STORED)
        with archive.open("a/code/bomb.py", "w") as bomb:
            for _ in range(600):
                bomb.write(bytes(1 << 20))
    assert_refused(stream.getvalue(), tmp_path, "bytes would unpack to 6")


# Pickles


def filled_later(n: int) -> bytes:
    """Lists inside one another, each filled after it was put into another one, as if both were empty."""
    made = b"".join(b"]r" + struct.pack("<L", k) for k in range(n))
    filled = b"".join(b"j" + struct.pack("<L", k) + b"a0" for k in reversed(range(n - 1)))
    return b"\x80\x02" + made + filled + b"."


@pytest.mark.parametrize(
    ("pickle", "core"),
    [
        (b"\x80\x02)" + b"\x85" * 3_000_000 + b".", f"more than {MAX_DEPTH} containers inside one another"),
        (b"\x80\x02" + b"(" * 300_000 + b"l" * 300_000 + b".", "containers inside one another"),
        (b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".", "containers inside one another"),
        (b"\x80\x02]q\0)" + b"h\0\x86" * 300 + b".", "containers inside one another"),
        (b"\x80\x02]q\0]q\x01h\0a0h\x01a.", "adds to an object in use|broken"),
        (filled_later(100_000), "adds to an object in use"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "memo index 4294967295"),
        (b"\x80\x02X\xff\xff\xff\xffabc.", "ends early"),
        (b"\x80\x02\x85.", "is broken"),
        (b"\x80\x02(((", "ends early"),
        (b"\x80\x02cos\nsystem", "ends early"),
        (b"\x80\x02P1\n.", "opcode 80"),
        (b"", "ends early"),
    ],
)
@pytest.mark.parametrize("name", ["a/data.pkl", "a/constants.pkl"])
def test_pickles(name: str, pickle: bytes, core: str, members: Members, tmp_path: Path) -> None:
    assert_refused(packed(members | {name: pickle}), tmp_path, core, "forged")


def test_a_compressed_pickle_is_not_read(members: Members, tmp_path: Path) -> None:
    path = tmp_path / "packed.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if name == "a/data.pkl" else None)
    with pytest.raises(CoreUnavailableError, match=r"data\.pkl is compressed"):
        Core(path)


def test_a_nested_pickle_does_not_end_the_process(members: Members, tmp_path: Path) -> None:
    path = tmp_path / "nested.pt"
    path.write_bytes(packed(members | {"a/data.pkl": b"\x80\x02)" + b"\x85" * 3_000_000 + b"."}))
    code = f"from mdaug.calculators.core import Core; Core({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "containers inside one another" in done.stderr


# The manifest

JSON = {
    "twice": ('"dtype"', '"dtype": "float32", "dtype"', "occurs twice"),
    "twice, once escaped": ('"dtype"', '"d\\u0074ype": "float32", "dtype"', "occurs twice"),
    "twice, inside": ('"training": {', '"training": {"a": [{"b": 1, "b": 1}], ', "occurs twice"),
    "twice, beyond ASCII": ('"training": {', '"training": {"😀": 1, "\\ud83d\\ude00": 1, ', "occurs twice"),
    "deep": (
        '"training": {',
        '"training": {"a": ' + "[" * 100_000 + "]" * 100_000 + ", ",
        "nests too deeply",
    ),
    "less deep": ('"training": {', '"training": {"a": ' + "[" * 199 + "]" * 199 + ", ", "nests too deeply"),
    "integer": ('"training": {', f'"training": {{"a": {1 << 128}, ', "too large"),
    "long integer": ('"training": {', '"training": {"a": ' + "9" * 5000 + ", ", "too large"),
    "number": ('"training": {', '"training": {"a": 1e999, ', "too large"),
    "NaN": ('"training": {', '"training": {"a": NaN, ', "a value is missing"),
    "Infinity": ('"training": {', '"training": {"a": -Infinity, ', "a digit is missing"),
    "01": ('"training": {', '"training": {"a": 01, ', "a number begins with 0"),
    "line in a string": ('"training": {', '"training": {"a": "\n", ', "control character"),
    "comma": ('"training": {', '"training": {, ', "a string is missing"),
    "comment": ('"training": {', '"training": {/**/', "a string is missing"),
    "escape": ('"training": {', '"training": {"a": "\\x41", ', "unknown escape"),
    "short escape": ('"training": {', '"training": {"a": "\\u00g0", ', "unknown escape"),
    "escape sequence": (
        '"training": {',
        '"training": {"\\u001b[2J": 1, "\\u001b[2J": 1, ',
        r"'\?\[2J' occurs twice",
    ),
}


@pytest.mark.parametrize("case", JSON)
def test_manifests_that_two_parsers_read_differently(case: str, members: Members, tmp_path: Path) -> None:
    old, new, core = JSON[case]
    text = members[MANIFEST].decode().replace(old, new, 1)
    assert_refused(packed(members | {MANIFEST: text.encode()}), tmp_path, core, "not readable JSON")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + b"x",
        lambda t: t[:-3],
        lambda t: b"\xef\xbb\xbf" + t,
        lambda t: t.replace(b'"x"', b'"\xff"'),
        lambda t: t.replace(b'"x"', b'"\xed\xa0\x80"'),
        lambda t: t.replace(b'"x"', b'"\xc0\x80"'),
        lambda t: t.decode().encode("utf-16"),
    ],
)
def test_manifests_that_are_no_text(
    change: Callable[[bytes], bytes], members: Members, tmp_path: Path
) -> None:
    assert_refused(
        packed(members | {MANIFEST: change(members[MANIFEST])}), tmp_path, "no JSON", "not readable JSON"
    )


def test_keys_and_values_with_escapes_are_read(members: Members, tmp_path: Path) -> None:
    path = tmp_path / "escaped.pt"
    text = members[MANIFEST].decode()
    escaped = text.replace('"dtype": "float64"', '"d\\u0074ype" : "float\\u00332" \t').replace(
        '"training": {', '"training": {"é😀": "\\ud800\\"", "a": -1.5E+3, "b": [ ], "c": { }, '
    )
    assert escaped != text
    path.write_bytes(packed(members | {MANIFEST: escaped.encode()}))
    assert read_manifest(path)["dtype"] == "float32"
    assert Core(path).memory_bytes < Core(path, "float64").memory_bytes


def test_symbols_of_elements_reach_no_terminal(members: Members, tmp_path: Path) -> None:
    manifest = json.loads(members[MANIFEST])
    manifest["elements"] = ["\x1b[2J" for _ in manifest["elements"]]
    forged = packed(members | {MANIFEST: json.dumps(manifest).encode()})
    assert_refused(forged, tmp_path, "elements in its manifest", "elements")


def test_python_and_the_core_agree_on_damaged_manifests(members: Members, tmp_path: Path) -> None:
    """A byte changed, left out or doubled anywhere in the text."""
    random, good, path = Random(4), members[MANIFEST], tmp_path / "damaged.pt"
    odd = b'{}[],:"\\0e-.+ \n\xc3u' + bytes([0, 128])
    agreed = {True: 0, False: 0}
    for _ in range(150):
        text = bytearray(good)
        for _ in range(random.choice((1, 1, 2))):
            at, way = random.randrange(len(text)), random.randrange(3)
            text[at : at + (way != 1)] = b"" if way == 0 else bytes([random.choice(odd)])
        path.write_bytes(packed(members | {MANIFEST: bytes(text)}))
        try:
            python = isinstance(parse_json(bytes(text)), dict)
        except ValueError:
            python = False
        try:
            Core(path)
            core = True
        except CoreUnavailableError as error:
            core = "no JSON" not in str(error)
        assert core == python, bytes(text)
        agreed[python] += 1
    assert min(agreed.values()) > 20


# Tensors and numbers of right checksums and hash


def export_changed(model: SchNet, path: Path, change: Callable[[DeployedModel], None]) -> Path:
    deployed = DeployedModel(model).eval()
    change(deployed)
    text = json.dumps(build_manifest(model, deployed, {}, "float64"))
    torch.jit.save(torch.jit.script(deployed), path, _extra_files={"manifest.json": text})
    return path


SHAPES: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda tensor: tensor.flatten()[:1].expand(31),
    lambda tensor: tensor[..., :-1],
    lambda tensor: tensor.unsqueeze(0),
]


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_tensors_of_other_shapes_are_refused(shape: int, make_model, tmp_path: Path) -> None:
    """They would be read beyond their ends."""
    model = make_model(prior="zbl", n_vectors=5)
    Core(export_changed(model, tmp_path / "good.pt", lambda _: None))
    for name in [*DeployedModel(model).state_dict(), "reference_energies", "prior_table"]:
        if (name, shape) == ("prior_table", 1):
            continue  # a shorter table is a table

        def change(deployed: DeployedModel, name: str = name) -> None:
            owner, _, attribute = name.rpartition(".")
            module = deployed.get_submodule(owner)
            changed = SHAPES[shape](getattr(module, attribute).detach()).contiguous().clone()
            if attribute in module._parameters:
                changed = torch.nn.Parameter(changed, requires_grad=False)
            setattr(module, attribute, changed)

        path = export_changed(model, tmp_path / "changed.pt", change)
        with pytest.raises(CoreUnavailableError, match=r"changed\.pt: "):
            Core(path)
            pytest.fail(name)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["cutoff", "filters.spacing"])
def test_lengths_that_are_no_positive_numbers_are_refused(name, value, make_model, tmp_path: Path) -> None:
    def change(deployed: DeployedModel) -> None:
        owner, _, attribute = name.rpartition(".")
        setattr(deployed.get_submodule(owner), attribute, value)

    path = export_changed(make_model(), tmp_path / "odd.pt", change)
    with pytest.raises(CoreUnavailableError, match=r"odd\.pt: not a model of mdaug .*no positive number"):
        Core(path)


@pytest.mark.parametrize("value", [0, -1, 2, 7, 1 << 32, (1 << 32) + 1, 1 << 62])
def test_numbers_of_interactions_that_are_not_there_are_refused(value, make_model, tmp_path: Path) -> None:
    path = export_changed(
        make_model(n_interactions=1),
        tmp_path / "odd.pt",
        lambda d: setattr(d.filters, "n_interactions", value),
    )
    with pytest.raises(CoreUnavailableError, match=r"odd\.pt: "):
        Core(path)


# What the core reads of data.pkl itself


def with_pickle(members: Members, old: bytes, new: bytes) -> Members:
    assert members["a/data.pkl"].count(old) >= 1
    return members | {"a/data.pkl": members["a/data.pkl"].replace(old, new, 1)}


SHAPE = b"K\0(K\x03t(K\x01t"  # offset, shape and strides of atomic_numbers


@pytest.mark.parametrize(
    "new",
    [
        b"K\1(K\x03t(K\x01t",
        b"K\0(K\x03t(K\x02t",
        b"K\0(K\x04t(K\0t",
        b"K\0(J\xff\xff\xff\xfft(K\x01t",
        b"K\0(K\x03t(\x8a\x08" + b"\xff" * 7 + b"\x7ft",
        b"\x8a\x08" + b"\xff" * 7 + b"\x7f(K\x03t(K\x01t",
        b"K\0(K\x03t)",
    ],
    ids=["offset", "stride", "expanded", "negative", "long stride", "long offset", "no stride"],
)
def test_a_tensor_beyond_its_storage_is_refused(new: bytes, members: Members, tmp_path: Path) -> None:
    path = tmp_path / "forged.pt"
    path.write_bytes(packed(with_pickle(members, SHAPE, new)))
    with pytest.raises(CoreUnavailableError, match=r"forged\.pt: .*atomic_numbers (reads|has)"):
        Core(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"torch\nLongStorage\n", b"torch\nFileStorage\n", "atomic_numbers is of a type"),
        (b"torch\nLongStorage\n", b"torch\nHalfStorage\n", "atomic_numbers is of a type"),
        (
            b"torch._utils\n_rebuild_tensor_v2\n",
            b"torch._utils\n_rebuild_tensor_v3\n",
            "belongs to no tensor",
        ),
        (b"X\x0c\0\0\0energy_scale", b"X\x0c\0\0\0energy_scald", "the number energy_scale is missing"),
        (b"X\x0c\0\0\0energy_scale", b"X\x06\0\0\0cutoff", "2 members are named cutoff"),
        (b"X\x06\0\0\0cutoff", b"K\x06", "a member without a name"),
        (b"X\x06\0\0\0cutoff", b"X\x06\0\0\0cut.ff", "a member whose name is too long or has a dot"),
    ],
)
def test_pickles_that_are_no_model_are_refused(
    old: bytes, new: bytes, message: str, members: Members, tmp_path: Path
) -> None:
    path = tmp_path / "forged.pt"
    path.write_bytes(packed(with_pickle(members, old, new)))
    with pytest.raises(CoreUnavailableError, match=message):
        Core(path)


def test_a_damaged_pickle_never_ends_the_process(members: Members, tmp_path: Path) -> None:
    """A byte changed, left out or doubled anywhere; right checksums."""
    random, good, path = Random(5), members["a/data.pkl"], tmp_path / "damaged.pt"
    refused = accepted = 0
    for _ in range(400):
        pickled = bytearray(good)
        for _ in range(random.choice((1, 1, 2, 5))):
            at, way = random.randrange(len(pickled)), random.randrange(3)
            pickled[at : at + (way != 1)] = b"" if way == 0 else bytes([random.randrange(256)])
        path.write_bytes(packed(members | {"a/data.pkl": bytes(pickled)}))
        try:
            Core(path)
        except CoreUnavailableError as error:
            refused += str(error).startswith(f"{path}: ")
        else:
            accepted += 1
    assert refused + accepted == 400
    assert refused > 200


def test_a_tensor_with_gaps_is_read_as_torch_reads_it(make_model, tmp_path: Path) -> None:
    def change(deployed: DeployedModel) -> None:
        hidden = deployed.network.interactions[0].hidden
        hidden.weight = torch.nn.Parameter(hidden.weight.detach().T.contiguous().T, requires_grad=False)

    model = make_model()
    path = export_changed(model, tmp_path / "strided.pt", change)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    pair = [0, 0], [[0.0, 0, 0], [1.0, 0, 0]], [0], [1], [[0.0, 0, 0]]
    plain = Core(export_changed(model, tmp_path / "plain.pt", lambda _: None))
    arrays = [torch.tensor(values).numpy() for values in pair]
    assert not torch.jit.load(path).state_dict()["network.interactions.0.hidden.weight"].is_contiguous()
    assert Core(path).evaluate(*arrays)["energy"] == plain.evaluate(*arrays)["energy"]
