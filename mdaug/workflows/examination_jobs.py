"""The parts of an examination as independent jobs on a cluster."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mdaug.examination.parts import PARTS, Finished, examine
from mdaug.examination.results import PartResult
from mdaug.jobs import Failure, Job, JobQueue, Where
from mdaug.workflows.examined import ExaminedModels

AFTER = {"distributions": "dynamics"}
"""Parts that read the trajectories of another part."""


def examine_on_cluster(
    subject: ExaminedModels,
    names: Sequence[str],
    finished: Mapping[str, Finished],
    where: Where,
    report: Callable[[str, str, PartResult], None],
) -> dict[str, Finished]:
    """Examine all parts of all force fields side by side, each for its share of the time.

    Parameters
    ----------
    subject
        The force fields; workers see the models and the run folder under the same paths.
    names
        Parts and protocols to examine.
    finished
        For each force field, parts of an earlier, interrupted examination.
    where
        The cluster.
    report
        Called with the label of a force field, each part and its result when it ends.

    Returns
    -------
    dict
        Label -> name of a part -> its result, in the order of `PARTS`.
    """
    queue, results = JobQueue(), {label: dict(parts) for label, parts in finished.items()}

    def add(label: str, name: str, seconds: Mapping[str, float]) -> None:
        job = Job(f"{name} of {label}", examine_part, (subject, label, name, seconds[name]), subject.folder)
        done = partial(ended, label, name, seconds)
        queue.add(job, done, failed=lambda failure: done(_not_run(failure)))

    def ended(label: str, name: str, seconds: Mapping[str, float], result: PartResult) -> None:
        results[label][name] = result
        report(label, name, result)
        for other, before in AFTER.items():
            if before == name and other in seconds:
                add(label, other, seconds)

    for label, parts in finished.items():
        shares: dict[str, float] = {p.name: p.share for p in PARTS if p.name in names and p.name not in parts}
        each = 60.0 * subject.options.minutes / (sum(shares.values()) or 1.0)
        seconds = {name: each * share for name, share in shares.items()}
        for name in seconds:
            if AFTER.get(name) not in seconds:
                add(label, name, seconds)
    queue.run(where)
    order: list[str] = [part.name for part in PARTS]
    return {
        label: {name: results[label][name] for name in sorted(results[label], key=order.index)}
        for label in results
    }


def examine_part(subject: ExaminedModels, label: str, name: str, seconds: float) -> PartResult:
    """Examine one part of one force field, in a worker.

    Parameters
    ----------
    subject
        The force fields.
    label
        Name of the one.
    name
        Name of the part.
    seconds
        Time.
    """
    force_field = subject.force_field(subject.load(), label)
    return examine(force_field, [name], seconds, {}, lambda *_: None)[name]


def _not_run(failure: Failure) -> PartResult:
    return PartResult.not_run(f"The job failed ({failure.reason.rstrip('.')}).")
