"""The networks of a committee in one model.pt: its own, and others, each a whole model.pt inside it.

The others are extra files of the TorchScript archive, which whoever loads the model leaves alone.
"""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from mdaug.archives import check_layout, open_zip
from mdaug.errors import DataError

MOST_NETWORKS = 1000
"""Networks in one file."""


def extra_name(network: int) -> str:
    """Return the name of a network among the extra files.

    Parameters
    ----------
    network
        Its number, from 1.
    """
    return f"committee/network-{network}.pt"


def n_networks(manifest: dict[str, Any]) -> int:
    """Return the number of networks in a file: 1 without a committee.

    Parameters
    ----------
    manifest
        Of the file.
    """
    committee = manifest.get("committee")
    return 1 if committee is None else int(committee["networks"])


def is_valid_committee(value: Any) -> bool:
    """Return whether a value may be the entry committee of a manifest.

    Parameters
    ----------
    value
        The value; None where there is no entry.
    """
    if value is None:
        return True
    count = value.get("networks") if isinstance(value, dict) else None
    return type(count) is int and 2 <= count <= MOST_NETWORKS


def named(path: Path, network: int) -> str:
    """Return the name of a network in messages.

    Parameters
    ----------
    path
        The file.
    network
        Its number in the file; 0 is that of the file itself.
    """
    return f"{path}, network {network} of its committee" if network else str(path)


def network_file(path: Path, network: int) -> BytesIO:
    """Return the model.pt of a network inside a file.

    Parameters
    ----------
    path
        The file.
    network
        The number of the network, from 1.

    Raises
    ------
    DataError
        The file does not contain it, or is damaged.
    """
    try:
        with open_zip(path) as archive:
            extra, members = f"{check_layout(archive)}/extra", set(archive.namelist())
            last = max((k for k in range(MOST_NETWORKS) if f"{extra}/{extra_name(k)}" in members), default=0)
            name = f"{extra}/{extra_name(network)}"
            if name in members:
                if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
                    raise zipfile.BadZipFile(f"{name} is compressed, which torch does not do")
                return BytesIO(archive.read(name))
            if 0 < network < last:
                raise zipfile.BadZipFile("the file does not contain it, but later ones")
    except Exception as error:  # a broken file makes zipfile raise errors of many kinds
        raise DataError(
            f"{named(path, network)}: not a model.pt, or damaged ({error}); expected a file of "
            "`mdaug train --committee N`"
        ) from error
    count, numbers = "1 network" if last == 0 else f"{last + 1} networks", ("0", "0 or 1", f"0 to {last}")
    raise DataError(
        f"{named(path, network)}: the file does not contain it, but has {count}; expected network "
        f"{numbers[min(last, 2)]}"
    )
