"""Split frames into training, validation and test frames; frames of one group stay together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from mdaug.archives import read_json
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.options import Options, Seed

PARTS = ("train", "validation", "test")
Share = Annotated[int | float, Field(ge=0)]


class SplitOptions(Options):
    """Sizes of the training, validation and test sets."""

    train: Share = 0.85
    """Training frames: a count (integer) or a fraction (with a decimal point) of all frames."""

    validation: Share = 0.05
    """Validation frames, which select the best epoch: a count or a fraction."""

    test: Share = 0.1
    """Test frames, evaluated once at the end: a count or a fraction."""

    seed: Seed = 0
    """Seed of the shuffle."""

    blocks: bool = False
    """Contiguous blocks in the order train, validation, test (frames of one trajectory), not a shuffle."""

    @model_validator(mode="after")
    def _fractions_fit(self) -> "SplitOptions":
        fractions = [share for share in (self.train, self.validation, self.test) if isinstance(share, float)]
        if sum(fractions) > 1 + 1e-9:
            raise ValueError(
                f"fractions of train, validation and test add up to {sum(fractions):g}; expected at most 1"
            )
        return self


EXPECTED = "the split that `mdaug train` writes: indices of frames in train, validation and test"
"""Content of a split.json, for messages."""


@dataclass(frozen=True)
class Split:
    """Indices of the training, validation and test frames, each sorted."""

    train: IntArray
    validation: IntArray
    test: IntArray

    def to_json(self) -> dict[str, list[int]]:
        """Return the indices of each part as lists."""
        return {name: getattr(self, name).tolist() for name in PARTS}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Split":
        """Return the split that `to_json` described."""
        return cls(**{name: np.array(content[name], dtype=np.int64) for name in PARTS})

    @classmethod
    def read(cls, path: Path) -> "Split":
        """Return the split in a split.json.

        Parameters
        ----------
        path
            File to read.

        Raises
        ------
        DataError
            The file does not have the form that `mdaug train` writes.
        """
        return cls.parse(read_json(path, EXPECTED), path)

    @classmethod
    def parse(cls, content: Any, path: Path) -> "Split":
        """Return the split that an entry of a split.json describes.

        Parameters
        ----------
        content
            From `to_json`.
        path
            The file, for messages.

        Raises
        ------
        DataError
            The entry does not have that form.
        """
        try:
            split = cls.from_json(content)
            parts = [getattr(split, name) for name in PARTS]
            if content != split.to_json() or any(part.ndim != 1 for part in parts):
                raise ValueError("its parts are no lists of integers")
            if any(np.any(part < 0) for part in parts):
                raise ValueError("negative indices")
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise DataError(f"{path}: {error}; expected {EXPECTED}") from error
        return split


def split_frames(frames: FrameSet, options: SplitOptions) -> Split:
    """Split frames; those of one group (duplicates, a frame and its augmented frames) stay together.

    Counts are met exactly, fractions as nearly as whole groups allow.

    Parameters
    ----------
    frames
        To be split; only their groups matter.
    options
        Sizes, seed and order.

    Raises
    ------
    DataError
        If the sizes exceed the number of frames, or groups are too large for the sizes.
    """
    sizes = _sizes(len(frames), options)
    groups = _groups(frames.group)
    if options.blocks:
        parts = _fill_in_order(groups, sizes)
    else:
        parts = _fill_at_random(groups, sizes, np.random.default_rng(options.seed))
        _refuse_unfilled(frames, parts, sizes, options)
    train, validation, test = (np.sort(np.array(part, dtype=np.int64)) for part in parts)
    return Split(train, validation, test)


def split_systems(systems: Sequence[FrameSet], options: SplitOptions) -> list[Split]:
    """Split the frames of each system, so that each part has the same share of every system.

    The size of each part of all frames is shared out in proportion to the systems' numbers of frames, so that
    systems with too few frames for a validation frame of their own have some together. Each system has a
    training frame, as long as others have more than one.

    Parameters
    ----------
    systems
        The systems.
    options
        Sizes of the parts of all systems together.

    Returns
    -------
    list of Split
        Indices of the frames of each system.

    Raises
    ------
    DataError
        As `split_frames`, for all systems or for one.
    """
    n_frames = [len(frames) for frames in systems]
    if len(systems) == 1:
        return [split_frames(systems[0], options)]
    sizes = dict(zip(PARTS, _sizes(sum(n_frames), options), strict=True))
    # the frames of all parts are shared out first, so that a system never lacks one
    left = _shared_out(sum(sizes.values()), n_frames)
    splits = [options] * len(systems)
    for name, size in sizes.items():
        own = _shared_out(size, left)
        if name == "train":
            own = _one_for_each(own, left)
        left = [rest - n for rest, n in zip(left, own, strict=True)]
        is_count = isinstance(getattr(options, name), int)
        shares = [n if is_count else n / len(frames) for n, frames in zip(own, systems, strict=True)]
        splits = [one.model_copy(update={name: share}) for one, share in zip(splits, shares, strict=True)]
    return [split_frames(frames, one) for frames, one in zip(systems, splits, strict=True)]


def _shared_out(n: int, n_frames: Sequence[int]) -> list[int]:
    """Return whole parts of `n` in proportion to `n_frames`, by the largest remainders."""
    exact = n * np.array(n_frames) / max(sum(n_frames), 1)
    parts = np.floor(exact + 1e-9).astype(int)
    most = np.argsort(parts - exact, kind="stable")[: n - int(parts.sum())]
    parts[most] += 1
    return [int(part) for part in parts]


def _one_for_each(parts: Sequence[int], n_frames: Sequence[int]) -> list[int]:
    """Return parts with one frame for each system, taken from the largest, where these have more than one."""
    given = np.array(parts)
    for n in np.flatnonzero((given == 0) & (np.array(n_frames) > 0)):
        largest = int(np.argmax(given))
        if given[largest] < 2:
            break
        given[largest] -= 1
        given[n] += 1
    return [int(part) for part in given]


def refuse_empty_parts(frames: FrameSet, split: Split) -> None:
    """Refuse a split that leaves no frame for training or for validation.

    Parameters
    ----------
    frames
        All frames.
    split
        Their parts.

    Raises
    ------
    DataError
        One of these parts is empty.
    """
    for name in ("train", "validation"):
        if len(getattr(split, name)) == 0:
            n_train = len(frames) - 1
            least = f", or --split.train {n_train} --split.validation 1 --split.test 0" if n_train else ""
            raise DataError(
                f"{frames.name}: of {len(frames)} frame(s) the split leaves none for {name}, "
                f"which needs one; give more frames{least}"
            )


def _sizes(n_frames: int, options: SplitOptions) -> tuple[int, int, int]:
    shares = (options.train, options.validation, options.test)
    sizes = [share if isinstance(share, int) else round(share * n_frames) for share in shares]
    excess = sum(sizes) - n_frames
    if all(isinstance(share, float) for share in shares) and (excess > 0 or sum(shares) > 1 - 1e-9):
        sizes[0] -= excess  # rounding only
    elif excess > 0:
        raise DataError(
            f"train {options.train}, validation {options.validation} and test {options.test} ask for "
            f"{sum(sizes)} frames; there are {n_frames}: ask for fewer"
        )
    return sizes[0], sizes[1], sizes[2]


def _groups(group: IntArray) -> list[IntArray]:
    """Return the frames of each group, in the order of each group's first frame."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    members: list[list[int]] = [[] for _ in first]
    for frame, number in enumerate(inverse):
        members[number].append(frame)
    return [np.array(members[number]) for number in np.argsort(first)]


def _fill_at_random(
    groups: list[IntArray], sizes: tuple[int, int, int], rng: np.random.Generator
) -> list[list[int]]:
    """Draw a part for each group, weighted by the places left in each part; single frames fill the parts."""
    parts: list[list[int]] = [[], [], []]
    unused = sum(len(frames) for frames in groups) - sum(sizes)
    order = [groups[g] for g in rng.permutation(len(groups))]
    singles = [int(frames[0]) for frames in order if len(frames) == 1]
    for frames in sorted((frames for frames in order if len(frames) > 1), key=len, reverse=True):
        places = np.array([*(size - len(part) for size, part in zip(sizes, parts, strict=True)), unused])
        places[places < len(frames)] = 0
        drawn = int(rng.choice(4, p=places / places.sum())) if places.any() else 3
        if drawn == 3:
            unused -= len(frames)
        else:
            parts[drawn].extend(frames.tolist())
    for part, size in zip(parts, sizes, strict=True):
        missing = size - len(part)
        part.extend(singles[:missing])
        del singles[:missing]
    return parts


def _fill_in_order(groups: list[IntArray], sizes: tuple[int, int, int]) -> list[list[int]]:
    """Give contiguous blocks of frames to each part; later frames of a group join its first frame."""
    first_of_block = np.cumsum((0, *sizes))
    parts: list[list[int]] = [[], [], []]
    for frames in groups:
        block = int(np.searchsorted(first_of_block, frames[0], side="right")) - 1
        if block < 3:
            parts[block].extend(frames.tolist())
    return parts


def _refuse_unfilled(
    frames: FrameSet, parts: list[list[int]], sizes: tuple[int, int, int], options: SplitOptions
) -> None:
    for name, part, size in zip(PARTS, parts, sizes, strict=True):
        if len(part) < size and (isinstance(getattr(options, name), int) or not part):
            counts = np.unique(frames.group, return_counts=True)[1]
            raise DataError(
                f"{frames.name}: only {len(part)} of the {size} {name} frames can be chosen without tearing "
                f"groups apart: by the key 'group' of the file, or as equal frames, its {len(frames)} frames "
                f"form {len(counts)} groups, the largest of {max(counts)} frames; ask for fewer or for "
                "fractions, or remove the key 'group' if its frames need not stay together"
            )
