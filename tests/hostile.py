"""What every hostile input must come to: one line, within seconds and a bounded amount of memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import pytest

from napari_segcam.errors import LONGEST, SegcamError

SECONDS, MEGABYTES = 8, 600


def ends_in_one_line(work: Callable[[], object]) -> str:
    """Check that this is refused, quickly and without much memory; return the reason.

    What counts is the processor's time, since tests run on machines that do other work as well.
    """
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(SegcamError) as refusal:
        work()
    assert time.process_time() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1000
    reason = str(refusal.value)
    assert reason.isprintable()
    assert 0 < len(reason) <= LONGEST
    return reason
