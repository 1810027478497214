"""Undo and redo by keys: one history for all that the rater does, also while a mask or a correction is painted in."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_segcam.viewer.layers.placement import is_ours
from napari_segcam.viewer.project.history import History
from napari_segcam.viewer.project.open_project import OpenProject

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

UNDO, REDO = "Ctrl+Z", "Ctrl+Shift+Z"
UNDO_ROWS = ((UNDO, "Undo what you did last in the review, whatever it was"), (REDO, "Redo it"))


class UndoKeys(QObject):
    """Gives the plugin's Labels layers the undo of the project, in place of napari's own of that layer.

    napari undoes strokes by layer. With a project open, a stroke, a verdict and a note are all in one history, which
    outlives the window: the keys take back what was done last, whatever it was. Without a project, and in layers of
    the user, they do what napari does.
    """

    def __init__(self, session: ReviewSession, project: OpenProject, history: History) -> None:
        super().__init__(project)
        self._history = weakref.ref(history)  # napari's keymaps must not keep the session alive
        self._viewer = session.viewer
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        project.opened.connect(self._bind)
        project.closed.connect(self._unbind)

    def _bind(self) -> None:
        """Bind the keys of the viewer, for all layers that have no undo of their own."""
        history = self._history
        self._viewer.bind_key(UNDO, lambda _viewer: _undo(history), overwrite=True)
        self._viewer.bind_key(REDO, lambda _viewer: _redo(history), overwrite=True)

    def _unbind(self) -> None:
        for key in (UNDO, REDO):
            self._viewer.bind_key(key, None, overwrite=True)

    def _on_inserted(self, event: Any) -> None:
        layer, history = event.value, self._history
        if not isinstance(layer, Labels) or not is_ours(layer):
            return
        layer.bind_key(UNDO, lambda labels: _undo(history) or labels.undo(), overwrite=True)
        layer.bind_key(REDO, lambda labels: _redo(history) or labels.redo(), overwrite=True)


def _undo(history: weakref.ref[History]) -> bool:
    """Undo in the open project; return whether one is open."""
    owner = history()
    if owner is None or not owner.is_open:
        return False
    owner.undo()
    return True


def _redo(history: weakref.ref[History]) -> bool:
    """Redo in the open project; return whether one is open."""
    owner = history()
    if owner is None or not owner.is_open:
        return False
    owner.redo()
    return True
