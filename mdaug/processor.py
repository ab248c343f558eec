"""What /proc/cpuinfo says of the processor, where there is one. Imports nothing heavy, as `mdaug.cache`."""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpuinfo(*keys: str) -> str:
    """Return the first line of /proc/cpuinfo that begins with one of `keys`; "" if there is none."""
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            return next((line.strip() for line in lines if line.startswith(keys)), "")
    except OSError:
        return ""


def instruction_sets() -> str:
    """Name what code may be compiled for: a cache shared by several machines keeps one build for each."""
    return cpuinfo("flags", "Features") or platform.processor()


def processor_name() -> str:
    """Return for example ``AMD EPYC 7763 64-Core Processor``."""
    return cpuinfo("model name").partition(":")[2].strip() or platform.processor()
