"""Check that hostile input is refused: in one line, within seconds, and with little memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import psutil
import pytest

from napari_segcam.errors import LONGEST, SegcamError

SECONDS, MEGABYTES = 8, 600


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in MB."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def ends_in_one_line(work: Callable[[], object]) -> str:
    """Check that the work is refused quickly and with little memory; return the reason.

    The limit is on processor time, because the machine may do other work at the same time.
    """
    before, start = peak_memory(), time.process_time()
    with pytest.raises(SegcamError) as refusal:
        work()
    assert time.process_time() - start < SECONDS
    assert peak_memory() - before < MEGABYTES
    reason = str(refusal.value)
    assert reason.isprintable()
    assert 0 < len(reason) <= LONGEST
    return reason
