"""Ctrl-C while torch is imported: it waits for the end of the import, since torch aborts the process otherwise."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED_EARLY = "Stopped before anything was done."

_AGAIN = 0.05  # seconds
_LOADERS = frozenset({"ExtensionFileLoader.create_module", "ExtensionFileLoader.exec_module"})


@contextmanager
def ctrl_c_after_imports() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt as usual, but not while torch or compiled code is imported.

    Torch's own code calls Python while it is imported; an exception there ends in C++, which aborts the process.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        timer = threading.Timer(_AGAIN, signal.raise_signal, [signal.SIGINT])
        timer.daemon = True
        timer.start()
        return
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether compiled code or torch is being imported at a frame."""
    while frame is not None:
        if frame.f_code.co_qualname in _LOADERS or frame.f_globals.get("__name__") == "torch":
            return True
        frame = frame.f_back
    return False
