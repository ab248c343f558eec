"""Most memory that this process, or the GPU, has held since it was asked to forget."""

import resource
import sys
from pathlib import Path

import torch

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak(device: torch.device) -> int:
    """Begin anew, and return the bytes held now.

    Where the system cannot forget (other than Linux), `peak_bytes` is the most of all times.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    try:
        _FORGET.write_text("5")
        return _status_bytes("VmRSS")
    except OSError:
        return peak_bytes(device)


def peak_bytes(device: torch.device) -> int:
    """Return the most bytes held since `forget_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status_bytes(key: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return 1024 * int(value.split()[0])
    raise OSError(f"{_STATUS} has no {key}")
