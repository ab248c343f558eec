"""The parts of the examination in their order, and the division of the time among them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mdaug.calculators.failures import calculator_failed
from mdaug.errors import DataError
from mdaug.examination.accuracy import FEWEST as FEWEST_FRAMES
from mdaug.examination.accuracy import examine_accuracy
from mdaug.examination.bonds import FEWEST as FEWEST_DISTANCES
from mdaug.examination.bonds import examine_bonds
from mdaug.examination.conservation import FEWEST as FEWEST_NVE_STEPS
from mdaug.examination.conservation import examine_conservation
from mdaug.examination.distributions import examine_distributions
from mdaug.examination.dynamics import FEWEST as FEWEST_MD_STEPS
from mdaug.examination.dynamics import examine_dynamics
from mdaug.examination.extensivity import examine_extensivity
from mdaug.examination.force_field import Budget, ExaminedForceField, seconds_per_evaluation
from mdaug.examination.gradient import examine_gradient
from mdaug.examination.minimum import examine_minimum
from mdaug.examination.options import ExaminationOptions, PartName, ProtocolName
from mdaug.examination.protocol_runs import examine_protocol
from mdaug.examination.protocols import PROTOCOLS
from mdaug.examination.results import PartResult
from mdaug.examination.shapes import FEWEST as FEWEST_POINTS
from mdaug.examination.shapes import examine_shapes
from mdaug.examination.symmetry import examine_symmetry


@dataclass(frozen=True)
class Part:
    """One part of the examination.

    Parameters
    ----------
    name
        Key in examination.json and value of ``--parts``.
    share
        Share of the time that is left for this and the later parts, relative to their shares.
    least
        Smallest number of evaluations that the part needs, for a number of atoms.
    examine
        Measures and judges.
    """

    name: PartName | ProtocolName
    share: float
    least: Callable[[int], int]
    examine: Callable[[ExaminedForceField, Budget], PartResult]


PARTS: tuple[Part, ...] = (
    Part("accuracy", 0.05, lambda n: FEWEST_FRAMES, examine_accuracy),
    Part("symmetry", 0.02, lambda n: 36, examine_symmetry),
    Part("gradient", 0.02, lambda n: 125, examine_gradient),
    Part("extensivity", 0.01, lambda n: 2, examine_extensivity),
    Part("minimum", 0.05, lambda n: 6 * n + 50, examine_minimum),
    Part("bonds", 0.15, lambda n: FEWEST_DISTANCES * n, examine_bonds),
    Part("shapes", 0.10, lambda n: FEWEST_POINTS, examine_shapes),
    Part("conservation", 0.15, lambda n: FEWEST_NVE_STEPS, examine_conservation),
    Part("dynamics", 0.60, lambda n: FEWEST_MD_STEPS, examine_dynamics),
    Part("distributions", 0.01, lambda n: 0, examine_distributions),
    *(Part(name, 1.0, lambda n: 400, examine_protocol(name)) for name in PROTOCOLS),
)
"""All parts; those of protocols are examined only where they are named."""

Finished = dict[str, PartResult]


def chosen(options: ExaminationOptions) -> list[str]:
    """Return the parts and protocols that options name: all parts where they name neither.

    Parameters
    ----------
    options
        Options of the examination.
    """
    if options.parts or options.protocol:
        return [*options.parts, *options.protocol]
    return [part.name for part in PARTS if part.name not in PROTOCOLS]


def examine(
    examined: ExaminedForceField,
    names: Sequence[str],
    seconds: float,
    finished: Finished,
    report: Callable[[str, PartResult], None],
) -> Finished:
    """Examine a force field; parts that were finished before are not examined again.

    Parameters
    ----------
    examined
        The force field.
    names
        Parts and protocols to examine, see `chosen`.
    seconds
        Time for all of them.
    finished
        Parts of an earlier, interrupted examination.
    report
        Called with each part and its result when it ends.

    Returns
    -------
    dict
        Name of a part -> its result, in the order of `PARTS`.
    """
    until = time.monotonic() + seconds
    waiting = [part for part in PARTS if part.name in names]
    results: Finished = {}
    per_evaluation, failed = 0.0, None
    if not all(part.name in finished for part in waiting):
        try:
            per_evaluation = seconds_per_evaluation(examined)
        except Exception as error:
            if not calculator_failed(error, examined.calculator):
                raise
            failed = _failed(error)
    for k, part in enumerate(waiting):
        if part.name in finished:
            results[part.name] = finished[part.name]
            continue
        seconds_left = max(until - time.monotonic(), 0.0)
        shares = sum(other.share for other in waiting[k:] if other.name not in finished)
        needed = part.least(len(examined.start)) * per_evaluation
        if failed is not None:  # at the start structure already
            results[part.name] = failed
        elif needed > seconds_left:
            text = f"It takes at least {needed:.3g} s, and {seconds_left:.3g} s were left (--minutes)."
            results[part.name] = PartResult.not_run(text)
        else:
            budget = Budget(seconds_left * part.share / shares, per_evaluation, seconds_left)
            results[part.name] = _examined(part, examined, budget)
        report(part.name, results[part.name])
    return results


def _failed(error: Exception) -> PartResult:
    return PartResult.not_run(f"The calculator failed ({type(error).__name__}: {error}).")


def _examined(part: Part, examined: ExaminedForceField, budget: Budget) -> PartResult:
    began = time.monotonic()
    try:
        result = part.examine(examined, budget)
    except DataError as error:  # for example, no two atoms are bonded
        result = PartResult.not_run(f"{str(error).rstrip('.')}.")
    except Exception as error:
        if not calculator_failed(error, examined.calculator):
            raise
        result = _failed(error)
    return replace(result, seconds=time.monotonic() - began)
