"""How torch's OpenMP threads wait for their next work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from napari_segcam.tuning.switch import is_tuning_on

# Spins; libgomp counts 100,000 of them a millisecond. 200 ms is what LLVM's OpenMP, which torch uses on other systems,
# waits by default.
_SPINS = "20000000"


def keep_threads_awake() -> None:
    """Keep OpenMP threads that wait for work awake for 200 ms, as they are on Windows and macOS.

    On Linux they fall asleep after 3 ms, which is less than the time between two frames, and a thread that has just
    woken up computes more slowly at first. Call this before torch is imported. Child processes inherit it. It does
    nothing if the user has set ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY``, or ``NAPARI_SEGCAM_TUNING=off``.

    Not for the viewer: while its window is drawn, the worker waits for Python's lock, and threads that spin meanwhile
    take the processor from the drawing.

    Measured with ``benchmarks/tuning.py`` (U-Net++ on resnet18, 512 px, ten heatmaps, two busy cores): 0.84 of the
    time of a pass that follows the previous one after 12 ms.
    """
    if is_tuning_on() and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


@contextmanager
def passive_waiting() -> Iterator[None]:
    """Undo ``keep_threads_awake`` in the environment within this block, for whatever shares the processor."""
    is_ours = os.environ.get("GOMP_SPINCOUNT") == _SPINS
    if is_ours:
        del os.environ["GOMP_SPINCOUNT"]
    try:
        yield
    finally:
        if is_ours:
            os.environ["GOMP_SPINCOUNT"] = _SPINS
