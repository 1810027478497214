"""Python's garbage collector, kept from stopping the window for half a second in the midst of a review."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

_MANY_STEPS = 300
_RESTING_MS = 2000


@contextmanager
def without_gc_pause() -> Iterator[None]:
    """Within this, make many objects that will stay.

    The collector looks through all objects of the process once those that stay have become a quarter more. Torch's and
    napari's are so many that this takes half a second, and it would come a moment after a network was loaded or layers
    were added: while the user scrubs. So they are handed to it as old ones, which it has looked through.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # somebody else's are left alone
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


class Tidying:
    """Has the collector look through all objects while the user rests, so that it need not while they scrub.

    Napari leaves some hundred objects to it with every step: after about 1,500 of them it would stop the window for
    half a second.

    Args:
        parent: in the UI thread, with which this ends.
    """

    def __init__(self, parent: QObject) -> None:
        self._steps = 0
        self._rest = QTimer(parent)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_RESTING_MS)
        self._rest.timeout.connect(self._tidy)

    def note_step(self) -> None:
        """The user has come to another frame."""
        self._steps += 1
        self._rest.start()

    def _tidy(self) -> None:
        if self._steps < _MANY_STEPS or not gc.isenabled():
            return
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:  # in the midst of a stroke, or of a drag
            self._rest.start()
            return
        gc.collect()
        self._steps = 0
