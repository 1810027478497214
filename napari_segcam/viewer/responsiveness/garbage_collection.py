"""Python's garbage collector, kept from stopping the window for half a second during a review."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

_MANY_STEPS = 300
_IDLE_MS = 2000


@contextmanager
def without_gc_pause() -> Iterator[None]:
    """Create many long-lived objects within this block without a full collection soon after.

    The collector scans all objects of the process once the long-lived ones have grown by a quarter. With torch's and
    napari's objects this takes half a second, and it would happen shortly after a network was loaded or layers were
    added: while the user scrubs. So new objects are marked as old, as if they had been scanned already.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # objects that someone else has frozen stay frozen
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


@contextmanager
def quick_collections() -> Iterator[None]:
    """Within this block, a collection scans only what is created in it.

    napari runs a full collection when it removes layers, which takes half a second with torch loaded. What is left
    behind here is collected later.
    """
    if gc.get_freeze_count():  # objects that someone else has frozen stay frozen
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class IdleCollector:
    """Runs a full garbage collection while the user pauses, so that none is due while they scrub.

    napari leaves some hundred objects to the collector at every step: after about 1,500 steps it would stop the window
    for half a second.

    Args:
        parent: an object of the UI thread; the collector ends with it.
    """

    def __init__(self, parent: QObject) -> None:
        self._steps = 0
        self._idle = QTimer(parent)
        self._idle.setSingleShot(True)
        self._idle.setInterval(_IDLE_MS)
        self._idle.timeout.connect(self._collect)

    def note_step(self, weight: int = 1) -> None:
        """Count a step to another frame, or what leaves as much behind as so many steps, and wait for a pause."""
        self._steps += weight
        self._idle.start()

    def _collect(self) -> None:
        if self._steps < _MANY_STEPS or not gc.isenabled():
            return
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:  # during a stroke or a drag
            self._idle.start()
            return
        gc.collect()
        self._steps = 0
