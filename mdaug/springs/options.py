"""Options of the fit of springs."""

from typing import Annotated, Any, Literal

from ase.data import atomic_numbers
from cyclopts import Parameter
from pydantic import BeforeValidator, Field

from mdaug.options import Options, Positive, Seed

LookupRule = Literal["nearest", "linear", "responsibility"]
"""Name of a rule that gives the spring constant of a pair at a distance; see
`mdaug.springs.springs.LOOKUPS`."""


def _component_counts(value: Any) -> Any:
    """Convert {"C-H": 3} (TOML, Python) and ["C-H=3"] (command line) to ("H-C=3",)."""
    if isinstance(value, dict):
        value = [f"{pair}={count}" for pair, count in value.items()]
    elif isinstance(value, str):
        value = value.split()
    return tuple(_component_count(str(item)) for item in value)


def _component_count(item: str) -> str:
    from mdaug.springs.distances import pair_name

    pair, _, count = item.partition("=")
    symbols = pair.split("-")
    if len(symbols) != 2 or not count.isdigit() or int(count) < 1:
        raise ValueError(f"components {item!r}: expected PAIR=COUNT, for example H-C=3")
    if any(symbol not in atomic_numbers for symbol in symbols):
        raise ValueError(f"no such element pair: {pair!r} in components {item!r}")
    return f"{pair_name(*(atomic_numbers[symbol] for symbol in symbols))}={count}"


class SpringSettings(Options):
    """Options of a spring fit but the cutoff, which in a training is the model's."""

    components: Annotated[
        tuple[str, ...],
        BeforeValidator(_component_counts),
        Parameter(consume_multiple=True),
    ] = ()
    """Number of Gaussians of an element pair, for example H-H=4 H-C=3; in TOML a table {H-H = 4}. For other
    pairs it is chosen automatically: components by BIC, then components without a dip between them are joined
    to one peak."""

    convergence: Literal["converged", "published"] = "converged"
    """Convergence of the fits: `converged` to the maximum of the likelihood, or `published` with
    scikit-learn's defaults, which gives the published table."""

    max_components: Positive = 12
    """Largest number of Gaussians tried for an element pair (automatic choice only)."""

    dip: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Neighboring components are one peak unless the density between them falls below this fraction of the
    lower of the two (automatic choice only)."""

    min_weight: Annotated[float, Field(ge=0, lt=0.5)] = 0.002
    """Peaks with less than this share of an element pair's distances are left out (automatic choice only)."""

    min_width: Annotated[float, Field(gt=0)] = 1e-3
    """Peaks narrower than this (Å) are not thermal (constrained bonds) and are refused."""

    limit_width: bool = False
    """Widen peaks narrower than `min_width` to it, which limits their k, instead of refusing them."""

    max_samples: Annotated[int, Field(ge=100)] = 100_000
    """Largest number of distances of an element pair in a fit; from more distances this number is drawn at
    random."""

    seed: Seed = 0
    """Seed of the fits, of drawn samples and of the bootstrap."""

    bootstrap: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Resamplings of the frames for the 95 % intervals; 0 for none."""

    @property
    def n_components(self) -> dict[str, int]:
        """The given numbers of components by pair name."""
        return {pair: int(count) for pair, count in (item.split("=") for item in self.components)}


class SpringOptions(SpringSettings):
    """Options of the fit of springs to pair distances."""

    cutoff: Annotated[float, Field(gt=0)] = 5.0
    """Frames with a cell: pairs up to this distance (Å). Molecules: all pairs."""
