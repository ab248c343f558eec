"""`mdaug info`: content of a model file."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.cli.progress import print_next
from mdaug.errors import DataError
from mdaug.text import print_text


def info(
    model: Path | None = None,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show elements, cutoff, size, training data and their range, errors and versions of a model.

    Nothing in the file is executed. A model of one molecule describes that molecule only, and predictions
    outside the range of its training data are unreliable.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    as_json
        Print the manifest as JSON, with results.json if it is in the folder of the model.
    """
    from mdaug.reports.model import model_tables
    from mdaug.reports.terminal import print_table
    from mdaug.workflows.use_model import describe_model

    description = describe_model(model)
    if as_json:
        print_text(*json.dumps(description, indent=2).splitlines(), sep="\n")
        return
    try:
        for table in model_tables(description):
            print_table(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{description['model']}: its manifest, or results.json beside it, does not have the form "
            f"that mdaug writes ({type(error).__name__}: {error}); --json shows it as it is"
        ) from error
    drawing = Path(description["model"]).with_name("molecule.png")
    if drawing.is_file():
        print_text(f"drawing {drawing}")
    print_next("mdaug relax  finds the minimum", "mdaug nve  runs molecular dynamics")
