"""`mdaug info`: what a model file says of itself."""

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mdaug.cli.common import find_model
from mdaug.deployment.manifest import read_manifest
from mdaug.errors import DataError
from mdaug.reports.model import model_tables
from mdaug.reports.terminal import print_table


def info(
    model: Path | None = None,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Tell what a model is: elements, cutoff, size, training data and their range, errors, versions.

    Nothing in the file is executed. Frames outside the range of the training data are beyond what the
    model has seen.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    as_json
        Print the manifest, and results.json if it lies beside the model, as JSON.
    """
    path = find_model(model)
    about = {"model": str(path), "manifest": read_manifest(path), "results": _results(path)}
    if as_json:
        print(json.dumps(about, indent=2))
        return
    try:
        for table in model_tables(about):
            print_table(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: its manifest, or results.json beside it, is not as mdaug writes it "
            f"({type(error).__name__}: {error}); --json shows it as it is"
        ) from error


def _results(model: Path) -> dict[str, Any] | None:
    path = model.with_name("results.json")
    if not path.is_file():
        return None
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not readable JSON ({error}); expected the results of a training") from error
    if not isinstance(results, dict):
        raise DataError(f"{path}: holds no JSON object; expected the results of a training")
    return results
