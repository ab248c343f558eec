"""Cases are timed in turn, and what is told of them is what was measured."""

import pytest

from mdaug.bench.timing import Case, Span, Timing, interleave, local_case, min_median_max, ratio, repeated


def clockwork(seconds: float, order: list, name: str) -> Case:
    """A case that takes exactly so many seconds a call."""

    def run(n: int) -> Span:
        order.append(name)
        return Span(n * seconds, n * seconds / 2)

    return Case(name, name, run)


def test_cases_take_turns():
    order: list[str] = []
    told = []
    cases = [clockwork(0.1, order, "a"), clockwork(0.2, order, "b")]
    found = interleave(cases, 3, 0.3, lambda *count: told.append(count))
    assert "".join(order).endswith("ababab")
    assert [timing.wall for timing in found] == [pytest.approx([0.1] * 3), pytest.approx([0.2] * 3)]
    assert found[0].cpu == pytest.approx([0.05] * 3)
    assert [timing.calls for timing in found] == [3, 2]
    assert told[-1] == (8, 8)


def test_ratios_are_of_the_same_turn_and_per_item():
    slow = Timing(Case("slow", "", lambda n: Span(0, 0), items=2), [4.0, 8.0], [1.0, 1.0], 1)
    fast = Timing(Case("fast", "", lambda n: Span(0, 0)), [1.0, 4.0], [1.0, 1.0], 1)
    assert ratio(slow, fast, "wall") == {"min": 1.0, "median": 1.5, "max": 2.0}
    assert ratio(slow, fast, "cpu")["median"] == 0.5


def test_spread():
    assert min_median_max([3.0, 1.0, 2.0]) == {"min": 1.0, "median": 2.0, "max": 3.0}


def test_local_cases_are_called_as_often_as_asked():
    calls = []
    case = local_case("a", "a", repeated(lambda: calls.append(1)))
    case.run(5)
    assert len(calls) == 5
