"""Name and instruction sets of the processor, from /proc/cpuinfo where it exists.

Imports only the standard library, as every start of `lmp` imports this module.
"""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpuinfo(*keys: str) -> str:
    """Return the first line of /proc/cpuinfo that begins with one of some keys, "" if there is none.

    Parameters
    ----------
    *keys
        Beginnings of lines, such as ``"flags"``.
    """
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            return next((line.strip() for line in lines if line.startswith(keys)), "")
    except OSError:
        return ""


def instruction_sets() -> str:
    """Return the instruction sets, which key the compiled libraries in a cache that machines share."""
    return cpuinfo("flags", "Features") or platform.processor()


def processor_name() -> str:
    """Return the name, for example ``AMD EPYC 7763 64-Core Processor``."""
    return cpuinfo("model name").partition(":")[2].strip() or platform.processor()
