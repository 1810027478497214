"""Freed memory serves the next pass."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Three maps of 30 MB at once, freed and made again: more than the C library keeps of its own accord.
FAULTS = """
import resource
from napari_segcam.tuning.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    maps = [bytearray(30 * 2**20) for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {keep}:
    assert keep_freed_memory()
for _ in range(3):
    last = faults()
print(last)
"""


def faults(keep: bool) -> int:
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no mallopt")
def test_freed_memory_is_not_fetched_again() -> None:
    pages = 90 * 2**20 // 4096
    assert faults(keep=False) > pages / 2
    assert faults(keep=True) < pages / 100
