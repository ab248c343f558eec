"""Broken files never harm: one clear line, no code executed, nothing of the user changed.

``MDAUG_FUZZ=2000 python -m pytest tests/fuzz -s`` tries that many inputs instead of a few, prints what came
of them and leaves those that failed in ``mdaug-fuzz-failures`` of the folder for temporary files;
``MDAUG_FUZZ_SEED`` chooses others.
"""

import os
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import samples
from tests.fuzz.commands import commands_for, complaint, put
from tests.fuzz.mutations import mutate

pytestmark = pytest.mark.slow

N_INPUTS = int(os.environ.get("MDAUG_FUZZ", "66"))
SEED = int(os.environ.get("MDAUG_FUZZ_SEED", "0"))
KINDS = [*samples.FRAMES, *samples.OTHERS]
MORE_THAN_THE_CHEAPEST = 0.15


def test_broken_files_are_one_line(house, capsys) -> None:
    random = Random(SEED)
    failures: list[str] = []
    tried: Counter[str] = Counter()
    for number in range(N_INPUTS):
        kind = KINDS[number % len(KINDS)]
        content = mutate(house.good(kind).read_bytes(), random)
        file = put(kind, content, house.path / "broken", house)
        choices = commands_for(kind, file, house)
        argv = random.choice(choices) if random.random() < MORE_THAN_THE_CHEAPEST else choices[0]
        found = complaint(argv, file, house, capsys)
        tried[kind] += 1
        if found:
            failures.append(f"input {number} ({kind}): {found}")
            _keep(content, f"{number}-{file.name}")
    if "MDAUG_FUZZ" in os.environ:
        with capsys.disabled():
            print(f"\n{N_INPUTS} inputs, seed {SEED}, {dict(tried)}, {house.counts}")
            print("\n".join(failures))
    assert not failures, "\n".join(failures[:5])


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_are_good(kind, house, capsys) -> None:
    file = put(kind, house.good(kind).read_bytes(), house.path / "broken", house)
    argv = commands_for(kind, file, house)[0]
    before = dict(house.counts)
    assert complaint(argv, file, house, capsys) is None
    if kind not in ("checkpoint.pt", "points.jsonl", "CP2K", "OUTCAR", "vasprun"):
        assert house.counts.get("exit 0", 0) > before.get("exit 0", 0)


def _keep(content: bytes, name: str) -> None:
    if "MDAUG_FUZZ" in os.environ:
        folder = Path(tempfile.gettempdir()) / "mdaug-fuzz-failures"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
