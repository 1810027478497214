"""Freed memory is reused by the next pass."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Three maps of 30 MB at once, freed and created again: more than the C library keeps by default.
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
def test_freed_memory_causes_no_page_faults_again() -> None:
    pages = 90 * 2**20 // 4096
    assert faults(keep=False) > pages / 2
    assert faults(keep=True) < pages / 100


@pytest.mark.parametrize("setting", ["NAPARI_SEGCAM_TUNING=off", "GLIBC_TUNABLES=glibc.malloc.arena_max=4"])
def test_it_can_be_left_off(setting: str) -> None:
    name, _, value = setting.partition("=")
    code = "from napari_segcam.tuning.allocator import keep_freed_memory; print(keep_freed_memory())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | {name: value}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
