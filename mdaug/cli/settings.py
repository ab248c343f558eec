"""What a command line says about a training, as changes of a configuration."""

from collections.abc import Mapping
from typing import Any

from mdaug.cli.common import DataOptions
from mdaug.options import Options

Changes = dict[str, dict[str, Any]]


def given_settings(
    data: str | None,
    source: DataOptions,
    epochs: int | None,
    sections: Mapping[str, Options] | None = None,
    seed: int | None = None,
) -> Changes:
    """Return what was given and nothing else: section -> key -> value, as `load_config` takes it.

    Parameters
    ----------
    sections
        Options named by section and key.
    seed
        For every section that has a seed and was given none of its own.
    """
    changes: Changes = {"data": source.model_dump(exclude_unset=True), "training": {}}
    for name, options in (sections or {}).items():
        seeded = seed is not None and "seed" in type(options).model_fields
        changes[name] = ({"seed": seed} if seeded else {}) | options.model_dump(exclude_unset=True)
    if data is not None:
        changes["data"]["source"] = data
    if epochs is not None:
        changes["training"]["epochs"] = epochs
    return changes
