"""Splits: sizes as asked, no group on two sides, the same again by seed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdaug.data import Split, SplitOptions, split_frames
from mdaug.data.splits import PARTS, refuse_empty_parts, split_systems
from mdaug.errors import DataError
from mdaug.frames import FrameSet


def _frames(group: list[int]) -> FrameSet:
    n = len(group)
    return FrameSet(
        np.array([18]),
        np.zeros((n, 1, 3)),
        np.zeros(n),
        np.zeros((n, 1, 3)),
        group=np.array(group, dtype=np.int64),
    )


def _sides(split: Split, group: np.ndarray) -> list[set[int]]:
    return [set(group[part].tolist()) for part in (split.train, split.validation, split.test)]


@given(
    group=st.lists(st.integers(0, 40), min_size=10, max_size=80),
    seed=st.integers(0, 2**32 - 1),
    blocks=st.booleans(),
)
def test_groups_never_straddle(group: list[int], seed: int, blocks: bool) -> None:
    frames = _frames(group)
    options = SplitOptions(train=0.6, validation=0.2, test=0.2, seed=seed, blocks=blocks)
    try:
        split = split_frames(frames, options)
    except DataError:
        with pytest.raises(DataError, match="without tearing groups"):
            split_frames(frames, options)
        return
    train, validation, test = _sides(split, frames.group)
    assert not (train & validation or train & test or validation & test)
    chosen = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(chosen)) == len(chosen)


@given(
    n_pairs=st.integers(0, 10),
    n_singles=st.integers(15, 60),
    seed=st.integers(0, 999),
    shares=st.tuples(*[st.integers(1, 9)] * 3),
)
def test_counts_are_met_exactly_with_a_few_duplicates(
    n_pairs: int, n_singles: int, seed: int, shares: tuple[int, int, int]
) -> None:
    group = [*range(n_pairs), *range(n_pairs), *range(n_pairs, n_pairs + n_singles)]
    n = len(group)
    sizes = [max(1, share * (n // 2) // sum(shares)) for share in shares]
    split = split_frames(
        _frames(group), SplitOptions(train=sizes[0], validation=sizes[1], test=sizes[2], seed=seed)
    )
    assert [len(split.train), len(split.validation), len(split.test)] == sizes


def test_fractions_of_distinct_frames_use_all_of_them() -> None:
    split = split_frames(_frames(list(range(1000))), SplitOptions(train=0.8, validation=0.1, test=0.1))
    assert (len(split.train), len(split.validation), len(split.test)) == (800, 100, 100)


@given(n_frames=st.integers(20, 400))
def test_shares_that_add_up_to_all_leave_no_frame_out(n_frames: int) -> None:
    """50 frames: 42.5, 2.5 and 5 are rounded to 49."""
    split = split_frames(_frames(list(range(n_frames))), SplitOptions())
    sizes = np.array([len(split.train), len(split.validation), len(split.test)])
    assert sizes.sum() == n_frames
    assert np.all(np.abs(sizes - n_frames * np.array([0.85, 0.05, 0.1])) <= 1)


def test_shares_of_less_than_all_leave_the_rest_out() -> None:
    split = split_frames(_frames(list(range(50))), SplitOptions(train=0.5, validation=0.05, test=0.1))
    assert [len(split.train), len(split.validation), len(split.test)] == [25, 2, 5]


def test_the_seed_decides() -> None:
    frames = _frames(list(range(50)))
    first, again, other = (split_frames(frames, SplitOptions(seed=seed)) for seed in (1, 1, 2))
    assert first.to_json() == again.to_json() != other.to_json()


def test_blocks_are_contiguous_and_in_order() -> None:
    split = split_frames(
        _frames(list(range(100))), SplitOptions(train=50, validation=20, test=10, blocks=True)
    )
    assert split.train.tolist() == list(range(50))
    assert split.validation.tolist() == list(range(50, 70))
    assert split.test.tolist() == list(range(70, 80))


def test_a_split_survives_json() -> None:
    split = split_frames(_frames(list(range(30))), SplitOptions())
    again = Split.from_json(json.loads(json.dumps(split.to_json())))
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(split, part), getattr(again, part))


def test_too_many_frames_are_refused() -> None:
    with pytest.raises(DataError, match=r"ask for 12 frames; there are 10"):
        split_frames(_frames(list(range(10))), SplitOptions(train=10, validation=1, test=1))


@pytest.mark.parametrize("n_frames", [(333, 333, 334), (7, 1, 1, 1), (500, 500)])
@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25)])
def test_counts_of_all_frames_of_several_systems_use_all(n_frames: tuple[int, ...], shares) -> None:
    counts = [round(share * sum(n_frames)) for share in shares]
    counts[0] += sum(n_frames) - sum(counts)
    options = SplitOptions(**dict(zip(PARTS, counts, strict=True)))
    splits = split_systems([_frames(range(n)) for n in n_frames], options)
    sizes = np.array([[len(getattr(split, part)) for part in PARTS] for split in splits])
    np.testing.assert_array_equal(sizes.sum(axis=0), counts)
    np.testing.assert_array_equal(sizes.sum(axis=1), n_frames)


def test_one_big_group_cannot_be_split() -> None:
    message = (
        r"^water\.xyz: only 0 of the .* without tearing.* 10 frames form 1 groups, the largest of 10 frames"
    )
    with pytest.raises(DataError, match=message + r".* remove the key 'group'"):
        split_frames(
            replace(_frames([0] * 10), name="water.xyz"), SplitOptions(train=8, validation=1, test=1)
        )


def test_fractions_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"add up to 1\.2"):
        SplitOptions(train=0.8, validation=0.2, test=0.2)


@pytest.mark.parametrize(("n_frames", "advice"), [(1, "give more frames$"), (2, "--split.train 1 .*")])
def test_the_advised_split_is_possible(n_frames: int, advice: str) -> None:
    nothing = np.empty(0, np.int64)
    with pytest.raises(DataError, match=advice):
        refuse_empty_parts(_frames([0] * n_frames), Split(np.arange(n_frames), nothing, nothing))


def test_systems_of_single_frames_are_trained_on() -> None:
    """Of 20 single frames and 40 of one system 51 are for training, all of the 20 among them."""
    splits = split_systems([_frames(range(n)) for n in [1] * 20 + [40]], SplitOptions())
    assert [len(split.train) for split in splits] == [1] * 20 + [31]
    assert sum(len(split.validation) + len(split.test) for split in splits) == 9
