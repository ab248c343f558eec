"""Options of the network."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import PAPER_SETTINGS, Options

Size = Annotated[int, Field(ge=1, le=10_000)]

DEFAULT_GAUSSIANS, GAUSSIANS_WITH_BASELINE = 20, 10
"""Gaussians of a filter network, where they are not set (docs/benchmarks/vectors.md)."""


def _half_of_filters(sizes: dict[str, int]) -> int:
    return sizes.get("n_filters", 0) // 2


class SchNetOptions(Options):
    """The network (SchNet, Schütt et al. 2017)."""

    n_atom_basis: Size = 128
    """Features per atom."""

    n_filters: Size = 128
    """Features of the messages."""

    n_vectors: Annotated[int, Field(ge=0, le=10_000)] = Field(default_factory=_half_of_filters)
    """Vectors of each atom and interaction, from whose products the network sees angles [default: half of
    n_filters]; 0 is SchNet as published."""

    n_gaussians: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Gaussians that expand a distance [default: 20; 10 with a baseline, which leaves a smoother function to
    learn]. Fewer, wider ones give smoother filters that overfit less."""

    n_interactions: Size = 3
    """Interaction blocks."""

    cutoff: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """Distance beyond which atoms do not interact, Å."""

    trainable_gaussians: bool = False
    """Train the centers and widths of the Gaussians."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of hidden activations that are dropped in training."""

    filter_network: Annotated[Literal["schutt", "nff"], Parameter(group=PAPER_SETTINGS)] = "schutt"
    """Hidden units of the filter network: n_filters (schutt, Schütt 2017) or n_gaussians (nff,
    NeuralForceField)."""

    filters: Annotated[Literal["spline", "direct"], Parameter(group=PAPER_SETTINGS)] = "spline"
    """Evaluation of the filters: as a cubic B-spline with coefficients from the filter network (spline), or
    by the filter network at every pair (direct)."""

    n_knots: Annotated[int, Field(ge=8, le=10_000)] = 128
    """Intervals of the B-spline up to the cutoff."""

    cutoff_function: Annotated[Literal["c2", "none"], Parameter(group=PAPER_SETTINGS)] = "c2"
    """Factor on the filters: zero with two derivatives at the cutoff (c2), or 1 up to the cutoff (none;
    published)."""

    prior: Literal["none", "zbl", "pair"] = "zbl"
    """Fixed pair energies added to the network: none, the ZBL repulsion of close atoms (zbl), or Morse bonds
    and repulsive walls fitted to the training frames (pair). One molecule with a baseline has none: the
    baseline has the repulsion."""

    baseline: Literal["auto", "none", "force-field"] = "auto"
    """Force field of the molecules that the network's energies are added to, E = M + SchNet: the field that
    labels the augmented frames (auto, where these are made with rule force-matched, the field passes its
    assessment and validation errors do not grow); none; or force-field, also without augmented frames."""

    atom_types: bool = True
    """In a model with a baseline, atoms of one element with different places in the bond graph have different
    embeddings (docs/benchmarks/vectors.md)."""

    @property
    def gaussians(self) -> int:
        """Number of Gaussians that is set, or the default without a baseline."""
        return DEFAULT_GAUSSIANS if self.n_gaussians is None else self.n_gaussians

    def with_baseline(self) -> "SchNetOptions":
        """Return the options with the number of Gaussians that suits a baseline, if none is set."""
        gaussians = GAUSSIANS_WITH_BASELINE if self.n_gaussians is None else self.n_gaussians
        return self.model_copy(update={"n_gaussians": gaussians})

    def fingerprint(self) -> str:
        """Return the options as text, without the default of `atom_types`, which earlier versions lack."""
        used = (f"{name}={value!r}" for name, value in self if name != "atom_types" or not value)
        return f"{type(self).__name__}({', '.join(used)})"
