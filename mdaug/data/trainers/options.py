"""Options of the files for other trainers; for every `--help`, nothing heavy."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from mdaug.options import Options

TrainerName = Literal["mace", "nequip", "schnetpack", "deepmd", "gpumd", "hippynn", "extxyz"]

TRAINER_NAMES: tuple[str, ...] = get_args(TrainerName)


class RepeatOptions(Options):
    """Files for a trainer that reads no weights."""

    repeats: Annotated[int | None, Field(ge=1, le=10_000)] = None
    """With --for schnetpack, which reads no weights: how often a frame of weight 1 occurs in an epoch; other
    frames occur that often times their weight [default: such that augmented frames of the largest weight
    occur once, at least 10 and at most 200]."""
