"""What is read from /proc/cpuinfo, and what stands in for it."""

import platform

import pytest

from mdaug import processor

CPUINFO = """processor\t: 0
model name\t: A Processor: 8 Cores @ 2 GHz
flags\t\t: fpu sse avx2

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""


@pytest.fixture
def told(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    return tmp_path / "cpuinfo"


def test_the_first_processor_is_named_with_its_instruction_sets(told) -> None:
    told.write_text(CPUINFO)
    assert processor.processor_name() == "A Processor: 8 Cores @ 2 GHz"
    assert processor.instruction_sets() == "flags\t\t: fpu sse avx2"
    assert processor.cpuinfo("bogomips") == ""


@pytest.mark.parametrize("content", [None, "Features\t: neon\n"])
def test_systems_that_say_less(told, content) -> None:
    if content is not None:
        told.write_text(content)
    assert processor.processor_name() == "arm"
    assert processor.instruction_sets() == ("arm" if content is None else "Features\t: neon")
