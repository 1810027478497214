"""Where opened cines are kept: a temporary folder that is deleted with its window, or a folder that the user chose."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from napari.components import ViewerModel

from napari_segcam.viewer.worker.worker import Worker

_WAIT_SECONDS = 5.0
_PREFIX = "napari-segcam-pacs-"


class TemporaryFolder:
    """A folder that only this user can read; it is made when it is first needed, and deleted with its viewer.

    Args:
        viewer: whose images are read from it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._made: list[Path] = []
        self._lock = threading.Lock()
        weakref.finalize(viewer, _delete, self._made)

    def path(self) -> Path:
        """Return the folder; for a thread that may write to the disk."""
        with self._lock:
            if not self._made:
                self._made.append(Path(tempfile.mkdtemp(prefix=_PREFIX)))  # mkdtemp allows no other user
            return self._made[0]

    def delete(self, ending: Sequence[Worker] = ()) -> None:
        """Delete the folder and all that is in it, in a thread of its own, once these workers write there no more."""
        made = self._made

        def wait_and_delete() -> None:
            for worker in ending:
                worker.end(_WAIT_SECONDS)
            _delete(made)

        try:
            threading.Thread(target=wait_and_delete, name="segcam-pacs-delete").start()
        except RuntimeError:  # Python is ending, and from 3.12 on it then starts no thread; nobody waits for a window
            wait_and_delete()


def _delete(made: list[Path]) -> None:
    for path in made:
        shutil.rmtree(path, ignore_errors=True)
    made.clear()
