"""Freed memory is kept for the next pass.

A pass frees hundreds of megabytes of maps. The C library would give them back to the system at once, and every 4 kB
that the next pass fetches again is a page fault: up to a quarter of its time for a large frame.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

# Of the GNU C library's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_KEPT = 2**30  # bytes at most, of what is free at the end of the heap
_LARGEST_ON_HEAP = 32 * 2**20  # the most that mallopt accepts; larger maps still find room among what was freed


@cache
def keep_freed_memory() -> bool:
    """Have this process keep up to a gigabyte of the memory it frees; whether that could be asked for.

    It can with the GNU C library, which is Linux's as a rule, by ``mallopt``. It holds until the process ends.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP))
