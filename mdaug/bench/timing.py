"""Cases that are timed in turn, A B C A B C …, so that what else the machine does falls on all alike."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Span(NamedTuple):
    """Seconds of the wall clock and of the process's CPU time (all its threads)."""

    wall: float
    cpu: float


Run = Callable[[int], Span]
"""Does its work so many times and tells how long that took."""


WARM_UP_CALLS, WARM_UP_S = 40, 2.0
"""Calls before anything counts, or as many as fit into so many seconds: TorchScript compiles in its first."""


@dataclass(frozen=True)
class Case:
    """Something to be timed.

    Parameters
    ----------
    name
        Key in bench.json.
    label
        The same for people.
    run
        Does the work.
    items
        Things that one call handles (molecules of a batch): times are given per call and per item.
    threads
        CPU threads that it may use.
    """

    name: str
    label: str
    run: Run
    items: int = 1
    threads: int = 1


@dataclass(frozen=True)
class Timing:
    """Seconds per call, one number a round."""

    case: Case
    wall: list[float]
    cpu: list[float]
    calls: int

    def seconds(self, clock: str) -> list[float]:
        """Those of the wall clock, or of the CPU."""
        return self.cpu if clock == "cpu" else self.wall


def local_case(
    name: str,
    label: str,
    body: Callable[[int], object],
    *,
    items: int = 1,
    threads: int = 1,
    device: torch.device = torch.device("cpu"),
) -> Case:
    """Return the case of `body`, which does its work so many times in this process."""

    def run(n: int) -> Span:
        torch.set_num_threads(threads)
        _synchronize(device)
        wall, cpu = time.perf_counter(), time.process_time()
        body(n)
        _synchronize(device)
        return Span(time.perf_counter() - wall, time.process_time() - cpu)

    return Case(name, label, run, items, threads)


def repeated(body: Callable[[], object]) -> Callable[[int], None]:
    """Make a function that calls `body` so many times."""

    def run(n: int) -> None:
        for _ in range(n):
            body()

    return run


def interleave(
    cases: Sequence[Case],
    rounds: int,
    block_s: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Timing]:
    """Time all `cases` in turn, `rounds` times.

    Before the first round each is warmed up, and given as many calls a round as fill `block_s` seconds.
    """
    total = len(cases) * (rounds + 1)
    calls = []
    for n, case in enumerate(cases):
        calls.append(_calls(case, block_s))
        progress(n + 1, total)
    spans: list[list[Span]] = [[] for _ in cases]
    for turn in range(rounds):
        for n, case in enumerate(cases):
            spans[n].append(case.run(calls[n]))
            progress((turn + 1) * len(cases) + n + 1, total)
    return [
        Timing(case, [s.wall / count for s in found], [s.cpu / count for s in found], count)
        for case, found, count in zip(cases, spans, calls, strict=True)
    ]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratio(slow: Timing, fast: Timing, clock: str) -> dict[str, float]:
    """Spread over the rounds of the time of `slow`, per item, over that of `fast` in the same round."""
    share = fast.case.items / slow.case.items
    pairs = zip(slow.seconds(clock), fast.seconds(clock), strict=True)
    return spread([share * a / b for a, b in pairs])


def _calls(case: Case, block_s: float) -> int:
    """How many calls fill a block, found after `WARM_UP_CALLS` or a block's time."""
    done, began = 0, time.perf_counter()
    while done < WARM_UP_CALLS and (done == 0 or time.perf_counter() - began < WARM_UP_S):
        case.run(1)
        done += 1
    calls = 1
    while (seconds := case.run(calls).wall) < 0.2 * block_s:
        calls *= max(2, min(10, int(0.2 * block_s / max(seconds, 1e-9))))
    return max(1, math.ceil(block_s * calls / seconds))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
