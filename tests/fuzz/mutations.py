"""Ways to break a file: blindly, by its text, by its JSON, by its arrays, by the members of its zip."""

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

ODD_WORDS = (
    *("nan", "inf", "-inf", "1e400", "1e308", "-1e308", "1e-320", "99999999999999999999", "-1", "0", "3.5"),
    *(
        "",
        " ",
        "x",
        "Xx",
        "é漢字😀",
        "\x00",
        "\ufeff",
        "\u2028",
        "[]",
        "{}",
        "[[1,2],[3]]",
        "null",
        "true",
        '"',
        "'",
    ),
    *("1e", "0x10", "1_000", "--", "%s%n", "$(touch canary)", "../../..", "<!ENTITY x SYSTEM 'file:///x'>"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        3.5,
        10**30,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "é漢字",
        [],
        {},
        [None],
        [[1], 2],
    ),
    *({"a": 1}, [[[]]], "1", -(10**9), [0] * 50),
)


def mutate(content: bytes, random: Random) -> bytes:
    """Return `content` with one to three things wrong, in a way that fits its kind."""
    ways: list[Callable[[bytes, Random], bytes]] = [blind]
    if zipfile.is_zipfile(io.BytesIO(content)):
        ways += [members, members, arrays] if b".npy" in content else [members, members]
    else:
        try:
            content.decode()
        except UnicodeDecodeError:
            pass
        else:
            ways += [text, text, lines]
    if content[:1] == b"{":
        ways += [values, values, values]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        try:
            content = random.choice(ways)(content, random)
        except (
            ValueError,
            zipfile.BadZipFile,
            OSError,
            NotImplementedError,
            RuntimeError,
            EOFError,
            KeyError,
            zlib.error,
        ):
            content = blind(content, random)  # an earlier change left no such file
    return content


def blind(content: bytes, random: Random) -> bytes:
    """Cut, flip, insert, repeat, or replace bytes wherever they are."""
    start = random.randrange(len(content) + 1)
    stop = min(len(content), start + random.choice((1, 2, 8, 64, 1024)))
    way = random.choice(("cut", "cut", "flip", "flip", "insert", "drop", "repeat", "zeros", "empty"))
    if way == "cut":
        return content[:start]
    if way == "flip":
        changed = bytearray(content)
        for _ in range(random.choice((1, 1, 4, 32))):
            if changed:
                changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        return bytes(changed)
    middle = {
        "insert": random.randbytes(random.choice((1, 4, 64))) + content[start:stop],
        "drop": b"",
        "repeat": content[start:stop] * 3,
        "zeros": bytes(stop - start),
        "empty": b"",
    }[way]
    return b"" if way == "empty" and random.random() < 0.3 else content[:start] + middle + content[stop:]


def text(content: bytes, random: Random) -> bytes:
    """Put an odd word in the place of a word."""
    said = content.decode(errors="replace")
    words = [(k, word) for k, word in enumerate(said.replace(",", " ").split()) if word]
    if not words:
        return content + random.choice(ODD_WORDS).encode(errors="replace")
    _, word = random.choice(words)
    places = [k for k in range(len(said)) if said.startswith(word, k)][:200] or [0]
    place = random.choice(places)
    return (said[:place] + random.choice(ODD_WORDS) + said[place + len(word) :]).encode(errors="replace")


def lines(content: bytes, random: Random) -> bytes:
    """Drop, double, swap or cut lines."""
    rows = content.split(b"\n")
    k, m = random.randrange(len(rows)), random.randrange(len(rows))
    way = random.choice(("drop", "double", "swap", "half", "all twice", "first only"))
    if way == "drop":
        del rows[k]
    elif way == "double":
        rows.insert(k, rows[k])
    elif way == "swap":
        rows[k], rows[m] = rows[m], rows[k]
    elif way == "half":
        rows[k] = rows[k][: len(rows[k]) // 2]
    elif way == "all twice":
        rows *= 2
    else:
        rows = rows[: k + 1]
    return b"\n".join(rows)


def values(content: bytes, random: Random) -> bytes:
    """Put an odd value somewhere into a JSON text (or JSON lines), rename a key, or drop one."""
    first, newline, rest = content.partition(b"\n")
    try:
        tree, rest = json.loads(content), b""
    except ValueError:
        tree, rest = json.loads(first), newline + rest
    _plant(tree, random)
    return json.dumps(tree, ensure_ascii=False).encode(errors="replace") + rest


def _plant(tree: Any, random: Random) -> None:
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = random.choice(keys)
        below = tree[key]
        if isinstance(below, dict | list) and below and random.random() < 0.75:
            tree = below
            continue
        way = random.random()
        if way < 0.7:
            tree[key] = random.choice(ODD_VALUES)
        elif way < 0.85 or not isinstance(tree, dict):
            del tree[key]
        else:
            tree[random.choice(("x", "", "é", str(key).upper()))] = tree.pop(key)
        return


def arrays(content: bytes, random: Random) -> bytes:
    """Change an array of an npz: its values, type, shape, name; or leave it out."""
    with np.load(io.BytesIO(content)) as archive:
        held = {key: archive[key] for key in archive.files}
    key, other = random.choice(list(held)), random.choice(list(held))
    array = held.pop(key)
    changed: dict[str, Callable[[], Any]] = {
        "drop": lambda: None,
        "swap": lambda: held.pop(other, array),
        "nan": lambda: np.full(array.shape, np.nan),
        "huge": lambda: np.full(array.shape, 1e300),
        "complex": lambda: np.full(array.shape, 1j),
        "text": lambda: np.full(array.shape, "x"),
        "bool": lambda: np.zeros(array.shape, bool),
        "time": lambda: np.zeros(array.shape, "datetime64[s]"),
        "scalar": lambda: np.float64(1.0),
        "empty": lambda: np.zeros((0, *array.shape[1:])),
        "flat": lambda: array.reshape(-1),
        "deep": lambda: array[None],
        "short": lambda: array[:-1] if array.ndim else array,
        "turned": lambda: array.T,
        "structured": lambda: np.zeros(array.shape, [("a", "f8"), ("b", "i4")]),
        "minus": lambda: -np.ones(array.shape, int),
        "bytes": lambda: np.full(array.shape, b"\xff\xfe"),
        "objects": lambda: np.array([{"a": 1}, [2]], dtype=object),
    }
    way = random.choice(list(changed))
    new = changed[way]()
    if way == "swap" and other != key:
        held[other] = array
    if new is not None:
        held[key] = new
    return pack(held)


def pack(held: dict[str, Any]) -> bytes:
    """Return an npz of `held`, objects pickled."""
    stream = io.BytesIO()
    np.savez(stream, **held)
    return stream.getvalue()


def members(content: bytes, random: Random) -> bytes:
    """Break, drop, empty, double or rename a member of a zip, and make the sums of the zip right again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(list(held))
    inside = held.pop(name)
    way = random.choice(("break", "break", "json", "drop", "empty", "rename"))
    if way == "json":
        name_of_json = [key for key in (*held, name) if key.endswith(".json")]
        if name_of_json:
            held[name] = inside
            name = random.choice(name_of_json)
            inside = values(held.pop(name), random)
        way = "keep"
    if way != "drop":
        new = {"break": lambda: mutate_inside(inside, random), "empty": lambda: b""}.get(
            way, lambda: inside
        )()
        held[name + "x" if way == "rename" else name] = new
    return zipped(held)


def mutate_inside(inside: bytes, random: Random) -> bytes:
    return (text if inside.isascii() and random.random() < 0.5 else blind)(inside, random)


def zipped(held: dict[str, bytes]) -> bytes:
    """Return a zip file of `held`, stored as torch stores."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, inside in held.items():
            archive.writestr(name, inside)
    return stream.getvalue()
