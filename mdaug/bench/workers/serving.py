"""How a worker process answers the requests of `mdaug bench`, with the Python of its own environment.

A worker imports nothing of mdaug, so that both packages may need different versions of their dependencies.
Each line on standard input is a JSON object and is answered by one on standard output:

    {"setup": {…}}                              -> {"ready": {package: version, …}}
    {"case": name, "threads": n, "repeats": n}  -> {"wall_s": seconds, "cpu_s": seconds}

Everything else that libraries print goes to standard error. An error ends the process with its traceback.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any, Protocol

Seconds = tuple[float, float]
"""Seconds of the wall clock, and of CPU time."""


class Cases(Protocol):
    """What a worker can time."""

    def time(self, case: str, threads: int, repeats: int) -> Seconds:
        """Return the seconds of `repeats` calls: of the wall clock, and of CPU time of this process."""


def main(make_cases: Callable[[dict[str, Any]], Cases], packages: Iterable[str]) -> None:
    """Serve with standard output for answers only, and files in a temporary folder."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        serve(sys.stdin, answer, make_cases, packages)


def serve(
    requests: Iterable[str],
    answer: Callable[[dict[str, Any]], None],
    make_cases: Callable[[dict[str, Any]], Cases],
    packages: Iterable[str],
) -> None:
    """Answer requests until the input ends."""
    cases: Cases | None = None
    for line in requests:
        request = json.loads(line)
        if "setup" in request:
            cases = make_cases(request["setup"])
            answer({"ready": {name: version(name) for name in packages}})
        else:
            assert cases is not None, "the first request is the setup"
            wall, cpu = cases.time(request["case"], request["threads"], request["repeats"])
            answer({"wall_s": wall, "cpu_s": cpu})
