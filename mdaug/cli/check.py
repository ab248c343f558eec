"""`mdaug check`: checks of frames before a training."""

from typing import Annotated

from cyclopts import Parameter

from mdaug.options import MANY_SYSTEMS
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import DataOptions, OutputOptions

SHOWN_IN_FULL = 6
"""Systems up to which all verdicts are printed, not only warnings and errors."""


def check(
    data: str = "ethanol",
    *,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> int:
    """Check whether energies, forces and positions of frames are consistent; name the frames that are not.

    Compares the energies with those integrated from the forces (units, sign, order of frames, levels of
    theory), bond graphs of all frames (order of atoms), the stiffness of bonds (unit of forces), and looks
    for outliers, duplicates, coarse energies, a wrong temperature, charge or multiplicity. Prints a table of
    verdicts (✓ ok, ! warning, ✗ error, ? cannot tell) and writes check.json; the exit code is 1 if there is
    an error. The same checks run whenever frames are read. Each system of a file of several is checked by
    itself, and all with fewer than 20 frames once more together. Of more than 6 systems only warnings and
    errors are printed, of more than 10 only the systems that have some.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set.
    """
    from mdaug.reports.terminal import print_verdicts
    from mdaug.workflows.check import FILE, check_data

    with open_run(output, command="check", inputs=[data]) as run:
        checked = check_data(data, source, run.path)
    n_systems, n_quiet = len(checked.systems), 0
    for result in checked.systems:
        shown = [
            v for v in result.verdicts if n_systems <= SHOWN_IN_FULL or v.verdict in ("warning", "error")
        ]
        if not shown and n_systems > MANY_SYSTEMS:
            n_quiet += 1
            continue
        print_text(result.frames.description)
        if shown:
            print_verdicts(shown)
    if n_quiet:
        print_text(f"{n_quiet} of {n_systems} systems without warnings and errors")
    if checked.together:
        print_text("all systems of few frames together")
        print_verdicts(checked.together)
    print_text(run.path / FILE)
    return 1 if checked.has_failed else 0
