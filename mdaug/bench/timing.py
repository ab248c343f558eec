"""Interleaved timing, A B C A B C …, so that other load of the machine affects all cases alike."""

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
"""Runs a case n times and returns the time."""


WARM_UP_CALLS, WARM_UP_S = 40, 2.0
"""Number and time limit of calls before the measurement: TorchScript compiles in its first calls."""


@dataclass(frozen=True)
class Case:
    """A piece of work to be timed.

    Parameters
    ----------
    name
        Key in bench.json.
    label
        Name in tables and figures.
    run
        Does the work.
    items
        Number of items per call (molecules of a batch); times are reported per call and per item.
    threads
        CPU threads.
    """

    name: str
    label: str
    run: Run
    items: int = 1
    threads: int = 1


@dataclass(frozen=True)
class Timing:
    """Seconds per call, one number per round.

    Attributes
    ----------
    case
        The case.
    wall, cpu
        Seconds of the wall clock and of CPU time.
    calls
        Calls per round.
    """

    case: Case
    wall: list[float]
    cpu: list[float]
    calls: int

    def seconds(self, clock: str) -> list[float]:
        """Return the seconds of one clock.

        Parameters
        ----------
        clock
            ``wall`` or ``cpu``.
        """
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
    """Return a case that runs in this process.

    Parameters
    ----------
    name, label, items, threads
        As for `Case`.
    body
        Does its work n times.
    device
        Device that is synchronized before the clock is read.
    """

    def run(n: int) -> Span:
        torch.set_num_threads(threads)
        _synchronize(device)
        wall, cpu = time.perf_counter(), time.process_time()
        body(n)
        _synchronize(device)
        return Span(time.perf_counter() - wall, time.process_time() - cpu)

    return Case(name, label, run, items, threads)


def repeated(body: Callable[[], object]) -> Callable[[int], None]:
    """Return a function that calls `body` n times.

    Parameters
    ----------
    body
        One call.
    """

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
    """Time all cases in turn, in several rounds.

    Parameters
    ----------
    cases
        The cases.
    rounds
        Number of rounds.
    block_s
        Seconds of each case per round; they determine the number of calls, after a warm-up.
    progress
        Called with the number of finished measurements and their total.

    Returns
    -------
    list of Timing
        One for each case.
    """
    total = len(cases) * (rounds + 1)
    calls = []
    for n, case in enumerate(cases):
        calls.append(_calls(case, block_s))
        progress(n + 1, total)
    spans: list[list[Span]] = [[] for _ in cases]
    for round_index in range(rounds):
        for n, case in enumerate(cases):
            spans[n].append(case.run(calls[n]))
            progress((round_index + 1) * len(cases) + n + 1, total)
    return [
        Timing(case, [s.wall / count for s in of_case], [s.cpu / count for s in of_case], count)
        for case, of_case, count in zip(cases, spans, calls, strict=True)
    ]


def min_median_max(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and maximum.

    Parameters
    ----------
    values
        At least one.
    """
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratio(slow: Timing, fast: Timing, clock: str) -> dict[str, float]:
    """Return minimum, median and maximum over the rounds of the ratio of two times per item.

    Parameters
    ----------
    slow, fast
        Numerator and denominator, measured in the same rounds.
    clock
        ``wall`` or ``cpu``.
    """
    share = fast.case.items / slow.case.items
    pairs = zip(slow.seconds(clock), fast.seconds(clock), strict=True)
    return min_median_max([share * a / b for a, b in pairs])


def _calls(case: Case, block_s: float) -> int:
    """Return how many calls fill a block, after a warm-up."""
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
