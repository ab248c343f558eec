"""checkpoint.pt: written whole, read without executing anything."""

from pathlib import Path
from typing import Any

import torch

from mdaug.errors import DataError
from mdaug.files import atomic_path, damaged_member

FORMAT = "mdaug checkpoint 1"


def save_checkpoint(path: Path, state: dict[str, Any], fingerprint: str) -> None:
    """Write `state` atomically; `fingerprint` tells which options and frames it belongs to."""
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, "fingerprint": fingerprint, "state": state}, temporary)


def load_checkpoint(path: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """Read a checkpoint (of `fingerprint`, if given); only tensors and plain values are unpickled.

    Raises
    ------
    DataError
        The file is no mdaug checkpoint, or belongs to other options or frames.
    """
    try:
        damaged = damaged_member(path)
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # zipfile and torch raise whatever a broken file makes them
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise DataError(f"{path} is not a readable checkpoint ({reason})") from error
    if damaged is not None:
        raise DataError(f"{path} is damaged (wrong checksum of {damaged}); take a copy, or train anew")
    if not isinstance(content, dict) or content.get("format") != FORMAT or "state" not in content:
        raise DataError(f"{path} is not a checkpoint of this version (expected format {FORMAT!r})")
    if fingerprint is not None and content.get("fingerprint") != fingerprint:
        raise DataError(
            f"{path} was written with other options or frames; resume with the same ones, or start anew "
            "with --overwrite"
        )
    return content["state"]
