"""Options of augmentation."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field, PositiveFloat, model_validator

from mdaug.options import PAPER_SETTINGS, Count, Options, Positive, Seed
from mdaug.springs.options import LookupRule

Draw = Literal["shell", "ball"]

RuleName = Literal["isotropic", "projected", "gradient", "signed", "force-matched", "gfn2-xtb"]


class AugmentSettings(Options):
    """Options of the augmentation but the cutoff, which in a training is the model's."""

    epsilon: Annotated[float, Field(gt=0)] = 0.3
    """Longest displacement of an atom, Å."""

    n_displaced: Count = 0
    """Atoms displaced in each frame; 0 displaces all."""

    n_frames: Count | None = None
    """Augmented frames with atoms displaced at random [default: 22 an atom; 200 for liquids and crystals]."""

    replacement: Annotated[bool, Parameter(group=PAPER_SETTINGS)] = True
    """Setting of the paper. Draw parent frames with replacement."""

    draw: Annotated[Draw, Parameter(group=PAPER_SETTINGS)] = "shell"
    """Setting of the paper. Displacements: directions uniform on the sphere and lengths uniform in (0,
    epsilon] (`shell`), or uniform in the ball of radius epsilon (`ball`)."""

    n_stretched: Count | None = None
    """Augmented frames with one bond, drawn at random, stretched or compressed rigidly. Bonds in rings, in
    crystals and, with rule force-matched, bonds without tabulated curve are not stretched [default: 62 a
    bond outside rings; 500 for liquids]."""

    stretch_range: tuple[PositiveFloat, PositiveFloat] | None = None
    """Shortest and longest length of a stretched bond, in mean lengths; drawn uniformly [default: 0.6 and
    2.5; in molecules, unless springs label, to the cutoff, if that is longer]."""

    stretch_noise: Annotated[float, Field(ge=0)] = 0.02
    """Longest random displacement of each atom of a stretched frame, Å."""

    n_impulses: Count | None = None
    """Frames made besides by impulses to atoms of a frame (in turns one to all of them at random, and
    two towards each other) and following them on the potential that labels. Rule force-matched only [default:
    44 an atom; 400 for liquids and crystals]."""

    impulse_energy: Annotated[float, Field(gt=0)] = 150.0
    """Highest energy of an impulse, kcal/mol; drawn uniformly."""

    impulse_time: Annotated[float, Field(ge=0, le=1e5)] = 0.0
    """The longest time (drawn uniformly) that atoms move after an impulse, fs; 0: 25, or 500 where
    frames hold two to seven molecules, which turn about each other in that time."""

    max_energy: Annotated[float, Field(gt=0)] = 200.0
    """Stretch and impulse frames labeled more than this (kcal/mol) above their parent are drawn again."""

    lookup: Annotated[LookupRule, Parameter(group=PAPER_SETTINGS)] = "nearest"
    """Setting of the paper. Spring of a pair at its distance in the parent: of the nearest component
    (published), interpolated linearly between components, or their mean weighted by responsibility."""

    rule: RuleName = "force-matched"
    """Labels: by springs, `isotropic` as published, `signed` as its Discussion proposes, `projected` on the
    change of the pair distances, or `gradient`, which adds the parent's own slope to the energy, so that
    energy and forces agree; `force-matched`, by a force field matched to the frames' forces (molecules,
    liquids; the most accurate); `gfn2-xtb`, by differences of GFN2-xTB (needs mdaug[xtb])."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 0.02
    """Weight of an augmented frame in the training loss, relative to that of its parent."""

    error_scale: Annotated[float, Field(gt=0)] = 5.0
    """Rule force-matched: an augmented frame with this expected force error (kcal/mol/Å) has half of
    `weight`, as weight / (1 + (error / error_scale)²). `inf`: all have `weight`. Labels of rule gradient
    that stand in for force-matched ones have 0.002 of `weight`, frames beside a baseline half of it, and ten
    times that where a bond is broken."""

    min_distance_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Least distance of two atoms, in shortest distances of their element pair in the frames; 0 for no
    limit."""

    seed: Seed = 0
    """Seed of the random draws."""

    @property
    def sets_all_numbers(self) -> bool:
        """Whether no number of augmented frames follows from the size of the molecule."""
        return None not in (self.n_frames, self.n_stretched, self.n_impulses)

    @model_validator(mode="after")
    def _makes_sense(self) -> "AugmentSettings":
        if self.n_frames == self.n_stretched == self.n_impulses == 0:
            raise ValueError(
                "n_frames, n_stretched and n_impulses are all 0; expected at least one augmented frame"
            )
        if self.stretch_range is not None and self.stretch_range[0] >= self.stretch_range[1]:
            raise ValueError(f"stretch_range {self.stretch_range}: expected the shorter length first")
        return self


class AugmentOptions(AugmentSettings):
    """How augmented frames are made and labeled."""

    cutoff: Annotated[float, Field(gt=0)] = 5.0
    """Frames with a cell: pairs farther apart than this (Å) have no spring. Molecules: all pairs have one."""


class ExploreOptions(Options):
    """Which visited frames are kept."""

    n_kept: Positive = 500
    """Most frames kept, drawn at random."""

    gap: Annotated[float, Field(gt=0)] = 3.0
    """Least difference between the energies of the force-matched field and of the model, kcal/mol."""

    max_energy: Annotated[float, Field(gt=0)] = 200.0
    """Highest energy of the force-matched field above the lowest training frame, kcal/mol."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 0.004
    """Weight of each in the training loss (a frame of the data: 1, other augmented frames: at most 0.02,
    broken bonds beside a baseline: 0.1)."""

    seed: Seed = 0
    """Seed of the random draw."""
