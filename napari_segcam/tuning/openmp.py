"""How the threads of torch's OpenMP wait for their next work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Spins, of which libgomp counts 100,000 to a millisecond: 200 ms, which is what LLVM's OpenMP, that of torch elsewhere,
# waits by itself.
_SPINS = "20000000"


def keep_threads_awake() -> None:
    """Have threads of OpenMP that wait for work stay awake for a moment, as they do on Windows and macOS.

    On Linux they fall asleep after 3 ms, less than what is done between two frames, and what is woken computes more
    slowly at first: a pause of 12 ms made the following frame take a tenth longer. It is to be called before torch is
    imported, and leaves alone what the user has set. Processes that this one starts are told too.

    Not for the viewer: while its window is drawn the worker waits for Python's lock, and threads that spin meanwhile
    take the processor from the drawing.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


@contextmanager
def passive_waiting() -> Iterator[None]:
    """Meanwhile have the environment as if nothing had been asked of it, for what shares the processor."""
    asked = os.environ.get("GOMP_SPINCOUNT") == _SPINS
    if asked:
        del os.environ["GOMP_SPINCOUNT"]
    try:
        yield
    finally:
        if asked:
            os.environ["GOMP_SPINCOUNT"] = _SPINS
