"""What every hostile input must come to: one line, within seconds and a bounded amount of memory."""

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
    """Check that this is refused, quickly and without much memory; return the reason.

    What counts is the processor's time, since tests run on machines that do other work as well.
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
